"""Writes unsigned.json: what PyTorch's ops on the CPU give for uint16, uint32 and uint64, or that they refuse them.

A case is a function of two 2x3 tensors of the dtype. Its result is a tensor, a list of tensors, or null where PyTorch
raises. Integers are written as text, since JavaScript's numbers end at 2^53. Run: python3 make_unsigned.py, with torch
2.13.0.
"""

import json
import math
import sys
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
T = torch
S = torch.special
rows = torch.tensor([1, 0])
one = torch.tensor([0])
zeros = torch.zeros(1, 3, dtype=torch.int64)
mask = torch.tensor([[True, False, True], [False, True, True]])

# Name: function. Names are Cresset's; what stands in parentheses tells variants apart.
CASES = {}


def case(name, f):
    assert name not in CASES, name
    CASES[name] = f


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


for name in """add sub mul div floorDivide remainder fmod pow maximum minimum fmax fmin atan2 copysign gcd lcm eq ne lt le gt ge
    logicalAnd logicalOr logicalXor bitwiseAnd bitwiseOr bitwiseXor bitwiseLeftShift bitwiseRightShift xlogy heaviside floatPower
    isclose isin kron matmul""".split():
    if name != "matmul":
        case(name, lambda x, y, f=getattr(T, snake(name)): f(x, y))
for name in """neg abs sign sgn floor ceil round trunc sqrt rsqrt reciprocal log log1p sin cos atan tanh sigmoid erf square positive
    logicalNot bitwiseNot isnan isinf isfinite isposinf isneginf signbit nanToNum real exp sinc deg2rad""".split():
    case(name, lambda x, y, f=getattr(T, snake(name)): f(x))
for name in """sum nansum prod amax amin max min argmax argmin any all median mode countNonzero nonzero argwhere unique
    uniqueConsecutive aminmax trace tril triu msort""".split():
    case(name, lambda x, y, f=getattr(T, snake(name)): f(x))
for name in "cumsum cumprod cummax cummin sort argsort any all sum prod logsumexp".split():
    case(f"{name}(0)", lambda x, y, f=getattr(T, snake(name)): f(x, 0))
case("sort(descending)", lambda x, y: T.sort(x, 1, descending=True))
case("sum(own dtype)", lambda x, y: x.sum(dtype=x.dtype))
case("prod(own dtype)", lambda x, y: x.prod(dtype=x.dtype))
case("cumsum(own dtype)", lambda x, y: x.cumsum(0, dtype=x.dtype))
case("sum(float32)", lambda x, y: x.sum(dtype=T.float32))
case("mean(float32)", lambda x, y: x.mean(dtype=T.float32))
case("unique(all)", lambda x, y: T.unique(x, return_inverse=True, return_counts=True))
case("unique(dim)", lambda x, y: T.unique(x, dim=0))
case("topk", lambda x, y: T.topk(x, 1))
case("kthvalue", lambda x, y: T.kthvalue(x, 1))
case("bincount", lambda x, y: T.bincount(T.zeros_like(x).flatten()))
case("searchsorted", lambda x, y: T.searchsorted(T.sort(x)[0], y))
case("bucketize", lambda x, y: T.bucketize(x, T.sort(y[0])[0]))
case("clamp", lambda x, y: T.clamp(x, 1, 3))
case("clampMin", lambda x, y: T.clamp_min(x, 2))
case("clampMax", lambda x, y: T.clamp_max(x, 3))
case("relu", lambda x, y: F.relu(x))
case("threshold", lambda x, y: F.threshold(x, 2, 3))
case("equal", lambda x, y: T.tensor(T.equal(x, x) and not T.equal(x, y)))
case("allclose", lambda x, y: T.tensor(T.allclose(x, x) and not T.allclose(x, y)))
case("isclose(exact)", lambda x, y: T.isclose(x, y, rtol=0, atol=0))
case("addcmul", lambda x, y: T.addcmul(x, x, y))
for name, f in {
    "add": lambda x: x + 1, "add(fraction)": lambda x: x + 1.5, "sub": lambda x: x - 1, "rsub": lambda x: 9 - x,
    "mul": lambda x: x * 3, "mul(fraction)": lambda x: x * 1.5, "mul(negative)": lambda x: x * -1, "mul(true)": lambda x: x * True,
    "mul(complex)": lambda x: x * 2j, "div": lambda x: x / 3, "div(floor)": lambda x: T.div(x, 2, rounding_mode="floor"),
    "remainder": lambda x: x % 2, "pow": lambda x: x**2, "eq": lambda x: x == 1, "ne": lambda x: x != 1, "lt": lambda x: x < 2,
    "bitwiseAnd": lambda x: x & 3, "bitwiseLeftShift": lambda x: x << 1, "bitwiseRightShift": lambda x: x >> 1,
}.items():
    case(f"{name} number", lambda x, y, f=f: f(x))
