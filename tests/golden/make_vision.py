"""Records torchvision's residual networks: state-dict keys and shapes (as a digest), and a training step of two small ones.

Run: python3 tests/golden/make_vision.py > tests/golden/vision.json (needs torch and torchvision)
"""

import hashlib
import json

import numpy as np
import torch
from torchvision.models import resnet

NAMES = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
    "wide_resnet50_2", "wide_resnet101_2",
]
STEPS = {
    "basic": (resnet.BasicBlock, [1, 1, 1, 1], dict(num_classes=7)),
    "bottleneck": (
        resnet.Bottleneck,
        [2, 1, 2, 1],
        dict(num_classes=5, groups=2, width_per_group=16, replace_stride_with_dilation=[False, True, True]),
    ),
}


def values(count, seed):
    """The same numbers in every language: a multiplicative hash of the position, in [-0.5, 0.5)."""
    at = (np.arange(count, dtype=np.uint64) + np.uint64(seed * 1000003)) * np.uint64(2654435761) % np.uint64(1 << 32)
    return torch.from_numpy((at.astype(np.float64) / 2**32 - 0.5).astype(np.float32))


def digest(model):
    lines = [f"{key} {list(value.shape)}".replace(" ", "") for key, value in model.state_dict().items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def training_step(block, layers, options):
    model = resnet.ResNet(block, layers, **options)
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            fan = max(p[0].numel(), 1) if p.dim() > 1 else 4
            p.copy_(values(p.numel(), i).reshape(p.shape) * (4 / fan) ** 0.5 + (1 if p.dim() == 1 else 0))
    x = values(4 * 3 * 32 * 32, 99).reshape(4, 3, 32, 32) * 4
    y = model(x)
    loss = torch.nn.functional.cross_entropy(y, torch.tensor([0, 1, 2, 3]))
    loss.backward()
    grads = {name: float(p.grad.double().norm()) for name, p in model.named_parameters()}
    return {
        "output": y.detach().double().tolist(),
        "loss": float(loss),
        "grads": grads,
        "running_mean": float(model.bn1.running_mean.double().norm()),
        "eval": model.eval()(x)[0].detach().double().tolist(),
    }


models = {}
for name in NAMES:
    model = getattr(resnet, name)()
    models[name] = {"parameters": sum(p.numel() for p in model.parameters()), "keys": digest(model)}
torch.manual_seed(0)
print(json.dumps({"models": models, "steps": {k: training_step(*v) for k, v in STEPS.items()}}, indent=1))
