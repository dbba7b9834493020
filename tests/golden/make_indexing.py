"""Random indices applied by PyTorch: what x[index] reads, what x[index] = v writes, and the gradients of both.

    python3 tests/golden/make_indexing.py > tests/golden/indexing.json

Values are whole numbers, so everything is exact. An index is a list of parts: a number, null (a new dimension), "...",
{"slice": [a, b, s]}, {"index": nested}, {"mask": nested}; tensors carry their shape.
"""
import json
import random

import torch

CASES = 250


def tensor_part(kind, t):
    return t, {kind: t.flatten().tolist(), "shape": list(t.shape)}


def random_part(n):
    r = random.random()
    if r < 0.2:
        i = random.randrange(-n, n)
        return i, i
    if r < 0.55:
        a, b = (random.choice([None, *range(-n - 1, n + 2)]) for _ in range(2))
        s = random.choice([None, 1, 2, 3])
        return slice(a, b, s), {"slice": [a, b, s]}
    if r < 0.85:
        shape = random.choice([[2], [3], [1], [2, 3], [2, 1], []])
        return tensor_part("index", torch.randint(-n, n, shape))
    return tensor_part("mask", torch.rand(n) > 0.5)


def random_index(shape):
    """An index of some dimensions, perhaps with an ellipsis, new dimensions and a mask over two dimensions."""
    ndim, used = len(shape), random.randint(0, len(shape))
    head = random.randint(0, used) if random.random() < 0.3 else used
    places = list(range(head)) + ([None] if head < used or random.random() < 0.1 else []) + list(range(ndim - used + head, ndim))
    index, parts, k = [], [], 0
    while k < len(places):
        d = places[k]
        if random.random() < 0.12:
            index.append(None)
            parts.append(None)
        if d is None:
            i, p = Ellipsis, "..."
        elif k + 1 < len(places) and places[k + 1] == d + 1 and random.random() < 0.1:
            i, p = tensor_part("mask", torch.rand(shape[d], shape[d + 1]) > 0.5)
            k += 1
        else:
            i, p = random_part(shape[d])
        index.append(i)
        parts.append(p)
        k += 1
    return tuple(index), parts


def counting(shape):
    return torch.arange(1, torch.Size(shape).numel() + 1, dtype=torch.float64).reshape(shape)


def flat(t):
    return [int(v) for v in t.flatten().tolist()]


def case():
    ndim = random.choice([1, 2, 3, 4])
    shape = [random.choice([1, 2, 3, 4, 5]) for _ in range(ndim)]
    order = random.sample(range(ndim), ndim)
    index, parts = random_index(shape)
    # The tensor is laid out with its dimensions in another order.
    base = counting([shape[d] for d in order])
    inverse = [order.index(d) for d in range(ndim)]
    out = {"shape": shape, "order": order, "index": parts}
    try:
        read = base.permute(inverse)[index]
    except (IndexError, RuntimeError) as error:
        return {**out, "error": str(error)}
    out |= {"read": flat(read), "readShape": list(read.shape)}
    x = base.permute(inverse).clone().requires_grad_()
    picked = x[index]
    (picked * counting(picked.shape)).sum().backward()
    out["readGrad"] = flat(x.grad)
    # Where positions repeat, which write wins is not defined.
    if len(set(out["read"])) != read.numel():
        return out
    value_shape = random.choice([[], list(read.shape), list(read.shape[1:])])
    value = -counting(value_shape)
    b, v = base.clone().requires_grad_(), value.clone().requires_grad_()
    z = b.clone().permute(inverse)
    z[index] = v
    (z * counting(z.shape)).sum().backward()
    return {**out, "valueShape": value_shape, "written": flat(z), "baseGrad": flat(b.grad), "valueGrad": flat(v.grad)}


torch.manual_seed(0)
random.seed(0)
print("[\n" + ",\n".join(json.dumps(case(), separators=(",", ":")) for _ in range(CASES)) + "\n]")
