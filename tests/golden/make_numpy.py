"""Writes tests/golden/numpy.json with real NumPy: files of every element type, order and version, as base64.

    python tests/golden/make_numpy.py
"""

import base64, io, json, os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def encoded(write):
    stream = io.BytesIO()
    write(stream)
    return base64.b64encode(stream.getvalue()).decode()


def main():
    out = {}
    values = np.arange(6).reshape(2, 3)
    for code in ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]:
        for order in "<>":
            x = values.astype(order + code)
            out[f"{order}{code}"] = encoded(lambda f: np.save(f, x))
    out["fortran"] = encoded(lambda f: np.save(f, np.asfortranarray(values.astype("f4"))))
    out["scalar"] = encoded(lambda f: np.save(f, np.float32(5)))
    out["empty"] = encoded(lambda f: np.save(f, np.zeros((0, 3), "f4")))
    for version in [(1, 0), (2, 0), (3, 0)]:
        out[f"version {version[0]}"] = encoded(lambda f: np.lib.format.write_array(f, values.astype("f4"), version))
    out["refused objects"] = encoded(lambda f: np.save(f, np.array([{}], dtype=object), allow_pickle=True))
    out["refused texts"] = encoded(lambda f: np.save(f, np.array(["a", "bc"])))
    out["refused records"] = encoded(lambda f: np.save(f, np.zeros(2, [("a", "f4"), ("b", "i4")])))
    out["npz"] = encoded(lambda f: np.savez(f, a=values.astype("f4"), b=np.arange(3)))
    out["npz compressed"] = encoded(lambda f: np.savez_compressed(f, a=values.astype("f4"), b=np.arange(3)))
    json.dump(out, open(os.path.join(HERE, "numpy.json"), "w"), indent=0)


if __name__ == "__main__":
    main()
