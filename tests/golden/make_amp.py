"""Records what torch.autocast and torch.amp.GradScaler do, for tests/autograd/autocast.test.ts and tests/optim/grad_scaler.test.ts.

  python3 tests/golden/make_amp.py > tests/golden/amp.json      (PyTorch 2.13)

"cpu" and "cuda" hold, per call, the result dtypes for arguments that are all float32 (f), all of the region's dtype (l), and
mixed (m: the first tensor is of the region's dtype, the others float32); null where PyTorch throws. The cuda column comes
from PyTorch's own dispatcher over fake tensors, so no card is needed. {"t": shape} stands for a tensor of floats in
(0.1, 0.9), {"i": values} for int64, {"b": values} for bool.
"""
import json

import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode


def T(*shape):
    return {"t": list(shape)}


def I(*values):
    return {"i": list(values)}


M, V = T(4, 4), T(4)
CALLS = []


def call(space, names, *args, **kwargs):
    for name in names.split():
        CALLS.append([space, name, list(args), kwargs])


# Pointwise functions of one tensor.
call("torch", "abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac i0 "
     "lgamma log log10 log1p log2 logit neg rad2deg reciprocal relu round rsqrt sgn sigmoid sign sin sinc sinh sqrt square tan "
     "tanh trunc isnan isfinite nan_to_num", M)
call("F", "relu gelu silu mish elu selu celu softplus softsign tanhshrink softshrink hardtanh hardswish hardsigmoid "
     "leaky_relu relu6 logsigmoid hardshrink", M)
# Pointwise functions of several.
call("torch", "add sub mul div pow atan2 maximum minimum fmod remainder hypot copysign xlogy logaddexp eq lt", M, M)
call("torch", "pow", M, 2)
call("torch", "pow", M, 0.5)
call("torch", "pow", 2, M)
call("torch", "float_power", M, 2)
call("torch", "mul", M, 2)
call("torch", "add", M, T())
call("torch", "addcmul addcdiv", M, M, M)
call("torch", "lerp", M, M, 0.5)
call("torch", "where", {"b": [True, False, True, False]}, M, M)
call("torch", "clamp", M, 0.2, 0.8)
# Products.
call("torch", "matmul mm", M, M)
call("torch", "matmul", T(2, 3, 4), T(4, 5))
call("torch", "bmm", T(2, 3, 4), T(2, 4, 5))
call("torch", "mv", M, V)
call("torch", "dot vdot inner outer", V, V)
call("torch", "addmm", M, M, M)
call("torch", "addmv", V, M, V)
call("torch", "addr", M, V, V)
call("torch", "baddbmm", T(2, 3, 5), T(2, 3, 4), T(2, 4, 5))
call("torch", "addbmm", T(3, 5), T(2, 3, 4), T(2, 4, 5))
call("torch", "einsum", "ij,jk->ik", M, M)
call("torch", "tensordot", M, M, 1)
call("torch", "kron", M, M)
call("F", "linear", M, T(5, 4), T(5))
call("F", "linear", M, T(5, 4))
call("F", "bilinear", T(2, 3), T(2, 4), T(5, 3, 4))
for n in (1, 2, 3):
    call("F", f"conv{n}d", T(1, 2, *[5] * n), T(3, 2, *[2] * n), T(3))
    call("F", f"conv_transpose{n}d", T(1, 2, *[3] * n), T(2, 3, *[2] * n))
    call("F", f"avg_pool{n}d max_pool{n}d", T(1, 2, *[4] * n), 2)
    call("F", f"adaptive_avg_pool{n}d adaptive_max_pool{n}d", T(1, 2, *[4] * n), 2)
