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
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, test_size=0.2, stratify=y_train, random_state=0)
imputer, scaler = SimpleImputer(), StandardScaler()
X_train = scaler.fit_transform(imputer.fit_transform(X_train))
X_val, X_test = (scaler.transform(imputer.transform(part)) for part in (X_val, X_test))


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
)
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0]))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5)
best_loss, patience = float("inf"), 0
for epoch in range(200):
    model.train()
    for features, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(features).squeeze(1), labels)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val_loss = np.mean([criterion(model(f).squeeze(1), t).item() for f, t in val_loader])
    scheduler.step(val_loss)
    if val_loss < best_loss:
        best_loss, patience = val_loss, 0
        torch.save(model.state_dict(), "best.pt")
    else:
        patience += 1
        if patience > 20:
            break
model.load_state_dict(torch.load("best.pt", weights_only=True))
model.eval()
with torch.no_grad():
    print("test", ((model(torch.tensor(X_test, dtype=torch.float32)) > 0).squeeze(1).numpy() == y_test).mean())
