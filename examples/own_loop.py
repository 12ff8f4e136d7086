"""A recipe in a plain training loop of your own: attach, optimizer, augment.

python examples/own_loop.py [recipe.toml] [epochs]
"""

import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

from gapless import Recipe
from gapless.recipe import preset


def network() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(32, 10),
    )


def train(recipe: Recipe, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> nn.Module:
    torch.manual_seed(0)
    model = network()
    recipe.attach(model)  # dropout and batch norm
    optimizer = recipe.optimizer(model, lr=1e-2)  # weight decay on the right parameters
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(images), generator=generator).split(64):
            inputs, targets = recipe.batch(images[rows], labels[rows], generator, classes=10)
            loss = functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def main() -> None:
    recipe = Recipe.load(sys.argv[1]) if len(sys.argv) > 1 else preset("image", "shapes")
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x.reshape(-1, 1, 8, 8) / 16, y, train_size=192, stratify=y, random_state=0)
    images, unseen = (torch.tensor(a, dtype=torch.float32) for a in parts[:2])
    labels, truth = (torch.tensor(a) for a in parts[2:])
    for name, used in (("plain", Recipe()), ("recipe", recipe)):
        model = train(used, images, labels, epochs)
        with torch.no_grad():
            right = [float((model(a).argmax(1) == b).float().mean()) for a, b in ((images, labels), (unseen, truth))]
        print(f"{name}: {right[0]:.1%} of the training pictures right, {right[1]:.1%} of new ones")


if __name__ == "__main__":
    main()