case("add_", lambda x, y: x.clone().add_(y))
case("mul_", lambda x, y: x.clone().mul_(y))
case("mul_(fraction)", lambda x, y: x.clone().mul_(2.5))
case("eq_", lambda x, y: x.clone().eq_(y))
case("float.mul_", lambda x, y: y.float().mul_(x))
case("int64.add_", lambda x, y: T.ones(2, 3, dtype=T.int64).add_(x))
case("mul out", lambda x, y: T.mul(x, y, out=T.empty(2, 3, dtype=T.float64)))
# Promotion.
case("mul int64", lambda x, y: x * y.long())
case("mul uint8", lambda x, y: x * y.to(T.uint8))
case("mul bool", lambda x, y: x * y.bool())
case("mul float32", lambda x, y: x * y.float())
case("mul float16", lambda x, y: x * T.ones(2, 3, dtype=T.float16))
case("mul float64", lambda x, y: x * y.double())
case("mul complex64", lambda x, y: x * y.to(T.complex64))
case("mul int64 0-d", lambda x, y: x * T.tensor(3))
case("mul bool 0-d", lambda x, y: x * T.tensor(True))
case("mul float32 0-d", lambda x, y: x * T.tensor(1.5))
case("int64 mul 0-d", lambda x, y: T.full((2,), 3, dtype=T.int64) * x[0, 0])
case("float32 mul 0-d", lambda x, y: T.full((2,), 1.5) * x[0, 0])
case("bool mul 0-d", lambda x, y: mask * x[0, 0])
case("eq int64", lambda x, y: x == y.long())
case("cat int64", lambda x, y: T.cat([x, y.long()]))
case("cat bool", lambda x, y: T.cat([x, y.bool()]))
case("cat float32", lambda x, y: T.cat([x, y.float()]))
case("where int64", lambda x, y: T.where(mask, x, y.long()))
# Copies and views.
case("where", lambda x, y: T.where(mask, x, y))
case("where number", lambda x, y: T.where(mask, x, 3))
case("where fraction", lambda x, y: T.where(mask, x, 3.5))
case("where condition", lambda x, y: T.where(x, 1.0, 2.0))
case("cat", lambda x, y: T.cat([x, y], 1))
case("stack", lambda x, y: T.stack([x, y]))
case("hstack", lambda x, y: T.hstack([x, y]))
case("vstack", lambda x, y: T.vstack([x, y]))
case("dstack", lambda x, y: T.dstack([x, y]))
case("columnStack", lambda x, y: T.column_stack([x, y]))
case("blockDiag", lambda x, y: T.block_diag(x, y))
case("cartesianProd", lambda x, y: T.cartesian_prod(x[0], y[0]))
case("meshgrid", lambda x, y: T.meshgrid(x[0], y[0], indexing="ij"))
case("combinations", lambda x, y: T.combinations(x[0]))
case("repeat", lambda x, y: x.repeat(2, 1))
case("tile", lambda x, y: x.tile(2))
case("repeatInterleave", lambda x, y: x.repeat_interleave(2, 0))
case("t", lambda x, y: x.t())
case("permute", lambda x, y: x.permute(1, 0))
case("reshape", lambda x, y: x.reshape(3, 2))
case("expand", lambda x, y: x.unsqueeze(0).expand(2, 2, 3))
case("contiguous", lambda x, y: x.t().contiguous())
case("clone", lambda x, y: x.clone())
case("chunk", lambda x, y: x.chunk(2))
case("split", lambda x, y: x.split(1))
case("unbind", lambda x, y: x.unbind())
case("unfold", lambda x, y: x.unfold(1, 2, 1))
case("flip(0)", lambda x, y: x.flip(0))
case("roll", lambda x, y: x.roll(1))
case("diag", lambda x, y: T.diag(x[0]))
case("diagonal", lambda x, y: x.diagonal())
case("diagEmbed", lambda x, y: T.diag_embed(x))
case("pad", lambda x, y: F.pad(x, (1, 1)))
case("pad(circular)", lambda x, y: F.pad(x, (1, 1), mode="circular"))
case("pad(reflect)", lambda x, y: F.pad(x, (1, 1), mode="reflect"))
case("pad(replicate)", lambda x, y: F.pad(x, (1, 1), mode="replicate"))
case("selectScatter", lambda x, y: T.select_scatter(x, y[0], 0, 0))
case("sliceScatter", lambda x, y: T.slice_scatter(x, y[:1], 0, 0, 1))
case("diagonalScatter", lambda x, y: T.diagonal_scatter(x, y[0, :2]))
case("pixelShuffle", lambda x, y: F.pixel_shuffle(x.reshape(1, 6, 1, 1)[:, :4], 2))
case("channelShuffle", lambda x, y: F.channel_shuffle(x.reshape(1, 6, 1), 2))
case("interpolate", lambda x, y: F.interpolate(x[None, None], scale_factor=2))
case("fftshift", lambda x, y: T.fft.fftshift(x))
# Indexing.
case("at rows", lambda x, y: x[rows])
case("at slice", lambda x, y: x[:, 1:])
case("at number", lambda x, y: x[1, 2])
case("atMask", lambda x, y: x[mask])
case("indexSelect", lambda x, y: x.index_select(0, rows))
case("embedding", lambda x, y: F.embedding(rows, x))
case("gather", lambda x, y: x.gather(0, zeros))
case("take", lambda x, y: x.take(rows))
case("takeAlongDim", lambda x, y: T.take_along_dim(x, zeros, 0))
case("maskedSelect", lambda x, y: x.masked_select(mask))
case("maskedFill", lambda x, y: x.masked_fill(mask, 3))
case("maskedScatter", lambda x, y: x.masked_scatter(mask, y))
case("indexPut", lambda x, y: x.index_put((one,), y[0]))
case("indexAdd", lambda x, y: x.index_add(0, one, y[:1]))
case("indexCopy", lambda x, y: x.index_copy(0, one, y[:1]))
case("indexFill", lambda x, y: x.index_fill(0, one, 3))
case("scatter", lambda x, y: x.scatter(0, zeros, y))
case("scatterAdd", lambda x, y: x.scatter_add(0, zeros, y))
case("scatterReduce", lambda x, y: x.scatter_reduce(0, zeros, y, "sum"))
case("put", lambda x, y: x.put(one, y[0, :1]))


