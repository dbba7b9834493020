"""Records the strides of PyTorch's results for inputs that are not row-major; steps of sizes of 1 are recorded as 0.

Run: python3 tests/golden/make_strides.py > tests/golden/strides.json
"""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(0)
cl = torch.channels_last
x = torch.randn(2, 3, 4, 5).to(memory_format=cl)
y = torch.randn(2, 3, 4, 5)
v = torch.randn(2, 3, 2, 4, 5).to(memory_format=torch.channels_last_3d)
w = torch.randn(6, 3, 3, 3)
wl = w.to(memory_format=cl)
m = torch.randn(3, 4)
c4 = torch.randn(2, 4, 3, 3).to(memory_format=cl)
one = torch.randn(2, 4, 1, 1)
filt = torch.randn(8, 4, 1, 1)


def grad_of(leaf, fn):
    leaf = leaf.detach().clone().requires_grad_()
    fn(leaf).sum().backward()
    return leaf.grad


CASES = {
    # Elementwise
    "mul": x * 2, "add": x + x, "add row-major": x + y, "row-major add": y + x, "add broadcast": x + torch.randn(3, 1, 1),
    "broadcast add": torch.randn(5) + x, "where": torch.where(x > 0, x, y), "gt": x > 0, "exp": x.exp(), "relu": F.relu(x),
    "gelu": F.gelu(x), "clamp": x.clamp(0, 1), "lerp": y.lerp(x, 0.5), "addcmul": torch.addcmul(x, y, y),
    "prelu": F.prelu(x, torch.randn(3)), "dropout": F.dropout(x), "double": x.double(), "bfloat16": x.to(torch.bfloat16),
    "transposed": m.t() * 2, "transposed add": m.t() + torch.randn(4, 3), "permuted": torch.randn(2, 3, 4).permute(1, 2, 0).exp(),
    "expanded": torch.randn(3, 1).expand(3, 4) * 2, "outer": torch.randn(3, 1) * torch.randn(1, 4), "select": x[0] * 2,
    "narrow": x[:, :2] * 2, "step": x[:, :, ::2] * 2, "maskedFill": x.masked_fill(x > 0, 0), "squeeze": x[:1].squeeze(0).exp(), "volume": v * 2,
    "complex": torch.complex(x, x), "complex abs": torch.complex(x, x).abs(), "glu": F.glu(c4, 1),
    # Copies
    "contiguous": x.contiguous(), "clone": x.clone(), "clone narrow": x[:, :2].clone(), "clone expanded": torch.randn(1, 3, 1).expand(2, 3, 4).clone(),
    "clone contiguous": x.clone(memory_format=torch.contiguous_format), "clone last": y.clone(memory_format=cl),
    "contiguous last": y.contiguous(memory_format=cl), "to last": y.to(memory_format=cl), "to contiguous": x.to(memory_format=torch.contiguous_format),
    "to last 3d": torch.randn(2, 3, 2, 4, 5).to(memory_format=torch.channels_last_3d), "emptyLike": torch.empty_like(x),
    "emptyLike permuted": torch.empty_like(torch.randn(2, 3, 4).permute(1, 2, 0)), "zerosLike narrow": torch.zeros_like(x[:, :2]),
    "randLike": torch.rand_like(x), "emptyLike contiguous": torch.empty_like(x, memory_format=torch.contiguous_format),
    "emptyLike last": torch.empty_like(y, memory_format=cl), "newZeros": x.new_zeros(2, 3, 4, 5), "empty last": torch.empty(2, 3, 4, 5, memory_format=cl),
    # Reductions and the like
    "sum 0": x.sum(0), "sum 1": x.sum(1), "mean": x.mean((2, 3), True), "max": x.max(1).values, "cumsum": x.cumsum(1),
    "softmax": x.softmax(1),
    # Shapes
    "cat": torch.cat([x, x], 1), "cat mixed": torch.cat([x, y], 1), "pad": F.pad(x, (1, 1)), "pad reflect": F.pad(x, (1, 1, 1, 1), mode="reflect"),
    "flip": x.flip(1), "roll": x.roll(1, 1), "flatten": x.flatten(1), "pixelShuffle": F.pixel_shuffle(torch.randn(2, 8, 3, 3).to(memory_format=cl), 2),
    # Networks
    "conv2d": F.conv2d(x, w), "conv2d weight last": F.conv2d(y, wl), "conv2d row-major": F.conv2d(y, w), "conv2d 1x1": F.conv2d(x, torch.randn(4, 3, 1, 1)),
    "conv2d of 1x1": F.conv2d(one, filt), "conv2d of 1x1 last": F.conv2d(one.to(memory_format=cl), filt),
    "conv2d bias": F.conv2d(x, w, torch.randn(6)), "conv2d groups": F.conv2d(x, torch.randn(3, 1, 3, 3), groups=3), "conv3d": F.conv3d(v, torch.randn(6, 3, 2, 3, 3)),
    "convTranspose2d": F.conv_transpose2d(x, torch.randn(3, 4, 2, 2)), "maxPool2d": F.max_pool2d(x, 2), "maxPool3d": F.max_pool3d(v, 2),
    "maxPool2d indices": F.max_pool2d(x, 2, return_indices=True)[1], "avgPool2d": F.avg_pool2d(x, 2), "adaptiveAvgPool2d": F.adaptive_avg_pool2d(x, 2),
    "adaptiveAvgPool2d 1": F.adaptive_avg_pool2d(x, 1), "adaptiveMaxPool2d": F.adaptive_max_pool2d(x, 2),
    "batchNorm": F.batch_norm(x, torch.zeros(3), torch.ones(3), training=True), "batchNorm eval": F.batch_norm(x, torch.zeros(3), torch.ones(3)),
    "batchNorm affine": F.batch_norm(x, None, None, torch.ones(3), torch.ones(3), training=True),
    "groupNorm": F.group_norm(x, 3), 
    "interpolate nearest": F.interpolate(x, scale_factor=2), "interpolate bilinear": F.interpolate(x, scale_factor=2, mode="bilinear"),
    "interpolate area": F.interpolate(x, scale_factor=2, mode="area"),
    # Gradients
    "grad mul": grad_of(x, lambda a: a * y), "grad row-major mul": grad_of(y, lambda a: a * x), "grad transposed": grad_of(m.t(), lambda a: a * m.t()),
    "grad narrow": grad_of(x, lambda a: a[:, :2] * 2), "grad conv2d": grad_of(x, lambda a: F.conv2d(a, w)), "grad conv2d row-major": grad_of(y, lambda a: F.conv2d(a, wl)),
    "grad conv2d weight": grad_of(wl, lambda a: F.conv2d(y, a)), "grad conv2d weight row-major": grad_of(w, lambda a: F.conv2d(x, a)),
    "grad maxPool2d": grad_of(x, lambda a: F.max_pool2d(a, 2)), "grad avgPool2d": grad_of(x, lambda a: F.avg_pool2d(a, 2)),
    "grad batchNorm": grad_of(x, lambda a: F.batch_norm(a, None, None, training=True)), "grad expand": grad_of(x, lambda a: a.sum((2, 3))),
}


def recorded(t):
    return {"shape": list(t.shape), "strides": [0 if s == 1 else k for s, k in zip(t.shape, t.stride())]}


print(json.dumps({name: recorded(t) for name, t in CASES.items()}).replace("}, ", "},\n "))
