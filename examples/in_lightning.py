"""A recipe in Lightning: one callback.

python examples/in_lightning.py [recipe.toml] [epochs]
"""

import sys

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset, random_split

from gapless import Recipe
from gapless.integrations.lightning import Gapless
from gapless.recipe import preset


class Digits(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            nn.Linear(32, 10),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        images, labels = batch
        return functional.cross_entropy(self(images), labels)  # labels are shares of classes where the recipe mixes

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.log("val_loss", functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 30)}


def main() -> None:
    recipe = Recipe.load(sys.argv[1]) if len(sys.argv) > 1 else preset("image", "shapes")
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    lightning.seed_everything(0, verbose=False)
    x, y = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(x, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(y))
    train, new = random_split(data, [192, len(data) - 192])
    gapless = Gapless(recipe, classes=10)
    trainer = lightning.Trainer(max_epochs=epochs, accelerator="cpu", logger=False, callbacks=[gapless])
    trainer.fit(Digits(), DataLoader(train, 64, shuffle=True), DataLoader(new, 512))
    print(f"gap {trainer.callback_metrics['gapless/gap']:.3f}")


if __name__ == "__main__":
    main()
