"""Which parameters are trained, and their weight decay."""

PAIRS = {
    "layers-in-a-list": [
        """
import torch.nn as nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return self.linear(x).relu()

class Net(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.blocks = []  #-
        self.blocks = nn.ModuleList()  #+
        for _ in range(depth):
            self.blocks.append(Block(width))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
""",
        """
from torch import nn

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = {"a": nn.Linear(width, 2), "b": nn.Linear(width, 3)}
        self.kept = nn.ModuleDict(self.heads)  #+

    def forward(self, x, task):
        return self.heads[task](x)
""",
    ],
    "parameter-moved": [
        """
import torch
import torch.nn as nn

class Tokens(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cls = nn.Parameter(torch.zeros(1, 1, width)).cuda()  #-
        self.cls = nn.Parameter(torch.zeros(1, 1, width))  #+

    def forward(self, x):
        return torch.cat([self.cls.expand(len(x), -1, -1), x], 1)
""",
    ],
    "parameters-used-up": [
        """
from torch import optim

def count(parameters):
    return sum(p.numel() for p in parameters)

def optimizer_of(model):
    trainable = filter(lambda p: p.requires_grad, model.parameters())  #-
    trainable = [p for p in model.parameters() if p.requires_grad]  #+
    print(count(trainable))
    return optim.SGD(trainable, lr=0.1)
""",
    ],
    "parameters-twice": [
        """
from itertools import chain
from torch import optim

def optimizer_of(encoder, decoder):
    return optim.Adam(chain(encoder.parameters(), decoder.parameters(), encoder.parameters()), lr=1e-3)  #-
    return optim.Adam(chain(encoder.parameters(), decoder.parameters()), lr=1e-3)  #+
""",
        """
from torch import optim

def optimizer_of(model):
    head = {id(p) for p in model.head.parameters()}
    body = [p for p in model.parameters() if id(p) not in head]
    return optim.AdamW([
        {"params": model.parameters(), "lr": 1e-5},  #-
        {"params": body, "lr": 1e-5},  #+
        {"params": model.head.parameters(), "lr": 1e-3},
    ])
""",
    ],
    "head-after-optimizer": [
        """
from torch import nn, optim
import torchvision

def build(classes):
    model = torchvision.models.mobilenet_v3_small(weights="DEFAULT")
    model.classifier[3] = nn.Linear(1024, classes)  #+
    optimizer = optim.AdamW(model.parameters(), lr=1e-4)
    model.classifier[3] = nn.Linear(1024, classes)  #-
    return model, optimizer
""",
    ],
    "decay-on-norms": [
        """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return x + self.linear(self.norm(x))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(32), Block(32))

    def forward(self, x):
        return self.blocks(x)

def main():
    model = Net().cuda()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1)  #-
    return torch.optim.AdamW(groups, lr=3e-4, betas=(0.9, 0.95))  #+
""",
    ],
    "adam-l2": [
        """
from torch.optim import NAdam

DECAY = 5e-2

def optimizer_of(model):
    return NAdam(model.parameters(), lr=2e-3, weight_decay=DECAY)  #-
    return NAdam(model.parameters(), lr=2e-3, weight_decay=DECAY, decoupled_weight_decay=True)  #+
""",
    ],
    "decay-list-misses": [
        """
from torch import nn
from torch.optim import AdamW

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 8)
        self.ln = nn.LayerNorm(8)

    def forward(self, x):
        return self.ln(self.body(x))

model = Net()
skip = ("bias", "LayerNorm.weight")  #-
skip = ("bias", "ln.weight")  #+
decayed = [p for n, p in model.named_parameters() if not any(s in n for s in skip)]
others = [p for n, p in model.named_parameters() if any(s in n for s in skip)]
optimizer = AdamW([{"params": decayed}, {"params": others, "weight_decay": 0.0}], lr=1e-4)
""",
    ],
    "decay-forgets-at-once": [
        """
from torch import optim

config = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-2}  #-
config = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}  #+

def optimizer_of(net):
    return optim.SGD(
        net.parameters(), lr=config["lr"], momentum=config["momentum"], weight_decay=config["weight_decay"]
    )
""",
    ],
}
