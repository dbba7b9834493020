"""Writes print.json: PyTorch's repr of many tensors, for tests/tensor/print.test.ts.

Run with any Python that has torch: python3 tests/golden/make_print.py
"""
import json, math, os
import torch

cases = []


def number(v):
    if isinstance(v, bool):
        return int(v)
    if isinstance(v, int):
        return v if abs(v) < 2**53 else {"big": str(v)}
    if math.isnan(v):
        return "nan"
    if math.isinf(v):
        return "inf" if v > 0 else "-inf"
    return "-0" if v == 0 and math.copysign(1, v) < 0 else v


def pattern(*shape):
    """A large tensor that the test can rebuild: ((7919 i) mod 2003 - 1001) / 128."""
    i = torch.arange(math.prod(shape))
    t = ((i * 7919 % 2003 - 1001) / 128).reshape(shape)
    t.is_pattern = True
    return t


def values(t):
    if hasattr(t, "is_pattern"):
        return "pattern"
    t = t.detach()
    if t.is_complex():
        t = torch.view_as_real(t.contiguous().resolve_conj())
    if t.is_floating_point():
        t = t.double()
    return [number(v) for v in t.reshape(-1).tolist()]


def case(name, t, **options):
    profile = dict(options)
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**profile)
    text = repr(t)
    torch.set_printoptions(profile="default")
    names = {"sci_mode": "sciMode"}
    entry = {
        "name": name,
        "shape": list(t.shape),
        "dtype": str(t.dtype).split(".")[1],
        "data": values(t),
        "expected": text,
    }
    if t.grad_fn is not None:
        entry["gradFn"] = type(t.grad_fn).__name__
    elif t.requires_grad:
        entry["requiresGrad"] = True
    if options:
        entry["options"] = {names.get(k, k): v for k, v in options.items()}
    cases.append(entry)


torch.manual_seed(0)
nan, inf = float("nan"), float("inf")
for dt in [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]:
    case(f"{dt} vector", torch.tensor([1, 20, 100], dtype=dt))
    case(f"{dt} matrix", torch.arange(12).reshape(3, 4).to(dt))
    case(f"{dt} scalar", torch.tensor(7, dtype=dt))
case("negative integers", torch.tensor([-1, 2, -300]))
case("large int64", torch.tensor([2**62, -1, 2**63 - 1, -(2**63)]))
case("bool", torch.tensor([True, False, True]))
case("bool matrix", torch.tensor([[True, False], [False, False]]))
case("bool scalar", torch.tensor(True))
for dt in [torch.float32, torch.float64, torch.float16, torch.bfloat16]:
    case(f"{dt} vector", torch.tensor([1.5, -2.25, 3.125], dtype=dt))
    case(f"{dt} random", torch.randn(3, 4).to(dt))
    case(f"{dt} whole", torch.tensor([1.0, 2.0, 300.0], dtype=dt))
    case(f"{dt} scalar", torch.tensor(3.14159265, dtype=dt))
    case(f"{dt} whole scalar", torch.tensor(3.0, dtype=dt))
    case(f"{dt} nonfinite", torch.tensor([1.5, nan, inf, -inf, 0.0], dtype=dt))
    case(f"{dt} whole nonfinite", torch.tensor([1.0, nan, inf, -inf, -0.0], dtype=dt))
