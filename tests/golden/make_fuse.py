"""Records what PyTorch gives for batch normalisation fused into the layer before it: tests/golden/fuse.json."""

import json
import pathlib

import torch
from torch import nn
from torch.nn.utils import fusion

torch.manual_seed(0)


def values(x):
    return {"shape": list(x.shape), "data": x.detach().flatten().tolist()}


def batch_norm(cls, n, **options):
    bn = cls(n, **options).eval()
    bn.running_mean.normal_()
    bn.running_var.uniform_(0.5, 2)
    if bn.affine:
        nn.init.normal_(bn.weight)
        nn.init.normal_(bn.bias)
    return bn


def case(name, layer, bn, fused):
    return {
        "name": name,
        "layer": {k: values(v) for k, v in layer.state_dict().items()},
        "bn": {k: values(v) for k, v in bn.state_dict().items() if k != "num_batches_tracked"},
        "fused": {k: values(v) for k, v in fused.state_dict().items()},
        "requiresGrad": {k: v.requires_grad for k, v in fused.named_parameters()},
    }


cases = []
for name, layer, bn, transpose in [
    ("conv", nn.Conv2d(2, 3, 2), batch_norm(nn.BatchNorm2d, 3), False),
    ("convNoBias", nn.Conv2d(2, 3, 2, bias=False), batch_norm(nn.BatchNorm2d, 3, affine=False), False),
    ("convGroups", nn.Conv1d(2, 4, 2, groups=2), batch_norm(nn.BatchNorm1d, 4, eps=0.1), False),
    ("convTranspose", nn.ConvTranspose2d(2, 3, 2), batch_norm(nn.BatchNorm2d, 3), True),
]:
    cases.append(case(name, layer.eval(), bn, fusion.fuse_conv_bn_eval(layer.eval(), bn, transpose)))
for name, layer, bn in [
    ("linear", nn.Linear(2, 3), batch_norm(nn.BatchNorm1d, 3)),
    ("linearNoBias", nn.Linear(2, 3, bias=False), batch_norm(nn.BatchNorm1d, 3)),
    ("linearOne", nn.Linear(2, 3), batch_norm(nn.BatchNorm1d, 1)),
]:
    cases.append(case(name, layer.eval(), bn, fusion.fuse_linear_bn_eval(layer.eval(), bn)))
pathlib.Path(__file__).with_name("fuse.json").write_text(json.dumps(cases, indent=1) + "\n")
