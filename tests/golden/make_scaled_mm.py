"""Records torch.nn.functional.scaled_mm for tests/support/scaled_mm.ts: python3 make_scaled_mm.py > scaled_mm.json (PyTorch 2.13)"""
import json

import torch
import torch.nn.functional as F

torch.manual_seed(3)
T, R = F.ScalingType.TensorWise, F.ScalingType.RowWise
E4, E5 = torch.float8_e4m3fn, torch.float8_e5m2
cases = []


def case(m, k, n, da, db, recipe, out, bias=None, by_columns=True):
    a = torch.randn(m, k).to(da)
    b = torch.randn(n, k).to(db)
    rows = recipe == R
    sa = torch.rand(m, 1) + 0.5 if rows else torch.tensor(0.75)
    sb = torch.rand(1, n) + 0.5 if rows else torch.tensor([1.5])
    v = None if bias is None else torch.randn(n).to(bias)
    right = b.t() if by_columns else b.t().contiguous()
    y = F.scaled_mm(a, right, sa, recipe, sb, recipe, bias=v, output_dtype=out)
    cases.append({
        "shape": [m, k, n], "dtypes": [str(da)[6:], str(db)[6:], str(y.dtype)[6:]], "recipe": recipe.value, "byColumns": by_columns,
        "a": a.view(torch.uint8).flatten().tolist(), "b": b.view(torch.uint8).flatten().tolist(),
        "scaleA": sa.tolist(), "scaleB": sb.tolist(),
        "bias": None if v is None else [str(bias)[6:], v.tolist()], "out": y.float().flatten().tolist(),
    })


case(16, 32, 16, E4, E4, T, torch.bfloat16)
case(16, 32, 16, E4, E5, T, torch.float32)
case(16, 16, 16, E4, E4, T, torch.bfloat16, torch.bfloat16)
case(16, 16, 16, E4, E4, T, torch.float32, torch.float32)
case(16, 16, 16, E4, E4, T, E4)
case(16, 32, 16, E4, E4, R, torch.bfloat16)
case(16, 16, 16, E5, E5, T, torch.bfloat16)
case(3, 5, 7, E4, E4, T, torch.float32)
case(4, 16, 16, E4, E4, T, torch.bfloat16, None, False)
case(3, 16, 32, E5, E4, T, torch.float16)
print(json.dumps(cases))
