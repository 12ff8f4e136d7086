from itertools import pairwise

import albumentations as A
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Lungs(Dataset):
    def __init__(self, files, transform=None):
        self.files, self.transform = files, transform

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image_path, mask_path = self.files[index]
        image, mask = np.array(Image.open(image_path)), np.array(Image.open(mask_path))
        if self.transform is not None:
            both = self.transform(image=image, mask=mask)
            image, mask = both["image"], both["mask"]
        return image, mask.float().unsqueeze(0) / 255


def double(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, padding=1),
        nn.BatchNorm2d(cout),
        nn.ReLU(),
        nn.Conv2d(cout, cout, 3, padding=1),
        nn.BatchNorm2d(cout),
        nn.ReLU(),
    )


class UNet(nn.Module):
    def __init__(self, widths=(32, 64, 128)):
        super().__init__()
        self.down = nn.ModuleList([double(a, b) for a, b in zip((1, *widths), widths, strict=False)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairwise(widths)])
        self.merge = nn.ModuleList([double(2 * w, w) for w in widths[:-1]])
        self.out = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x):
        kept = []
        for block in self.down:
            x = block(x)
            kept.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = kept.pop()
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            x = merge(torch.cat([kept.pop(), up(x)], 1))
        return self.out(x)


def dice_loss(logits, target, eps=1.0):
    p = torch.sigmoid(logits)
    return 1 - (2 * (p * target).sum() + eps) / (p.sum() + target.sum() + eps)


def main(train_files, val_files, epochs=50):
    varied = A.Compose([A.HorizontalFlip(p=0.5), A.Rotate(10), A.Normalize(mean=0.5, std=0.25), ToTensorV2()])
    plain = A.Compose([A.Normalize(mean=0.5, std=0.25), ToTensorV2()])
    train_ds, val_ds = Lungs(train_files, transform=varied), Lungs(val_files, transform=plain)
    train_dl = DataLoader(train_ds, batch_size=16, shuffle=True, num_workers=4)
    val_dl = DataLoader(val_ds, batch_size=8)
    model = UNet().cuda()
    bce = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(epochs):
        model.train()
        for image, mask in train_dl:
            logits = model(image.cuda())
            loss = bce(logits, mask.cuda()) + dice_loss(logits, mask.cuda())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            print(epoch, np.mean([dice_loss(model(i.cuda()), m.cuda()).item() for i, m in val_dl]))
