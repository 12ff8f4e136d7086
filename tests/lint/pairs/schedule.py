"""Schedules, monitors and the best epoch."""

PAIRS = {
    "scheduler-before-optimizer": [
        """
from torch import optim
from torch.optim.lr_scheduler import OneCycleLR

def train(model, loader, criterion, epochs):
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = OneCycleLR(optimizer, max_lr=0.1, epochs=epochs, steps_per_epoch=len(loader))
    for epoch in range(epochs):
        for x, y in loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            scheduler.step()  #-
            optimizer.step()
            scheduler.step()  #+
""",
    ],
    "schedule-in-wrong-unit": [
        """
from torch import optim

EPOCHS = 20

def epoch_of(model, loader, criterion, optimizer, scheduler):
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()
        scheduler.step()  #-

def main(model, loader, criterion):
    optimizer = optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS)
    for epoch in range(EPOCHS):
        epoch_of(model, loader, criterion, optimizer, scheduler)
        scheduler.step()  #+
""",
        """
from torch.optim import AdamW
from transformers import get_linear_schedule_with_warmup

def main(model, loader, epochs):
    optimizer = AdamW(model.parameters(), lr=2e-5)
    total = epochs * len(loader)
    scheduler = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=100, num_training_steps=total)
    model.train()
    for epoch in range(epochs):
        for batch in loader:
            model(**batch).loss.backward()
            optimizer.step()
            scheduler.step()  #+
            optimizer.zero_grad()
        scheduler.step()  #-
""",
    ],
    "scheduler-never-stepped": [
        """
from torch import optim
from torch.optim import lr_scheduler

def train(model, loader, criterion):
    opt = optim.SGD(model.parameters(), lr=0.1)
    sched = lr_scheduler.MultiStepLR(opt, [10, 20])
    for epoch in range(30):
        for x, y in loader:
            opt.zero_grad()
            criterion(model(x), y).backward()
            opt.step()
        print(epoch, opt.param_groups[0]["lr"])
        sched.step()  #+
""",
    ],
    "monitor-in-wrong-direction": [
        """
from torch import optim

def train(model, run_epoch, accuracy_of):
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)  #-
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", patience=3)  #+
    for epoch in range(50):
        run_epoch(model, optimizer)
        val_acc = accuracy_of(model)
        scheduler.step(val_acc)
""",
        """
from transformers import TrainingArguments

arguments = TrainingArguments(
    "out",
    eval_strategy="epoch",
    save_strategy="epoch",
    load_best_model_at_end=True,
    metric_for_best_model="eval_loss",
    greater_is_better=True,  #-
    greater_is_better=False,  #+
)
""",
        """
from pytorch_lightning.callbacks import ModelCheckpoint

checkpoint = ModelCheckpoint(monitor="val/f1", mode="min", save_top_k=1)  #-
checkpoint = ModelCheckpoint(monitor="val/f1", mode="max", save_top_k=1)  #+
""",
    ],
    "best-weights-not-copied": [
        """
import copy

class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.bad = patience, 0
        self.lowest = float("inf")
        self.best_state = None

    def seen(self, loss, model):
        if loss < self.lowest:
            self.lowest, self.bad = loss, 0
            self.best_state = model.state_dict().copy()  #-
            self.best_state = copy.deepcopy(model.state_dict())  #+
        else:
            self.bad += 1
        return self.bad >= self.patience

    def restore(self, model):
        model.load_state_dict(self.best_state)
""",
    ],
    "averaged-without-statistics": [
        """
from torch.optim.swa_utils import AveragedModel
import torchvision

def main(train_one_epoch, loader, test_loader):
    model = torchvision.models.resnet18()
    swa = AveragedModel(model)  #-
    swa = AveragedModel(model, use_buffers=True)  #+
    for epoch in range(10):
        train_one_epoch(model, loader)
        swa.update_parameters(model)
    swa.eval()
    return [swa(x).argmax(1) for x, y in test_loader]
""",
    ],
    "compiled-before-attach": [
        """
import torch
from torch.nn.parallel import DistributedDataParallel as DDP

def wrap(model, rank):
    model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)  #+
    model = DDP(model, device_ids=[rank])
    model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)  #-
    return model
""",
    ],
}
