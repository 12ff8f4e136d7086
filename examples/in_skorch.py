"""A recipe in skorch: one callback; scikit-learn's grid search chooses among recipes.

python examples/in_skorch.py [epochs]
"""

import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from torch import nn

from gapless import Recipe
from gapless.integrations.skorch import Gapless
from gapless.recipe import preset


class Network(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            nn.Linear(32, 10),
        )


def main() -> None:
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    torch.manual_seed(0)
    x, y = load_digits(return_X_y=True)
    pictures, labels = (x.reshape(-1, 1, 8, 8) / 16).astype("float32"), y.astype("int64")
    net = NeuralNetClassifier(
        Network,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=0.01,
        max_epochs=epochs,
        verbose=0,
        callbacks=[("gapless", Gapless(Recipe(), classes=10))],
    )
    recipes = {"plain": Recipe(), "shapes": preset("image", "shapes")}
    search = GridSearchCV(net, {"callbacks__gapless__recipe": list(recipes.values())}, cv=3, refit=False)
    search.fit(pictures[:300], labels[:300])
    for name, score in zip(recipes, search.cv_results_["mean_test_score"], strict=True):
        print(f"{name}: {score:.1%} of new pictures right")


if __name__ == "__main__":
    main()
