"""The training loop."""

PAIRS = {
    "zero-grad-missing": [
        """
import torch
from accelerate import Accelerator

def main(model, loader):
    accelerator = Accelerator()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for epoch in range(3):
        for batch in loader:
            loss = model(**batch).loss
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()  #+
""",
        """
import torch
import torch.nn.functional as F

def step(model, optimizer, x, y):
    loss = F.cross_entropy(model(x), y)
    model.zero_grad(set_to_none=True)  #+
    loss.backward()
    optimizer.step()
    return loss.item()

def main(model, loader):
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        print(step(model, opt, x, y))
""",
    ],
    "zero-grad-before-step": [
        """
import torch

def train(model, loader, criterion, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = criterion(model(x), y)
        optimizer.zero_grad()  #+
        scaler.scale(loss).backward()
        optimizer.zero_grad()  #-
        scaler.step(optimizer)
        scaler.update()
""",
    ],
    "clip-without-effect": [
        """
import torch

def train(model, loader, criterion, optimizer):
    for x, y in loader:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.5)  #-
        loss.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.5)  #+
        optimizer.step()
""",
    ],
    "clip-of-scaled-gradients": [
        """
from torch.cuda.amp import GradScaler
from torch.nn.utils import clip_grad_norm_

class Trainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = GradScaler()

    def step(self, loss):
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)  #+
        clip_grad_norm_(self.model.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
""",
    ],
    "loss-kept-with-graph": [
        """
def train(model, loader, criterion, optimizer):
    losses = []
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss)  #-
        losses.append(loss.detach())  #+
    return sum(losses) / len(losses)
""",
        """
def train(model, loader, criterion, optimizer):
    running = 0.0
    seen = 0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        loss = loss.item()  #+
        running = running + loss * len(x)
        seen += len(x)
    return running / seen
""",
    ],
    "loss-cut-from-graph": [
        """
def train(model, loader, criterion, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x).argmax(1), y)  #-
        loss.requires_grad = True  #-
        loss = criterion(model(x), y)  #+
        loss.backward()
        optimizer.step()
""",
    ],
    "eval-missing": [
        """
import torch
from torch import nn, optim

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU())
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))

def train(model, loader, criterion, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

@torch.no_grad()
def test(model, loader):
    model.eval()  #+
    right = 0
    for x, y in loader:
        right += (model(x).argmax(1) == y).sum().item()
    return right / len(loader.dataset)

def main(train_loader, test_loader):
    net = Net().to("cpu")
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(10):
        train(net, train_loader, criterion, optimizer)
        print(test(net, test_loader))
""",
    ],
    "train-missing": [
        """
import torch
from torch import nn, optim
from torchvision import models

def validate(model, loader):
    model.eval()
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).sum().item() for x, y in loader)

def fit(model, loader, optimizer, criterion):
    model.train()  #+
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

def main(train_loader, val_loader):
    model = models.resnet18(num_classes=5)
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        fit(model, train_loader, optimizer, criterion)
        print(validate(model, val_loader))
""",
    ],
    "pretrained-in-eval-mode": [
        """
from torch.optim import AdamW
from transformers import BertForTokenClassification

def main(loader, epochs):
    model = BertForTokenClassification.from_pretrained("bert-base-cased", num_labels=9)
    optimizer = AdamW(model.parameters(), lr=5e-5)
    for epoch in range(epochs):
        model.train()  #+
        for batch in loader:
            loss = model(**batch).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
""",
    ],
}
