import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import FashionMNIST


class Classifier(L.LightningModule):
    def __init__(self, width=128, lr=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(784, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 10)
        )

    def forward(self, x):
        return self.net(x).softmax(dim=-1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y, label_smoothing=0.1)  # expect: softmax-before-cross-entropy
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y), prog_bar=True)  # expect: softmax-before-cross-entropy
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr, weight_decay=0.1)  # expect: decay-on-norms
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


class Data(L.LightningDataModule):
    def setup(self, stage):
        plain = transforms.ToTensor()
        varied = transforms.Compose([transforms.RandomCrop(28, padding=2), plain])
        self.train_set = FashionMNIST("data", train=True, transform=varied)
        self.val_set = FashionMNIST("data", train=False, transform=varied)  # expect: augmented-validation

    def train_dataloader(self):
        return DataLoader(self.train_set, batch_size=128, shuffle=True, num_workers=4)

    def val_dataloader(self):
        return DataLoader(self.val_set, batch_size=256, num_workers=4)


if __name__ == "__main__":
    L.seed_everything(7, workers=True)
    callbacks = [
        EarlyStopping(monitor="val_loss", patience=5),
        ModelCheckpoint(monitor="val_acc", mode="min"),  # expect: monitor-in-wrong-direction
        LearningRateMonitor(),
    ]
    trainer = L.Trainer(max_epochs=20, callbacks=callbacks, gradient_clip_val=1.0)
    trainer.fit(Classifier(), datamodule=Data())
