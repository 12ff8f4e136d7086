"""Dropout, batch norm and the mode they run in."""

PAIRS = {
    "functional-dropout-always-on": [
        """
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        x = F.dropout2d(self.conv(x), 0.2)  #-
        x = F.dropout2d(self.conv(x), 0.2, self.training)  #+
        return self.fc(x.mean((2, 3)))
""",
        """
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        if self.p > 0:  #-
        if self.training and self.p > 0:  #+
            x = F.dropout(x, self.p)
        return self.fc(x)
""",
    ],
    "attention-dropout-always-on": [
        """
from torch import nn
import torch.nn.functional as F

class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        p = self.drop.p if self.training else 0.0  #+
        return F.scaled_dot_product_attention(q, k, v, dropout_p=p)  #+
        return F.scaled_dot_product_attention(q, k, v, dropout_p=self.drop.p)  #-
""",
        """
from torch import nn
import torch.nn.functional as F

class Attention(nn.Module):
    def forward(self, q, k, v):
        if self.training:  #+
            return F.scaled_dot_product_attention(q, k, v, dropout_p=0.1)  #+
        return F.scaled_dot_product_attention(q, k, v, dropout_p=0.0)  #+
        return F.scaled_dot_product_attention(q, k, v, None, 0.1)  #-
""",
    ],
    "layer-made-in-forward": [
        """
import torch.nn as nn

class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width)  #+

    def forward(self, x):
        x = self.linear(x)
        return nn.BatchNorm1d(x.shape[1])(x)  #-
        return self.norm(x)  #+
""",
    ],
    "dropout-before-batch-norm": [
        """
import torch.nn as nn

def block(width, p):
    layers = [nn.Linear(width, width), nn.ReLU()]
    inner = nn.Sequential(nn.Linear(width, width), nn.Dropout(p))
    return nn.Sequential(inner, nn.BatchNorm1d(width))  #-
    return nn.Sequential(nn.BatchNorm1d(width), inner)  #+
""",
    ],
    "batch-norm-keras-momentum": [
        """
from torch import nn

class Net(nn.Module):
    MOMENTUM = 0.9

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(8, 1e-5, 0.9)  #-
        self.norm = nn.BatchNorm1d(8, 1e-5, 0.1)  #+
""",
    ],
    "dropout-keep-probability": [
        """
import torch.nn as nn

class Net(nn.Module):
    def __init__(self, keep_prob=0.9):
        super().__init__()
        self.dropout = nn.Dropout(p=keep_prob)  #-
        self.dropout = nn.Dropout(p=1.0 - keep_prob)  #+
""",
    ],
    "recurrent-dropout-one-layer": [
        """
from torch import nn

class Tagger(nn.Module):
    def __init__(self, words, width=64):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.rnn = nn.GRU(width, width, 1, dropout=0.3, batch_first=True)  #-
        self.rnn = nn.GRU(width, width, 2, dropout=0.3, batch_first=True)  #+
""",
    ],
}
