"""Writes special_values.json.gz: PyTorch's elementwise functions at kinks, extremes and values that are not finite.

Each case is a function, its arguments (None stands for a tensor), a dtype and, for floating dtypes, what PyTorch gives
at every point: values, first and second derivatives. `truth` is the same computed in float64, for judging where float32
and the halves are merely rounded. Run: python3 make_special_values.py, with torch 2.13.0.
"""

import base64
import gzip
import itertools
import json
import math
import sys
import warnings

import torch
import torch.nn.functional as F

warnings.simplefilter("ignore")
inf, nan = math.inf, math.nan
HALVES = {torch.float16, torch.bfloat16}
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTEGERS = [torch.int8, torch.int64]

MAGNITUDES = [0.0, 1e-40, 1e-30, 1e-8, 1e-3, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 6.0, 10.0, 20.0, 88.0, 100.0,
              1000.0, 1e6, 1e18, 1e30, 3.4028234663852886e38, inf]
POINTS = [s * m for m in MAGNITUDES for s in (1, -1)] + [nan]
FEW = [0.0, -0.0, 1e-30, -1e-8, 0.5, -0.5, 1.0, -1.0, 2.0, -2.5, 3.0, 20.0, -100.0, 1e6, -1e30, inf, -inf, nan]
WHOLE = [0, 1, 2, 3, 5, 7, 20, 63, 100, 127, -1, -2, -3, -7, -100, -128]

UNARY = """abs acos acosh angle asin asinh atan atanh ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 fix
floor frac isfinite isinf isnan isneginf isposinf lgamma log log10 log1p log2 logit logical_not nan_to_num neg positive
rad2deg reciprocal relu round rsqrt sigmoid sign sgn signbit sin sinc sinh sqrt square tan tanh trunc i0 bitwise_not
special.entr special.erfcx special.i0e special.i1
special.i1e special.log_ndtr special.ndtr special.ndtri special.psi special.gammaln""".split()

ACTIVATIONS = [
    ("celu", []), ("celu", [0.5]), ("elu", []), ("elu", [0.7]), ("gelu", []), ("gelu", [{"approximate": "tanh"}]),
    ("hardshrink", []), ("hardshrink", [0.25]), ("hardsigmoid", []), ("hardswish", []), ("hardtanh", []), ("hardtanh", [-2.0, 3.0]),
    ("leaky_relu", []), ("leaky_relu", [0.2]), ("logsigmoid", []), ("mish", []), ("relu6", []), ("selu", []), ("silu", []),
    ("softplus", []), ("softplus", [2.0, 5.0]), ("softshrink", []), ("softshrink", [0.25]), ("softsign", []), ("tanhshrink", []),
    ("threshold", [0.5, 20.0]),
]

BINARY = """add sub mul div remainder fmod pow atan2 hypot copysign maximum minimum fmax fmin logaddexp logaddexp2 xlogy
special.xlog1py heaviside nextafter ldexp floor_divide float_power eq ne lt le gt ge logical_and logical_or logical_xor
special.zeta gcd lcm bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift""".split()

NONE = {"reduction": "none"}
LOSSES = [
    ("l1_loss", [NONE]), ("mse_loss", [NONE]), ("smooth_l1_loss", [NONE]), ("smooth_l1_loss", [{"reduction": "none", "beta": 0.5}]),
    ("huber_loss", [NONE]), ("huber_loss", [{"reduction": "none", "delta": 2.0}]), ("binary_cross_entropy_with_logits", [NONE]),
    ("kl_div", [NONE]), ("kl_div", [{"reduction": "none", "log_target": True}]), ("poisson_nll_loss", [NONE]),
    ("poisson_nll_loss", [{"reduction": "none", "log_input": False, "full": True}]), ("soft_margin_loss", [NONE]),
    ("hinge_embedding_loss", [NONE]),
]

# (path, arguments): None is a tensor.
CASES = [(f"{n}", [None]) for n in UNARY]
CASES += [(f"nn.functional.{n}", [None, *rest]) for n, rest in ACTIVATIONS]
CASES += [(n, [None, None]) for n in BINARY]
CASES += [(f"nn.functional.{n}", [None, None, *rest]) for n, rest in LOSSES]
CASES += [
    ("div", [None, None, {"rounding_mode": "floor"}]), ("div", [None, None, {"rounding_mode": "trunc"}]),
    ("polygamma", [1, None]), ("polygamma", [2, None]), ("special.multigammaln", [None, 2]), ("logit", [None, 0.1]),
    ("clamp", [None, -1.0, 2.0]), ("clamp", [None, {"min": 0.5}]), ("round", [None, {"decimals": 2}]), ("round", [None, {"decimals": -1}]),
    ("pow", [None, 0]), ("pow", [None, 0.5]), ("pow", [None, 2]), ("pow", [None, 3]), ("pow", [None, -1]), ("pow", [None, -0.5]),
    ("pow", [2, None]), ("pow", [0.0, None]), ("pow", [None, 1]), ("remainder", [None, 3]), ("remainder", [None, -2.5]), ("fmod", [None, 3]),
    ("fmod", [None, -2.5]), ("floor_divide", [None, 3]), ("nan_to_num", [None, 1.0, 2.0, 3.0]), ("xlogy", [None, 2.0]), ("xlogy", [0.0, None]),
    ("lerp", [None, None, 0.3]), ("lerp", [None, None, 0.75]), ("nn.functional.margin_ranking_loss", [None, None, 1, NONE]),
    ("nn.functional.gaussian_nll_loss", [None, None, 0.5, NONE]),
    ("cumsum", [None, 0]), ("logcumsumexp", [None, 0]), ("cumprod", [None, 0]),
]


