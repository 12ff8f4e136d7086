"""What goes into a loss."""

PAIRS = {
    "softmax-before-cross-entropy": [
        """
import torch.nn.functional as F

def train(model, loader, optimizer):
    for x, y in loader:
        output = F.softmax(model(x), dim=-1)  #-
        output = model(x)  #+
        loss = F.cross_entropy(output, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
""",
        """
import torch
from torch import nn

class Classifier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, 64), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(64, 5), nn.Softmax(dim=1))  #-
        self.head = nn.Sequential(nn.Linear(64, 5))  #+

    def forward(self, x):
        x = self.body(x)
        return self.head(x)

def main(loader):
    model = Classifier(20).to("cpu")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss()
    train(model, loader, optimizer, criterion)

def train(model, loader, optimizer, criterion):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
""",
    ],
    "log-softmax-twice": [
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 3)
        self.log_softmax = nn.LogSoftmax(dim=1)
        self.loss = nn.CrossEntropyLoss()  #-
        self.loss = nn.NLLLoss()  #+

    def forward(self, x):
        return self.log_softmax(self.out(x))

    def step(self, x, y):
        return self.loss(self(x), y)
""",
    ],
    "sigmoid-before-bce-with-logits": [
        """
import torch
import torch.nn.functional as F

def loss_of(model, x, y):
    scores = torch.sigmoid(model(x)).squeeze(1)  #-
    scores = model(x).squeeze(1)  #+
    return F.binary_cross_entropy_with_logits(scores, y)
""",
    ],
    "nll-without-log": [
        """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return torch.softmax(self.out(x), dim=1)  #-
        return torch.log_softmax(self.out(x), dim=1)  #+

net = Net()
criterion = nn.NLLLoss()

def loss_of(x, y):
    output = net(x)
    return criterion(output, y)
""",
    ],
}
