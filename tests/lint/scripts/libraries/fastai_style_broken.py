import torch
from torch import nn
from torch.utils.data import DataLoader, random_split
from torchvision import datasets
from torchvision.transforms import v2

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class Learner:
    def __init__(self, dls, model, loss_func=None, lr=1e-3, wd=1e-4):
        self.dls, self.model, self.lr, self.wd = dls, model, lr, wd
        self.loss_func = loss_func or nn.CrossEntropyLoss()
        self.best = None

    def one_batch(self, batch, training):
        xb, yb = batch
        preds = self.model(xb)
        loss = self.loss_func(preds, yb)
        if training:
            loss.backward()
            self.opt.step()
            self.sched.step()
            self.opt.zero_grad()
        return loss.item(), (preds.argmax(1) == yb).float().mean().item()

    def one_epoch(self, training):
        self.model.train(training)
        stats = [self.one_batch(b, training) for b in (self.dls[0] if training else self.dls[1])]
        return [sum(column) / len(column) for column in zip(*stats, strict=True)]

    def fit_one_cycle(self, epochs):
        self.opt = torch.optim.AdamW(self.model.parameters(), lr=self.lr, weight_decay=self.wd)
        steps = epochs * len(self.dls[0])
        self.sched = torch.optim.lr_scheduler.OneCycleLR(self.opt, self.lr, total_steps=steps)
        lowest = float("inf")
        for _ in range(epochs):
            self.one_epoch(True)
            with torch.no_grad():
                valid_loss, valid_acc = self.one_epoch(False)
            if valid_loss < lowest:
                lowest = valid_loss
                self.best = self.model.state_dict()  # expect: best-weights-not-copied
            print(valid_loss, valid_acc)
        self.model.load_state_dict(self.best)


def pets(path, size=224):
    steps = [v2.ToImage(), v2.RandomResizedCrop(size), v2.ToDtype(torch.float32, scale=True), v2.Normalize(**IMAGENET)]
    dataset = datasets.ImageFolder(path, transform=v2.Compose(steps))
    train_ds, valid_ds = random_split(  # expect: split-shares-augmentation
        dataset, [0.8, 0.2], generator=torch.Generator().manual_seed(42)
    )
    return DataLoader(train_ds, 64, shuffle=True, num_workers=4), DataLoader(valid_ds, 128, num_workers=4)
