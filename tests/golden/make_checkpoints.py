"""Writes tests/golden/checkpoints/training.pt with real PyTorch: a checkpoint from the middle of a training, and the
losses and parameters of the steps after it. The other files of the folder are those of ../shared/checkpoints.

    python tests/golden/make_checkpoints.py
"""

import os

import torch
from torch import nn

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checkpoints")


def parts():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 1))
    optimizers = {
        "adam": torch.optim.AdamW(model[0].parameters(), lr=0.05, amsgrad=True),
        "sgd": torch.optim.SGD([*model[2].parameters(), *model[3].parameters()], lr=0.1, momentum=0.9, nesterov=True),
    }
    schedules = {
        "step": torch.optim.lr_scheduler.StepLR(optimizers["adam"], step_size=2, gamma=0.5),
        "cosine": torch.optim.lr_scheduler.CosineAnnealingLR(optimizers["sgd"], T_max=10),
    }
    return model, optimizers, schedules


def step(model, optimizers, schedules, x, y):
    loss = (model(x) - y).square().mean()
    for optimizer in optimizers.values():
        optimizer.zero_grad()
    loss.backward()
    for part in [*optimizers.values(), *schedules.values()]:
        part.step()
    return loss.item()


def main():
    model, optimizers, schedules = parts()
    x = torch.randn(16, 4)
    y = x.sum(1, keepdim=True).sin()
    for _ in range(3):
        step(model, optimizers, schedules, x, y)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    checkpoint = {
        "epoch": 3,
        "model": model.state_dict(),
        "optimizers": {name: o.state_dict() for name, o in optimizers.items()},
        "schedules": {name: s.state_dict() for name, s in schedules.items()},
        "scaler": scaler.state_dict(),
        "generator": torch.get_rng_state(),
        "x": x,
        "y": y,
    }
    import copy

    saved = copy.deepcopy(checkpoint)
    losses = [step(model, optimizers, schedules, x, y) for _ in range(5)]
    torch.save({"checkpoint": saved, "losses": losses, "after": model.state_dict()}, os.path.join(FOLDER, "training.pt"))


if __name__ == "__main__":
    main()
