"""A recipe in a loop of accelerate's: two lines. One process or several:

python examples/in_accelerate.py [epochs]
accelerate launch --cpu --num_processes 2 examples/in_accelerate.py
"""

import sys

import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from gapless.integrations.accelerate import Gapless
from gapless.recipe import preset


def main() -> None:
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(x, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(y))
    train = DataLoader(torch.utils.data.Subset(data, range(192)), 64, shuffle=True)
    new = DataLoader(torch.utils.data.Subset(data, range(192, len(data))), 512)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(32, 10),
    )

    gapless = Gapless(preset("image", "shapes"), model, accelerator, classes=10)
    optimizer = gapless.optimizer(torch.optim.AdamW(model.parameters(), lr=1e-2))
    prepared, optimizer, train = accelerator.prepare(model, optimizer, train)
    for epoch in range(epochs):
        prepared.train()
        for images, targets in gapless.batches(train, epoch):
            optimizer.zero_grad()
            accelerator.backward(functional.cross_entropy(prepared(images), targets))
            optimizer.step()
        gap = gapless.measure(train, new, epoch)
    accelerator.print(gap)
    accelerator.print(gapless.report(optimizer))


if __name__ == "__main__":
    main()
