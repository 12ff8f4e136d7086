import timm
import torch
from timm.data import Mixup, create_dataset, create_loader, resolve_data_config
from timm.utils import AverageMeter, ModelEmaV3, accuracy


def train_one_epoch(model, loader, optimizer, loss_fn, mixup_fn, ema):
    losses = AverageMeter()
    model.train()
    for images, target in loader:
        if mixup_fn is not None:
            images, target = mixup_fn(images, target)
        output = model(images)
        loss = loss_fn(output, target)
        losses.update(loss.item(), images.size(0))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        ema.update(model)
    return losses.avg


def validate(model, loader):
    top1 = AverageMeter()
    model.eval()
    with torch.no_grad():
        for images, target in loader:
            acc1 = accuracy(model(images), target)[0]
            top1.update(acc1.item(), images.size(0))
    return top1.avg


def main(args):
    model = timm.create_model("efficientnet_b0", pretrained=True, num_classes=args.classes, drop_rate=0.2)
    config = resolve_data_config({}, model=model)
    mixup_fn = Mixup(mixup_alpha=0.2, cutmix_alpha=1.0, label_smoothing=0.1, num_classes=args.classes)
    train_loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)  # expect: smoothed-twice
    dataset_train = create_dataset("", args.root, split="train", is_training=True)
    dataset_eval = create_dataset("", args.root, split="validation", is_training=False)
    loader_train = create_loader(
        dataset_train, config["input_size"], 64, is_training=True, auto_augment="rand-m9-mstd0.5"
    )
    loader_eval = create_loader(dataset_eval, config["input_size"], 128, is_training=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.05)  # expect: decay-on-norms
    model.classifier = torch.nn.Linear(1280, args.classes)  # expect: head-after-optimizer
    ema = ModelEmaV3(model, decay=0.9998)
    best = 0.0
    for epoch in range(args.epochs):
        loss = train_one_epoch(model, loader_train, optimizer, train_loss, mixup_fn, ema)
        eval_top1 = validate(ema.module, loader_eval)
        if eval_top1 > best:
            best = eval_top1
            torch.save(ema.module.state_dict(), "best.pth")
        print(epoch, loss, eval_top1)