call("F", "conv2d", T(1, 2, 5, 5), T(3, 2, 3, 3), padding="same")
call("F", "prelu", M, T(1))
call("F", "scaled_dot_product_attention", T(1, 2, 3, 4), T(1, 2, 3, 4), T(1, 2, 3, 4))
call("F", "scaled_dot_product_attention", T(1, 2, 3, 4), T(1, 2, 3, 4), T(1, 2, 3, 4), is_causal=True)
# Reductions, scans, softmax.
call("torch", "sum mean prod std var amax amin norm nansum", M)
call("torch", "sum mean prod cumsum cumprod logcumsumexp logsumexp std var amax argmax", M, 1)
call("torch", "norm", M, 2, 1)
call("torch", "norm", M, 1)
call("torch", "sum", M, 1, dtype=torch.float16)
call("torch", "cumsum", M, 1, dtype=torch.float16)
call("torch", "median trace", M)
call("torch", "softmax log_softmax", M, 1)
call("F", "softmax log_softmax softmin", M, 1)
call("F", "softmax", M, 1, dtype=torch.float16)
call("F", "glu", M, 1)
# Normalisation.
call("F", "layer_norm rms_norm", M, [4], V)
call("F", "layer_norm rms_norm", M, [4])
call("F", "group_norm", T(2, 4, 3), 2)
call("F", "group_norm", T(2, 4, 3), 2, V, V)
call("F", "instance_norm", T(2, 4, 3))
call("F", "batch_norm", T(2, 4, 3), {"f": [4]}, {"f": [4]}, V, V)
call("F", "batch_norm", T(2, 4, 3), {"f": [4]}, {"f": [4]}, V, V, True)
call("F", "batch_norm", T(2, 4, 3), None, None, None, None, True)
call("F", "local_response_norm", T(2, 4, 3), 2)
call("F", "normalize", M)
call("F", "cosine_similarity", M, M)
# Losses.
call("F", "mse_loss l1_loss smooth_l1_loss huber_loss kl_div poisson_nll_loss binary_cross_entropy "
     "binary_cross_entropy_with_logits soft_margin_loss hinge_embedding_loss", M, M)
call("F", "gaussian_nll_loss", M, M, M)
call("F", "cross_entropy nll_loss multi_margin_loss", M, I(0, 1, 2, 3))
call("F", "cross_entropy", M, M)
call("F", "cross_entropy", M, I(0, 1, 2, 3), label_smoothing=0.1)
call("F", "multilabel_margin_loss", V, I(0, 1, -1, 0))
call("F", "multilabel_soft_margin_loss", M, M)
call("F", "margin_ranking_loss", V, V, V)
call("F", "cosine_embedding_loss", M, M, I(1, 1, -1, 1))
call("F", "triplet_margin_loss triplet_margin_with_distance_loss", M, M, M)
call("F", "ctc_loss", T(5, 1, 4), {"i": [[1, 2]]}, I(5), I(2))
# Shapes and indices.
call("torch", "cat stack", [M, M])
call("torch", "transpose", M, 0, 1)
call("torch", "index_select", M, 0, I(0, 1))
call("torch", "gather", M, 0, {"i": [[0, 1, 2, 3]]})
call("torch", "scatter_add", M, 0, {"i": [[0, 1, 2, 3]]}, T(1, 4))
call("torch", "index_add", M, 0, I(0, 1), T(2, 4))
call("torch", "index_copy", M, 0, I(0, 1), T(2, 4))
call("torch", "index_put", V, [I(0, 1)], T(2))
call("torch", "sort topk", M, 1)
call("F", "pad", M, [1, 1])
call("F", "pad", T(1, 2, 4), [1, 1], mode="reflect")
call("F", "pad", T(1, 2, 4, 4), [1, 1, 1, 1], mode="replicate")
call("F", "pad", T(1, 2, 3, 4, 4), [1, 1, 1, 1, 1, 1], mode="reflect")
call("F", "pad", T(1, 2, 4), [1, 1], mode="circular")
call("F", "embedding", I(0, 1), M)
call("F", "dropout", M, 0.0)
for mode, n in (("nearest", 1), ("nearest", 2), ("nearest-exact", 2), ("linear", 1), ("bilinear", 2), ("bicubic", 2),
                ("trilinear", 3)):
    call("F", "interpolate", T(1, 2, *[3] * n), scale_factor=2, mode=mode)
call("F", "interpolate", T(1, 2, 4, 4), size=[2, 2], mode="area")
call("F", "grid_sample", T(1, 2, 3, 3), T(1, 3, 3, 2), align_corners=False)
call("F", "unfold", T(1, 2, 4, 4), 2)
call("F", "pixel_shuffle", T(1, 4, 2, 2), 2)