def assigned(x, index, value):
    x = x.clone()
    x[index] = value
    return x


case("setAt number", lambda x, y: assigned(x, (0, 1), 5))
case("setAt slice", lambda x, y: assigned(x, slice(0, 1), y[:1]))
case("setAt rows", lambda x, y: assigned(x, one, 5))
case("setAt mask", lambda x, y: assigned(x, mask, 5))
# Products.
case("outer", lambda x, y: T.outer(x[0], y[0]))
case("dot", lambda x, y: T.dot(x[0], y[0]))
case("matmul", lambda x, y: x @ y.t())
case("mv", lambda x, y: T.mv(x, y[0]))
case("bmm", lambda x, y: T.bmm(x[None], y.t()[None]))
case("einsum", lambda x, y: T.einsum("ij,kj->ik", x, y))
case("linear", lambda x, y: F.linear(x, y))
case("conv1d", lambda x, y: F.conv1d(x[None, :1], y[None, :1, :2]))
case("maxPool2d", lambda x, y: F.max_pool2d(x[None, None], 2))
# Creation.
case("zeros", lambda x, y: T.zeros(3, dtype=x.dtype))
case("ones", lambda x, y: T.ones(3, dtype=x.dtype))
case("full", lambda x, y: T.full((3,), 7, dtype=x.dtype))
case("full(-1)", lambda x, y: T.full((3,), -1, dtype=x.dtype))
case("fullLike", lambda x, y: T.full_like(x, 7))
case("newTensor", lambda x, y: x.new_tensor([1, 2]))
case("scalarTensor", lambda x, y: T.scalar_tensor(7, dtype=x.dtype))
case("arange", lambda x, y: T.arange(5, dtype=x.dtype))
case("eye", lambda x, y: T.eye(3, dtype=x.dtype))
case("linspace", lambda x, y: T.linspace(0, 4, 5, dtype=x.dtype))
case("randperm", lambda x, y: T.randperm(3, dtype=x.dtype))
case("randint", lambda x, y: T.randint(0, 1, (3,), dtype=x.dtype))
case("random_(1)", lambda x, y: x.clone().random_(1))
case("random_()", lambda x, y: x.clone().random_())
case("fill_", lambda x, y: x.clone().fill_(7))
case("zero_", lambda x, y: x.clone().zero_())
case("copy_", lambda x, y: x.clone().copy_(y))
case("copy_(float)", lambda x, y: T.empty_like(x).copy_(T.tensor([1.5, 2.0, 3.75])))
# Conversions, both ways.
for name in "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 uint16 uint32 uint64 float8_e5m2".split():
    case(f"to {name}", lambda x, y, d=getattr(T, name): x.to(d))
