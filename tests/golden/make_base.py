"""Writes base.json: PyTorch's dtype promotion and view strides, for tests/base.

Run with any Python that has torch: python3 tests/golden/make_base.py
"""
import json, os, random
import torch

random.seed(0)
NAMES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128".split()
DTYPES = [getattr(torch, n) for n in NAMES]
SCALARS = {"bool": True, "integer": 3, "floating": 2.5, "complex": 1j}


def name(dtype):
    return str(dtype).split(".")[1]


promote = [[name(torch.promote_types(a, b)) for b in DTYPES] for a in DTYPES]
can_cast = [[torch.can_cast(a, b) for b in DTYPES] for a in DTYPES]

# Result types of an operand with dimensions, a 0-d tensor and a plain number, any of which may be missing.
results = []
for dim in [None] + DTYPES:
    for zero in [None] + DTYPES:
        for kind in [None, *SCALARS]:
            operands = []
            if dim is not None:
                operands.append(torch.zeros(2, dtype=dim))
            if zero is not None:
                operands.append(torch.zeros((), dtype=zero))
            if kind is not None:
                operands.append(SCALARS[kind])
            if len(operands) == 2:
                result = torch.result_type(*operands)
            elif len(operands) == 1 and torch.is_tensor(operands[0]):
                result = operands[0].dtype
            elif len(operands) == 3:
                # torch.result_type takes two operands; where() promotes three in the same way.
                continue
            else:
                continue
            if result == torch.complex32:
                continue  # float16 with a complex number: Cresset has no complex32 and gives complex64
            results.append([dim and name(dim), zero and name(zero), kind, name(result)])


def random_strided():
    shape = [random.choice([1, 2, 3, 4, 6]) for _ in range(random.randint(0, 4))]
    t = torch.zeros(shape)
    for _ in range(random.randint(0, 3)):
        change = random.choice(["permute", "slice", "expand", "select"])
        if change == "permute" and t.dim() > 1:
            t = t.permute(*random.sample(range(t.dim()), t.dim()))
        elif change == "slice" and t.numel() > 0 and t.dim() > 0:
            d = random.randrange(t.dim())
            start = random.randrange(t.size(d)) if t.size(d) else 0
            t = t.narrow(d, start, random.randint(0 if random.random() < 0.1 else 1, max(1, t.size(d) - start)))
        elif change == "expand":
            t = t.unsqueeze(0).expand(random.choice([1, 2, 3]), *t.shape)
        elif change == "select" and t.dim() > 1 and t.size(0) > 0:
            t = t.select(random.randrange(t.dim()), 0) if all(s > 0 for s in t.shape) else t
    return t


def random_target(numel):
    target, rest = [], numel
    for _ in range(random.randint(0, 4)):
        if numel == 0:
            target.append(random.choice([0, 1, 2]))
            continue
        divisors = [d for d in range(1, rest + 1) if rest % d == 0]
        target.append(random.choice(divisors))
        rest //= target[-1]
    if numel > 0 and rest > 1:
        target.append(rest)
    if numel == 0 and 0 not in target:
        target.append(0)
    random.shuffle(target)
    return target


views = []
for _ in range(1500):
    t = random_strided()
    target = random_target(t.numel())
    try:
        strides = list(t.view(target).stride())
    except RuntimeError:
        strides = None
    views.append([list(t.shape), list(t.stride()), target, strides, t.is_contiguous()])

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "base.json")
with open(path, "w") as f:
    json.dump(
        {"torch": torch.__version__, "names": NAMES, "promote": promote, "canCast": can_cast, "results": results, "views": views},
        f,
        separators=(",", ":"),
    )
    f.write("\n")
print(len(results), "result types,", len(views), "views,", sum(v[3] is None for v in views), "of them impossible,", os.path.getsize(path), "bytes")