case("ties to even", torch.tensor([0.03125, 0.09375, -0.03125, 0.15625, 1.00005, 2.5]))
case("ties to even, two digits", torch.tensor([0.125, 0.375, 0.625, -0.125, 1.005]), precision=2)
case("ties to even, no digits", torch.tensor([0.5, 1.5, 2.5, -0.5, 3.25]), precision=0)
case("ties to even, scientific", torch.tensor([100005.0, 100015.0, 1.0, 1000050.0]), sci_mode=True)
case("scientific without digits", torch.tensor([2.5e5, 3.5, 1e-3]), sci_mode=True, precision=0)
case("large ratio", torch.tensor([1e-3, 2.0, 5000.0]))
case("small", torch.tensor([1e-5, 2e-5]))
case("large", torch.tensor([1e9, 2.5e9]))
case("huge", torch.tensor([1e30, -1e38, 0.0]))
case("huge, not scientific", torch.tensor([1e30, 1.5, -2.0], dtype=torch.float64), sci_mode=False)
case("denormal", torch.tensor([1e-45, 1e-40]))
case("extreme float64", torch.tensor([1e-300, 1e300, -1.5], dtype=torch.float64))
case("whole, scientific", torch.tensor([1.0, 20000.0]))
case("scientific with nonfinite", torch.tensor([1e-5, nan, -inf, 1e5]))
case("only nonfinite", torch.tensor([nan, inf, -inf]))
case("zeros", torch.zeros(2, 3))
case("negative zero", torch.tensor([-0.0, 0.5, -0.00001]))
case("negative zero alone", torch.tensor([-0.0]))
case("zero scalar", torch.tensor(0.0))
case("nan scalar", torch.tensor(nan))
case("inf scalar", torch.tensor(-inf))
case("tiny scalar", torch.tensor(1e-7))
case("big scalar", torch.tensor(123456789.0))
case("ninety-nine million", torch.tensor([99999999.0]))
case("one hundred million", torch.tensor([100000000.0, 100000001.0], dtype=torch.float64))
case("3-d", torch.randn(2, 3, 4))
case("4-d", torch.randn(2, 2, 2, 3))
case("5-d", torch.arange(32).reshape(2, 2, 2, 2, 2))
case("long vector wraps", torch.randn(40))
case("long int vector wraps", torch.arange(100))
case("wide matrix wraps", torch.randn(3, 25))
case("size-one dims", torch.randn(1, 1, 3))
case("1000 is not summarised", torch.arange(1000))
case("1001 is summarised", torch.arange(1001))
case("summarised matrix", pattern(100, 100))
case("summarised tall", pattern(2000, 2))
case("summarised wide", pattern(2, 2000))
case("summarised 3-d", pattern(12, 10, 11))
case("summarised 3-d with short dims", torch.arange(1200).reshape(4, 3, 100))
case("summarised float width from the edges only", torch.cat([torch.ones(600), torch.tensor([1e6]), torch.ones(600)]))
case("summarised bool", torch.arange(1200) % 3 == 0)
case("empty vector", torch.empty(0))
case("empty matrix", torch.empty(0, 3))
case("empty 3-d", torch.empty(2, 0, 3))
case("empty int64", torch.empty(0, dtype=torch.int64))
case("empty bool matrix", torch.empty(2, 0, dtype=torch.bool))
case("empty float64", torch.empty(0, dtype=torch.float64))
case("complex", torch.tensor([1 + 2j, -3.5 - 4j]))
case("complex scalar", torch.tensor(1 - 2.5j))
case("complex matrix", torch.randn(2, 3, dtype=torch.complex64))
case("complex128", torch.randn(3, dtype=torch.complex128))
case("complex whole", torch.tensor([1 + 2j, 3 - 4j]))
case("complex nonfinite", torch.tensor([complex(nan, 1.5), complex(inf, -inf), complex(0.5, nan)]))
case("complex negative zero", torch.tensor([complex(0.5, -0.0), complex(-0.0, 0.5)]))
case("complex scientific", torch.tensor([1e-5 + 1j, 1e5 - 2.5j]))
case("complex wraps", torch.randn(30, dtype=torch.complex64))
case("complex summarised", torch.arange(1100) / 8 + 0.25j)
case("requires grad", torch.tensor([1.0, 2.0], requires_grad=True))
case("requires grad float64", torch.tensor([1.0, 2.5], dtype=torch.float64, requires_grad=True))
case("grad fn", torch.tensor([1.0, 2.5], requires_grad=True) + 1)
case("grad fn, scalar", torch.tensor([1.0, 2.5], requires_grad=True).sum())
case("grad fn, matrix", torch.randn(3, 4, requires_grad=True).exp())
case("suffix on a new line", torch.randn(8, requires_grad=True) * 2)
case("two suffixes on new lines", torch.randn(7, dtype=torch.float64, requires_grad=True) * 2)
case("empty with grad", torch.empty(0, 2, requires_grad=True))
case("precision 2", torch.randn(4), precision=2)
case("precision 8", torch.randn(4), precision=8)
case("precision 10 float64", torch.randn(4, dtype=torch.float64), precision=10)
case("threshold 5", torch.arange(10), threshold=5)
case("edgeitems 1", torch.arange(2000).reshape(40, 50), edgeitems=1)
case("edgeitems 5", pattern(40, 50), edgeitems=5)
case("edgeitems 0", torch.arange(2000), edgeitems=0)
case("linewidth 40", torch.randn(3, 12), linewidth=40)
case("linewidth 200", torch.randn(3, 30), linewidth=200)
case("sci on", torch.tensor([1.0, 2.5]), sci_mode=True)
case("sci off", torch.tensor([1e-6, 2.5]), sci_mode=False)
case("profile short", torch.randn(3, 3), profile="short")
case("profile full", torch.arange(1100), profile="full")
case("profile short, summarised", pattern(50, 50), profile="short")

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "print.json")
with open(path, "w") as f:
    json.dump({"torch": torch.__version__, "cases": cases}, f, separators=(",", ":"))
    f.write("\n")
print(len(cases), "cases,", os.path.getsize(path), "bytes")