case("to float32 and back", lambda x, y: (x.double() / 4).float().to(x.dtype))
case("to float64 and back", lambda x, y: (x.double() / 2).to(x.dtype))
case("from negative", lambda x, y: T.tensor([-1.0, -1.5, -3.0]).to(x.dtype))
case("from int64", lambda x, y: T.tensor([-1, 3, -(2**63)]).to(x.dtype))
case("from int8", lambda x, y: T.tensor([-1, 3], dtype=T.int8).to(x.dtype))
case("from bool", lambda x, y: mask.to(x.dtype))
case("view(uint8)", lambda x, y: x.view(T.uint8))

DTYPES = {"uint16": 16, "uint32": 32, "uint64": 64}


def operands(dtype, bits):
    half, most = 2 ** (bits - 1) + 5, 2**bits - 1
    x = torch.tensor([[1, half, most], [2, 3, half]], dtype=dtype)
    y = torch.tensor([[2, half, 1], [most, 3, 2]], dtype=dtype)
    return x, y


def written(v):
    if isinstance(v, torch.Tensor):
        flat = torch.view_as_real(v).flatten() if v.is_complex() else v.flatten()
        if v.dtype.is_floating_point and v.dtype.itemsize < 4:
            flat = flat.float()
        integer = not (flat.dtype.is_floating_point or flat.dtype == torch.bool)
        values = [str(n) if integer or (isinstance(n, float) and not math.isfinite(n)) else n for n in flat.tolist()]
        return {"dtype": str(v.dtype).removeprefix("torch."), "shape": list(v.shape), "values": values}
    return [written(part) for part in v]


def record(f, dtype, bits):
    torch.manual_seed(0)
    x, y = operands(dtype, bits)
    try:
        return written(f(x, y))
    except (RuntimeError, NotImplementedError, TypeError, IndexError):
        return None


out = {"torch": torch.__version__, "cases": {}, "promotion": {}}
for name, f in CASES.items():
    out["cases"][name] = {d: record(f, getattr(torch, d), bits) for d, bits in DTYPES.items()}
    # Values that WebGPU holds, in 32 bits.
    out["cases"][name]["small uint64"] = record(f, torch.uint64, 16)
for a in DTYPES:
    for b in ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64",
              "complex128", "float8_e4m3fn", "float8_e5m2", *DTYPES]:
        try:
            both = {str(torch.promote_types(getattr(torch, p), getattr(torch, q))) for p, q in [(a, b), (b, a)]}
            assert len(both) == 1
            out["promotion"][f"{a} {b}"] = both.pop().removeprefix("torch.")
        except RuntimeError:
            out["promotion"][f"{a} {b}"] = None

path = sys.argv[1] if len(sys.argv) > 1 else "unsigned.json"
with open(path, "w") as file:
    lines = [f"{json.dumps(n)}: {json.dumps(c)}" for n, c in out["cases"].items()]
    file.write('{"torch": %s,\n"promotion": %s,\n"cases": {\n%s\n}}\n' % (
        json.dumps(out["torch"]), json.dumps(out["promotion"]), ",\n".join(lines)))