def build(value, dtype, first, device):
    """The argument a marker stands for; `first` holds the dtype of the first tensor until it is used."""
    if isinstance(value, list):
        return [build(v, dtype, first, device) for v in value]
    if not isinstance(value, dict):
        return value
    if "t" in value:
        own = first.pop() if first else dtype
        return (torch.rand(value["t"], device=device) * 0.8 + 0.1).to(own)
    if "f" in value:
        return torch.rand(value["f"], device=device)
    key = "i" if "i" in value else "b"
    shape = list(torch.tensor(value[key], device="cpu").shape) if device == "cpu" else None
    if device == "cpu":
        return torch.tensor(value[key], dtype=torch.int64 if key == "i" else torch.bool)
    lists = value[key]
    shape = [len(lists)] + ([len(lists[0])] if isinstance(lists[0], list) else [])
    return torch.zeros(shape, dtype=torch.int64 if key == "i" else torch.bool, device=device)


def dtypes(result):
    if isinstance(result, torch.Tensor):
        return [str(result.dtype)[6:]]
    return [str(r.dtype)[6:] for r in result if isinstance(r, torch.Tensor)]


def outcome(entry, low, kind, device):
    space, name, args, kwargs = entry
    fn = getattr({"torch": torch, "F": F}[space], name)
    first, dtype = {"f": ([], torch.float32), "l": ([], low), "m": ([low], torch.float32)}[kind]
    try:
        given = [build(a, dtype, first, device) for a in args]
        torch.set_autocast_dtype(device, low)
        torch.set_autocast_enabled(device, True)
        return dtypes(fn(*given, **kwargs))
    except Exception:
        return None
    finally:
        torch.set_autocast_enabled(device, False)


def table(low, device):
    rows = []
    for entry in CALLS:
        rows.append([outcome(entry, low, kind, device) for kind in "flm"])
    return rows


def plain(value):
    return str(value)[6:] if isinstance(value, torch.dtype) else value


def trace(make, **options):
    """Parameters, scale and tracker after each step; the second gradient is times the coefficient."""
    p = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    q = torch.tensor([[0.5, -0.5]], requires_grad=True)
    optimizer = make([p, q])
    scaler = torch.amp.GradScaler("cpu", **options)
    rows = []
    for c in COEFFICIENTS:
        optimizer.zero_grad()
        loss = (p * torch.tensor([1, c, 2])).sum() + (q * q).sum()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        rows.append([p.tolist(), q.tolist(), scaler.get_scale(), scaler.state_dict()["_growth_tracker"]])
    return rows


INF, NAN = float("inf"), float("nan")
COEFFICIENTS = [INF, 1, INF, 2, NAN, 1, 3, 1, 1, -2, 1, 1, 1, -INF, 1, 1]
OPTIONS = {"init_scale": 8.0, "growth_interval": 3, "growth_factor": 1.5, "backoff_factor": 0.75}
OPTIMIZERS = {
    "SGD": ("SGD", {"lr": 0.1}),
    "SGD momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    "Adam": ("Adam", {"lr": 0.1}),
    "Adam amsgrad": ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}),
    "AdamW": ("AdamW", {"lr": 0.1}),
    "Adamax": ("Adamax", {"lr": 0.1}),
    "NAdam": ("NAdam", {"lr": 0.1}),
    "RAdam": ("RAdam", {"lr": 0.1}),
    "Adagrad": ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    "Adadelta": ("Adadelta", {"lr": 1.0}),
    "RMSprop": ("RMSprop", {"lr": 0.1, "momentum": 0.9, "centered": True}),
    "Rprop": ("Rprop", {"lr": 0.1}),
    "ASGD": ("ASGD", {"lr": 0.1, "t0": 2}),
}

cpu = table(torch.bfloat16, "cpu")
with FakeTensorMode():
    cuda = table(torch.float16, "cuda")
calls = [
    {"space": s, "name": n, "args": a, "kwargs": {k: plain(v) for k, v in kw.items()}, "cpu": c, "cuda": g}
    for (s, n, a, kw), c, g in zip(CALLS, cpu, cuda)
]
scaler = {
    "coefficients": [str(c) for c in COEFFICIENTS],
    "options": OPTIONS,
    "traces": [
        {"name": name, "optimizer": cls, "kwargs": kwargs,
         "rows": trace(lambda params: getattr(torch.optim, cls)(params, **kwargs), **OPTIONS)}
        for name, (cls, kwargs) in OPTIMIZERS.items()
    ],
}
lines = ",\n".join(json.dumps(c) for c in calls)
traces = ",\n".join(json.dumps(t) for t in scaler.pop("traces"))
head = json.dumps(scaler)[:-1]
print(f'{{"calls": [\n{lines}\n],\n"scaler": {head}, "traces": [\n{traces}\n]}}}}')