def resolve(path):
    at = torch
    for part in path.split("."):
        at = getattr(at, part)
    return at


def call(path, args, tensors):
    # A loss takes its sign or its variance as a tensor.
    own = iter(tensors)
    values = [next(own) if a is None else a for a in args]
    if path.endswith(("margin_ranking_loss", "gaussian_nll_loss")):
        values[2] = torch.full_like(tensors[0].detach(), values[2])
    named = values.pop() if isinstance(values[-1], dict) else {}
    return resolve(path)(*values, **named)


def points(count, dtype):
    grid = WHOLE if not dtype.is_floating_point else POINTS if count == 1 else FEW
    if count == 1:
        # PyTorch itself dies of -2^63 / -1, so two operands have no such values.
        return [grid + [2**53, -(2**62), 2**63 - 1, -(2**63)] if dtype == torch.int64 else grid]
    pairs = list(itertools.product(grid, grid))
    return [[a for a, _ in pairs], [b for _, b in pairs]]


def encode(x):
    x = x.detach() + 0 if x._is_zerotensor() else x.detach()
    if x.dtype in (torch.bool, torch.int8, torch.int64):
        return {"dtype": str(x.dtype)[6:], "values": [str(v) for v in x.long().tolist()]}
    wide = x.to(torch.float64 if x.dtype == torch.float64 else torch.float32).numpy()
    return {"dtype": str(x.dtype)[6:], "bytes": base64.b64encode(wide.tobytes()).decode()}


def derivatives(path, args, tensors):
    tensors = [t.detach().clone().requires_grad_() for t in tensors]
    y = call(path, args, tensors)
    if not y.dtype.is_floating_point or not y.requires_grad:
        return y, [], []
    # A running sum is asked for one derivative at a time: its last element's.
    seed = torch.ones_like(y)
    first = torch.autograd.grad(y, tensors, seed, create_graph=True, allow_unused=True)
    first = [torch.zeros_like(t) if g is None else g for g, t in zip(first, tensors)]
    second = []
    for g, t in zip(first, tensors):
        if not g.requires_grad:
            second.append(torch.zeros_like(t))
            continue
        (h,) = torch.autograd.grad(g, [t], torch.ones_like(g), retain_graph=True, allow_unused=True)
        second.append(torch.zeros_like(t) if h is None else h)
    return y, first, second


def record(path, args, dtype):
    count = sum(a is None for a in args)
    scan = path in ("cumsum", "logcumsumexp", "cumprod")
    grids = [[0.5, -1.0, 2.0, 0.0, 3.0, -20.0]] if scan else points(count, dtype)
    if scan and not dtype.is_floating_point:
        return None
    tensors = [torch.tensor(g, dtype=dtype) for g in grids]
    case = {"path": path, "args": args, "dtype": str(dtype)[6:], "scan": scan}
    try:
        y = call(path, args, tensors)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        return None
    case["value"] = encode(y)
    if not dtype.is_floating_point:
        return case
    try:
        _, first, second = derivatives(path, args, tensors)
    except (RuntimeError, NotImplementedError):
        try:
            tensors = [t.detach().clone().requires_grad_() for t in tensors]
            y = call(path, args, tensors)
            first, second = torch.autograd.grad(y, tensors, torch.ones_like(y)), []
        except (RuntimeError, NotImplementedError):
            first, second = [], []
    case["first"], case["second"] = [encode(g) for g in first], [encode(g) for g in second]
    if dtype != torch.float64:
        wide = [t.detach().double() for t in tensors]
        try:
            ty, tf, ts = derivatives(path, args, wide)
            case["truth"] = {"value": encode(ty), "first": [encode(g) for g in tf], "second": [encode(g) for g in ts]}
        except (RuntimeError, NotImplementedError):
            case["truth"] = {"value": encode(call(path, args, wide)), "first": [], "second": []}
    return case


rows = []
for path, args in CASES:
    for dtype in FLOATS + INTEGERS:
        # Halves are computed in float32: a few points of functions of two tensors say the same again.
        if dtype in HALVES and sum(a is None for a in args) > 1 and not path.endswith("loss"):
            continue
        row = record(path, args, dtype)
        # JavaScript has no 1.0 beside 1, so a number of the call cannot say that integers become floats.
        whole = not dtype.is_floating_point and any(isinstance(a, float) and a.is_integer() for a in args)
        if row is not None and not whole:
            rows.append(row)
grids = {str(d)[6:]: {str(n): [[str(v) for v in g] for g in points(n, d)] for n in (1, 2)} for d in FLOATS + INTEGERS}
out = json.dumps({"grids": grids, "scan": ["0.5", "-1", "2", "0", "3", "-20"], "cases": rows})
with gzip.GzipFile("special_values.json.gz", "wb", mtime=0) as file:
    file.write(out.encode())
print(len(rows), "cases", file=sys.stderr)
