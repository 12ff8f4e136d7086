import numpy as np
import pandas as pd
import torch
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

frame = pd.read_csv("churn.csv")
X, y = frame.drop(columns=["churn"]).to_numpy(np.float32), frame["churn"].to_numpy(np.float32)
scaler = StandardScaler()
X = scaler.fit_transform(X)  # expect: fitted-before-split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=0.2, stratify=y_train, random_state=0)
imputer = SimpleImputer()
X_train = imputer.fit_transform(X_train)
X_test = imputer.fit_transform(X_test)  # expect: fitted-on-test


def dataset(features, labels):
    return TensorDataset(torch.tensor(features, dtype=torch.float32), torch.tensor(labels, dtype=torch.float32))


train_loader = DataLoader(dataset(X_train, y_train), batch_size=64, shuffle=True, drop_last=True)
val_loader = DataLoader(dataset(X_val, y_val), batch_size=256)
model = nn.Sequential(
    nn.Linear(X.shape[1], 128),
    nn.BatchNorm1d(128),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Linear(64, 1),
    nn.Sigmoid(),
)
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0]))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5)
best_loss, patience = float("inf"), 0
for epoch in range(200):
    model.train()
    for features, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(features).squeeze(1), labels)  # expect: sigmoid-before-bce-with-logits
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        scores = [(model(f).squeeze(1) > 0.5).eq(t > 0).float().mean().item() for f, t in val_loader]
        val_acc = np.mean(scores)
    scheduler.step(val_acc)  # expect: monitor-in-wrong-direction
    if -val_acc < best_loss:
        best_loss, patience = -val_acc, 0
        torch.save(model.state_dict(), "best.pt")
    else:
        patience += 1
        if patience > 20:
            break
model.load_state_dict(torch.load("best.pt", weights_only=True))
model.eval()
with torch.no_grad():
    print("test", ((model(torch.tensor(X_test, dtype=torch.float32)) > 0).squeeze(1).numpy() == y_test).mean())
