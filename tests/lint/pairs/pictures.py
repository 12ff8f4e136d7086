"""Augmentation, mixing and soft labels."""

PAIRS = {
    "augmented-validation": [
        """
import albumentations as A
from albumentations.pytorch import ToTensorV2

class Pictures:
    def __init__(self, files, transform):
        self.files, self.transform = files, transform

def sets(train_files, val_files):
    varied = A.Compose([A.Resize(256, 256), A.HorizontalFlip(p=0.5), A.Normalize(), ToTensorV2()])
    plain = A.Compose([A.Resize(256, 256), A.Normalize(), ToTensorV2()])
    train_set = Pictures(train_files, transform=varied)
    val_set = Pictures(val_files, transform=varied)  #-
    val_set = Pictures(val_files, transform=plain)  #+
    return train_set, val_set
""",
        """
from timm.data import create_dataset, create_transform

def sets(root):
    train_set = create_dataset("", root, split="train", is_training=True)
    eval_transform = create_transform(224, is_training=True)  #-
    eval_transform = create_transform(224, is_training=False)  #+
    eval_set = create_dataset("", root, split="validation", transform=eval_transform)
    return train_set, eval_set
""",
    ],
    "split-shares-augmentation": [
        """
import torch
from torchvision import datasets
from torchvision.transforms import v2

steps = v2.Compose([v2.ToImage(), v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True)])  #-
steps = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])  #+
full = datasets.CIFAR10("data", train=True, transform=steps)
generator = torch.Generator().manual_seed(0)
train_part, valid_part = torch.utils.data.random_split(full, [45000, 5000], generator=generator)
""",
    ],
    "split-transform-overwritten": [
        """
from copy import deepcopy
import torch

def parts(dataset, varied, plain):
    train, test = torch.utils.data.random_split(dataset, [0.9, 0.1])
    test.dataset = deepcopy(dataset)  #+
    train.dataset.transform = varied
    test.dataset.transform = plain
    return train, test
""",
    ],
    "normalised-differently": [
        """
from torchvision import transforms as T

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
train_transform = T.Compose([T.RandomResizedCrop(224), T.ToTensor(), T.Normalize(MEAN, STD)])
val_transform = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize((0.5, 0.5, 0.5), STD)])  #-
val_transform = T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize(MEAN, STD)])  #+
""",
    ],
    "flip-changes-label": [
        """
import torchvision
import torchvision.transforms as transforms

turn = 180  #-
turn = 15  #+
steps = [transforms.RandomRotation(turn), transforms.ToTensor()]
data = torchvision.datasets.MNIST("data", train=True, transform=transforms.Compose(steps))
""",
    ],
    "mask-transformed-apart": [
        """
import torch
import torchvision.transforms as T
from torch.utils.data import Dataset

class Roads(Dataset):
    def __init__(self, files):
        self.files = files
        self.augment = T.Compose([T.RandomAffine(20), T.ToTensor()])

    def __getitem__(self, index):
        picture, label_map = self.files[index]
        seed = torch.seed()  #+
        torch.manual_seed(seed)  #+
        picture = self.augment(picture)
        torch.manual_seed(seed)  #+
        label_map = self.augment(label_map)
        return picture, label_map
""",
    ],
    "mixed-with-hard-labels": [
        """
import torch
from torch import nn

criterion = nn.CrossEntropyLoss()

def step(model, optimizer, images, labels, alpha):
    lam = torch.distributions.Beta(alpha, alpha).sample()
    index = torch.randperm(images.size(0))
    mixed = images * lam + images[index] * (1 - lam)
    output = model(mixed)
    loss = criterion(output, labels)  #-
    loss = lam * criterion(output, labels) + (1 - lam) * criterion(output, labels[index])  #+
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""",
    ],
    "smoothed-twice": [
        """
import torch.nn.functional as F

def loss_of(model, x, y, eps=0.1):
    target = F.one_hot(y, 10) * (1 - eps) + eps / 10
    return F.cross_entropy(model(x), target, label_smoothing=0.1)  #-
    return F.cross_entropy(model(x), target)  #+
""",
    ],
    "soft-labels-become-bce": [
        """
import torch
import torch.nn.functional as F
from transformers import ViTForImageClassification

model = ViTForImageClassification.from_pretrained("google/vit-base-patch16-224-in21k", num_labels=5)

def loss_of(pixels, y, order, lam):
    onehot = F.one_hot(y, 5).to(torch.float32)
    return model(pixel_values=pixels, labels=lam * onehot + (1 - lam) * onehot[order]).loss  #-
    return F.cross_entropy(model(pixel_values=pixels).logits, lam * onehot + (1 - lam) * onehot[order])  #+
""",
    ],
}
