"""Small, plain models: no dropout, no batch norm inside, so that a recipe can add both."""

from gapless.models.choose import BUILTIN, ModelOptions, choose
from gapless.models.cnn import CNN
from gapless.models.mlp import MLP
from gapless.models.resnet import ResNet
from gapless.models.text import TextBag, TextCNN, TextModel

__all__ = ["BUILTIN", "CNN", "MLP", "ModelOptions", "ResNet", "TextBag", "TextCNN", "TextModel", "choose"]
