/** Limits of dtypes are PyTorch's (the figures are its own output). */

import { assertEquals, assertThrows } from "@std/assert";
import { bfloat16, complex64, float16, float32, float64, int16, int64, int8, uint8 } from "../../src/base/dtype.ts";
import { DTypeError } from "../../src/base/errors.ts";
import { finfo, iinfo } from "../../src/base/limits.ts";

Deno.test("finfo() is PyTorch's", () => {
  const row = (d: typeof float16) => {
    const f = finfo(d);
    return [f.bits, f.eps, f.max, f.min, f.smallestNormal, f.tiny, f.resolution, f.dtype];
  };
  const tiny = 1.1754943508222875e-38, huge = 3.4028234663852886e+38;
  const single = [32, 1.1920928955078125e-07, huge, -huge, tiny, tiny, 1e-6, "float32"];
  assertEquals([float16, bfloat16, float32, float64, complex64].map(row), [
    [16, 0.0009765625, 65504, -65504, 6.103515625e-05, 6.103515625e-05, 0.001, "float16"],
    [16, 0.0078125, 3.3895313892515355e+38, -3.3895313892515355e+38, tiny, tiny, 0.01, "bfloat16"],
    single,
    [64, 2 ** -52, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** -1022, 2 ** -1022, 1e-15, "float64"],
    single,
  ]);
  assertThrows(() => finfo(int64), DTypeError, "finfo(): the dtype must be floating: torch.int64");
});

Deno.test("iinfo() is PyTorch's", () => {
  const row = (d: typeof int8) => [iinfo(d).bits, iinfo(d).min, iinfo(d).max, iinfo(d).dtype];
  assertEquals([uint8, int8, int16, int64].map(row), [
    [8, 0, 255, "uint8"],
    [8, -128, 127, "int8"],
    [16, -32768, 32767, "int16"],
    [64, -(2n ** 63n), 2n ** 63n - 1n, "int64"],
  ]);
  assertThrows(() => iinfo(float32), DTypeError, "iinfo(): the dtype must be an integer one: torch.float32");
});
