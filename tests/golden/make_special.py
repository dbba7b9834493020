"""Writes special.json: float64 special functions at chosen points, to 17 digits, by mpmath. Run: python3 make_special.py"""

import json
import math
import random

import mpmath as mp

mp.mp.dps = 60
random.seed(1)


def points(low, high, count, log=False):
    if log:
        return [math.exp(random.uniform(math.log(low), math.log(high))) for _ in range(count)]
    return [random.uniform(low, high) for _ in range(count)]


spread = points(1e-300, 1e300, 40, True)
moderate = points(1e-8, 30, 60, True) + [0.5, 1.0, 1.5, 2.0, 3.0, 10.0]
both = moderate + [-x for x in moderate]
negative = [-x for x in points(0.01, 40, 40)]
unit = points(1e-10, 1, 40, True) + [1 - x for x in points(1e-12, 1e-1, 20, True)]

table = {
    "exp": (mp.exp, both + [700.0, -700.0, -740.0, 709.7]),
    "expm1": (mp.expm1, both + points(1e-300, 1e-8, 10, True)),
    "log": (mp.log, spread + moderate + [1 + x for x in points(1e-12, 0.3, 20, True)]),
    "log1p": (mp.log1p, moderate + [-x for x in unit if x < 1] + points(1e-300, 1e-8, 10, True)),
    "tanh": (mp.tanh, both),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-x)), both),
    "erf": (mp.erf, both),
    "erfc": (mp.erfc, [x for x in both if x < 26]),
    "erfinv": (mp.erfinv, unit + [-x for x in unit]),
    "lgamma": (lambda x: mp.log(abs(mp.gamma(x))), moderate + negative + points(30, 1e8, 10, True)),
    "digamma": (mp.digamma, moderate + negative + [1.4616321449683622, 1.46, 1.5, 1e10]),
    "trigamma": (lambda x: mp.polygamma(1, x), moderate + negative + [1e10]),
}

rows = {}
for name, (f, xs) in table.items():
    rows[name] = [[x, float(f(mp.mpf(x)))] for x in xs]
rows["zeta"] = [
    [s, q, float(mp.zeta(mp.mpf(s), mp.mpf(q)))] for s in [1.5, 2.0, 3.0, 4.0, 7.0, 12.5] for q in [0.1, 0.5, 1.0, 2.5, 9.0, 40.0]
]
with open("special.json", "w") as file:
    json.dump(rows, file, indent=0)
    file.write("\n")
