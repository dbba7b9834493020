"""Writes float8.json: per format all 256 values, and for each code the least positive float32 (its bits) that becomes it.

  python3 tests/golden/make_float8.py > tests/golden/float8.json      (PyTorch 2.13)

Rounding grows with its argument, so these bounds say what every positive float32 becomes.
"""
import json

import torch

out = {}
for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
    codes = torch.arange(256, dtype=torch.uint8)
    values = codes.view(dtype).float().tolist()
    every = torch.arange(0, 0x7F800001, 1 << 10, dtype=torch.int32)

    def code(bits):
        return int(bits.view(torch.float32).to(dtype).view(torch.uint8))

    coarse = every.view(torch.float32).to(dtype).view(torch.uint8).int()
    assert bool((coarse.diff() >= 0).all())
    bounds = []
    for wanted in sorted(set(coarse.tolist())):
        first = int((coarse >= wanted).nonzero()[0])
        low, high = (int(every[first - 1]) if first else -1), int(every[first])
        while high - low > 1:
            middle = (low + high) // 2
            if code(torch.tensor([middle], dtype=torch.int32)) >= wanted:
                high = middle
            else:
                low = middle
        bounds.append([wanted, high])
    special = [float("nan"), -float("nan"), float("inf"), -float("inf"), -0.0, -1e9, 1e300, 1.0625 + 1e-12]
    tensor = torch.tensor(special, dtype=torch.float64)
    out[str(dtype)[6:]] = {
        "values": [str(v) for v in values],
        "bounds": bounds,
        "special": [str(v) for v in special],
        "specialCodes": tensor.to(dtype).view(torch.uint8).tolist(),
        "nanSigns": torch.tensor([0x7FC00000, -0x400000], dtype=torch.int32).view(torch.float32).to(dtype).view(torch.uint8).tolist(),
        "fromHalf": torch.tensor([300.0, 65504, 2.0**-20], dtype=torch.float16).to(dtype).view(torch.uint8).tolist(),
        "fromInt": torch.tensor([17, 1000, -70000], dtype=torch.int64).to(dtype).view(torch.uint8).tolist(),
    }
print(json.dumps(out))
