"""Writes tensor_names.txt: the public names of torch.Tensor as this library spells them.

Run: python3 tests/golden/make_tensor_names.py
A name's parts are joined as in camelCase; a trailing `_` stays, and so does one between two digits.
"""

import re
from pathlib import Path

import torch


def camel(name: str) -> str:
    return re.sub(r"(?<=[A-Za-z0-9])_(?=[A-Za-z])([a-z])|(?<=[A-Za-z])_(?=[0-9])", lambda m: (m[1] or "").upper(), name)


names = sorted({camel(name) for name in [*dir(torch.Tensor), "_version"] if name == "_version" or not name.startswith("_")})
lines = [f"# Public names of torch.Tensor {torch.__version__.split('+')[0]} in camelCase, by make_tensor_names.py."]
for name in names:
    if lines[-1].startswith("#") or len(lines[-1]) + len(name) + 1 > 120:
        lines.append(name)
    else:
        lines[-1] += f" {name}"
Path(__file__).with_name("tensor_names.txt").write_text("\n".join(lines) + "\n")
