"""Loaders, their draws, and the split."""

PAIRS = {
    "seed-in-getitem": [
        """
import numpy as np
import torch
from torch.utils.data import Dataset

class Noisy(Dataset):
    def __init__(self, rows):
        self.rows = rows
        self.epoch = 0

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        np.random.seed(index)  #-
        np.random.seed(index + 100_003 * self.epoch)  #+
        return self.rows[index] + torch.from_numpy(np.random.normal(size=3))
""",
    ],
    "seed-in-epoch-loop": [
        """
import random
import torch

SEED = 7

def epoch_of(model, loader, criterion, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

def main(model, loader, criterion, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(epochs):
        random.seed(SEED)  #-
        random.seed(SEED + epoch)  #+
        epoch_of(model, loader, criterion, optimizer)
""",
    ],
    "generator-kept-in-dataset": [
        """
import random
from torch.utils.data import DataLoader, Dataset

class Words(Dataset):
    def __init__(self, texts, seed):
        self.texts = texts
        self.random = random.Random(seed)

    def __getitem__(self, index):
        words = self.texts[index].split()
        self.random.shuffle(words)
        return words

train_set = Words([], 0)
loader = DataLoader(train_set, 32, shuffle=True, num_workers=2)  #-
loader = DataLoader(train_set, 32, shuffle=True, num_workers=0)  #+
""",
    ],
    "worker-seed-fixed": [
        """
import random
import torch
from torch.utils.data import DataLoader

def loader_of(dataset, seed):
    return DataLoader(
        dataset,
        batch_size=32,
        shuffle=True,
        num_workers=2,
        worker_init_fn=lambda worker: random.seed(seed),  #-
        worker_init_fn=lambda worker: random.seed(torch.initial_seed()),  #+
    )
""",
    ],
    "sampler-without-set-epoch": [
        """
import torch
from torch.utils.data import DataLoader, DistributedSampler

def main(model, train_set, criterion):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train_sampler = DistributedSampler(train_set, shuffle=True)
    loader = DataLoader(train_set, batch_size=32, sampler=train_sampler)
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)  #+
        for x, y in loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
""",
    ],
    "training-not-shuffled": [
        """
from pathlib import Path
import torchvision
from torch.utils.data import DataLoader

class Data:
    def __init__(self, root, transform):
        self.train_data = torchvision.datasets.ImageFolder(Path(root) / "train", transform)
        self.train_loader = DataLoader(self.train_data, batch_size=32, shuffle=False)  #-
        self.train_loader = DataLoader(self.train_data, batch_size=32, shuffle=True)  #+
        self.val_loader = DataLoader(torchvision.datasets.ImageFolder(Path(root) / "val", transform), batch_size=32)
""",
    ],
    "validation-drops-last": [
        """
import torch.utils.data as data

class Module:
    def setup(self, train, test):
        arguments = {"batch_size": 64}
        self.train_loader = data.DataLoader(train, batch_size=64, shuffle=True, drop_last=True)
        self.test_loader = data.DataLoader(test, 64, False, drop_last=True)  #-
        self.test_loader = data.DataLoader(test, 64, False, drop_last=False)  #+
""",
    ],
    "batch-norm-tiny-batch": [
        """
import torch
from torch import nn
from torch.utils.data import DataLoader

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())  #-
        self.body = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU())  #+
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(self.body(x))

def main(train_set, criterion):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train_loader = DataLoader(train_set, batch_size=4, shuffle=True)
    for epoch in range(3):
        for x, y in train_loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
""",
    ],
    "validation-is-training": [
        """
from torchvision import datasets, transforms

train_set = datasets.MNIST("data", train=True, download=True, transform=transforms.ToTensor())
test_set = datasets.MNIST("data", train=True, transform=transforms.ToTensor())  #-
test_set = datasets.MNIST("data", train=False, transform=transforms.ToTensor())  #+
""",
        """
from torch.utils.data import DataLoader, SubsetRandomSampler

def loaders(train_data, rows):
    train_loader = DataLoader(train_data, 64, sampler=SubsetRandomSampler(rows[100:]))
    valid_loader = DataLoader(train_data, 64)  #-
    valid_loader = DataLoader(train_data, 64, sampler=SubsetRandomSampler(rows[:100]))  #+
    return train_loader, valid_loader
""",
    ],
    "fitted-before-split": [
        """
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

table = pd.read_csv("customers.csv")
X, y = table.drop(columns="churn").to_numpy(), table["churn"].to_numpy()
scaler = StandardScaler()
X_scaled = scaler.fit_transform(X)  #-
X_train, X_test, y_train, y_test = train_test_split(X_scaled, y, random_state=0)  #-
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)  #+
X_train, X_test = scaler.fit_transform(X_train), scaler.transform(X_test)  #+
""",
    ],
    "fitted-on-test": [
        """
from sklearn.feature_extraction.text import TfidfVectorizer

def features(train_texts, test_texts):
    vectorizer = TfidfVectorizer(min_df=2)
    train = vectorizer.fit_transform(train_texts)
    test = vectorizer.fit_transform(test_texts)  #-
    test = vectorizer.transform(test_texts)  #+
    return train, test
""",
    ],
    "resampled-before-split": [
        """
import numpy as np
from sklearn.model_selection import train_test_split

def parts(images, labels):
    images = np.concatenate([images, images[:, :, ::-1]])  #-
    labels = np.concatenate([labels, labels])  #-
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.2)
    train_x = np.concatenate([train_x, train_x[:, :, ::-1]])  #+
    train_y = np.concatenate([train_y, train_y])  #+
    return train_x, test_x, train_y, test_y
""",
    ],
    "chosen-on-test": [
        """
from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

def main(dataset):
    arguments = TrainingArguments("out", eval_strategy="epoch", save_strategy="epoch", load_best_model_at_end=True)
    trainer = Trainer(
        model=AutoModelForSequenceClassification.from_pretrained("roberta-base"),
        args=arguments,
        train_dataset=dataset["train"],
        eval_dataset=dataset["test"],  #-
        eval_dataset=dataset["validation"],  #+
    )
    trainer.train()
""",
        """
import copy

def fit(model, run_epoch, loss_on, parts):
    best_loss, best = float("inf"), None
    for epoch in range(50):
        run_epoch(model, parts["train"])
        test_loss = loss_on(model, parts["test"])  #-
        if test_loss < best_loss:  #-
            best_loss = test_loss  #-
        val_loss = loss_on(model, parts["val"])  #+
        if val_loss < best_loss:  #+
            best_loss = val_loss  #+
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
""",
    ],
}
