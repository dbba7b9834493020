// Fourier transforms: every way that a length can go against the sum itself, gradients of both orders, and what is refused.
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { composedTransform, transform } from "../../src/ops/linalg/fft_core.ts";

const { fft } = torch;
const float64 = { dtype: torch.float64 };

function numbers(shape: number[], dtype: torch.DType = torch.complex128): torch.Tensor {
  return torch.randn(shape, { dtype, generator: new torch.Generator().manualSeed(5) });
}

async function difference(a: torch.Tensor, b: torch.Tensor): Promise<number> {
  assertEquals(a.shape, b.shape);
  return a.numel() === 0 ? 0 : await a.sub(b).abs().max().item();
}

/** The sum that a transform is, for lines of the last dimension. */
function sums(x: torch.Tensor, inverse: boolean): torch.Tensor {
  const n = x.shape[x.ndim - 1], k = torch.arange(n);
  const angle = k.unsqueeze(1).mul(k).remainder(n).to(torch.float64).mul((inverse ? 2 : -2) * Math.PI / n);
  return x.matmul(torch.complex(angle.cos(), angle.sin()));
}

// Powers, products of small primes, primes of one pass (up to 31) and of a convolution, and long lines (in two halves).
const LENGTHS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 30, 31, 37, 49, 64, 74, 77, 97, 210, 256, 331];

for (const inverse of [false, true]) {
  Deno.test(`transforms of all lengths are the sum${inverse ? ", inverse" : ""}`, async () => {
    for (const n of LENGTHS) {
      for (const shape of [[n], [3, n], [20, n], [2, 19, n], [5, 3, n]]) {
        const x = numbers(shape), expected = sums(x, inverse);
        for (let d = 0; d < shape.length; d++) {
          const out = transform(x.movedim(-1, d).contiguous(), d, inverse, 1).movedim(d, -1);
          assert(await difference(out, expected) < 1e-12 * n, `${shape} along ${d}`);
        }
        const single = transform(x.to(torch.complex64), shape.length - 1, inverse, 1).to(torch.complex128);
        assert(await difference(single, expected) < 3e-6 * Math.sqrt(n), `${shape} in complex64`);
      }
    }
  });
}

Deno.test("long lines, which are split or convolved, are the sum, and their inverse gives them back", async () => {
  for (const [n, batch] of [[1024, 2], [1536, 1], [2310, 3], [1009, 2], [16384, 1], [24000, 9], [20014, 1]]) {
    const x = numbers([batch, n]);
    const y = fft.fft(x);
    assert(await difference(fft.ifft(y), x) < 1e-12, `${n}`);
    // A few of the numbers by the sum: the inverse of a wrong transform could be wrong in the same way.
    for (const k of [0, 1, n >> 1, n - 3]) {
      const angle = torch.arange(n).mul(k).remainder(n).to(torch.float64).mul(-2 * Math.PI / n);
      const expected = x.mul(torch.complex(angle.cos(), angle.sin())).sum(-1);
      assert(await difference(y.select(-1, k), expected) < 1e-11 * Math.sqrt(n), `${n} at ${k}`);
    }
  }
});

Deno.test("the composed form is what the kernel computes", async () => {
  for (const [shape, d] of [[[130], 0], [[3, 67], 1], [[128, 5], 0], [[2, 134, 3], 1], [[2, 1021], 1]] as const) {
    const x = numbers([...shape]);
    for (const inverse of [false, true]) {
      const [kernel, composed] = [transform(x, d, inverse, 0.5), composedTransform(x, d, inverse, 0.5)];
      assert(await difference(kernel, composed) < 1e-11, `${shape} along ${d}`);
    }
  }
});

Deno.test("norms divide by n in one direction, or by its root in both", async () => {
  const x = numbers([6]), plain = fft.fft(x);
  assert(await difference(fft.fft(x, { norm: "ortho" }).mul(Math.sqrt(6)), plain) < 1e-14);
  assert(await difference(fft.fft(x, null, -1, "forward").mul(6), plain) < 1e-14);
  for (const norm of ["backward", "ortho", "forward"] as const) {
    assert(await difference(fft.ifft(fft.fft(x, { norm }), { norm }), x) < 1e-14);
    const two = numbers([4, 6]);
    assert(await difference(fft.ifft2(fft.fft2(two, { norm }), { norm }), two) < 1e-14);
    assert(await difference(fft.irfftn(fft.rfftn(two.real, { norm }), { norm }), two.real) < 1e-14);
  }
});

Deno.test("real transforms are halves of complex ones", async () => {
  for (const n of [1, 2, 5, 8, 74]) {
    const x = numbers([3, n], torch.float64), whole = fft.fft(x);
    const half = fft.rfft(x);
    assert(await difference(half, whole.narrow(1, 0, (n >> 1) + 1)) < 1e-12);
    assert(await difference(fft.irfft(half, n), x) < 1e-13);
    assert(await difference(fft.hfft(fft.ihfft(x), n), x) < 1e-13);
    assert(await difference(fft.ihfft(x).conj(), half.div(n)) < 1e-13);
  }
  // Imaginary parts that a real signal cannot have do not matter.
  const half = numbers([4]), clean = half.clone();
  clean.imag.narrow(0, 0, 1).zero_();
  clean.imag.narrow(0, 3, 1).zero_();
  assert(await difference(fft.irfft(half), fft.irfft(clean)) < 1e-14);
});

Deno.test("lengths cut and pad, strides and dtypes do not matter", async () => {
  const x = numbers([4, 6]);
  assert(await difference(fft.fft(x, 4), fft.fft(x.narrow(1, 0, 4).clone())) < 1e-14);
  assert(await difference(fft.fft(x, 9), fft.fft(torch.cat([x, x.newZeros([4, 3])], 1))) < 1e-14);
  assert(await difference(fft.fft(x.mT, { dim: 0 }), fft.fft(x).mT) < 1e-14);
  assert(await difference(fft.fftn(x, [2, -1]), fft.fft(fft.fft(x.narrow(0, 0, 2)), { dim: 0 })) < 1e-14);
  assertEquals(fft.fftn(x, [5]).shape, [4, 5]);
  assertEquals(fft.rfft2(x.real, [3, 8]).shape, [3, 5]);
  assertEquals(fft.fft(torch.tensor([1, 2], { dtype: torch.int32 })).dtype, torch.complex64);
  assertEquals(fft.rfft(torch.tensor([true, false])).dtype, torch.complex64);
  assertEquals(fft.irfft(torch.ones([3], float64)).dtype, torch.float64);
  assertEquals(fft.fft(torch.zeros([0, 3])).shape, [0, 3]);
  assertEquals(fft.fftn(torch.tensor(2)).shape, []);
});

Deno.test("gradients of both orders are those of differences", async () => {
  const real = numbers([2, 5], torch.float64).requiresGrad_();
  const complex = numbers([2, 5]).requiresGrad_();
  const of = [
    [complex, (x: torch.Tensor) => fft.fft(x, { n: 4, norm: "ortho" })],
    [complex, (x: torch.Tensor) => fft.ifft2(x)],
    [complex, (x: torch.Tensor) => fft.irfft(x, 7)],
    [complex, (x: torch.Tensor) => fft.hfftn(x, { norm: "forward" })],
    [real, (x: torch.Tensor) => fft.fft(x)],
    [real, (x: torch.Tensor) => fft.rfft2(x)],
    [real, (x: torch.Tensor) => fft.ihfft(x, 8)],
  ] as const;
  for (const [x, f] of of) {
    assertEquals(await torch.autograd.gradcheck(f, x), true);
    assertEquals(await torch.autograd.gradgradcheck(f, x), true);
  }
});

Deno.test("frequencies and shifts", async () => {
  assertEquals(await fft.fftfreq(5).mul(5).round().tolist(), [0, 1, 2, -2, -1]);
  assertEquals(await fft.fftfreq(4, 0.5).tolist(), [0, 0.5, -1, -0.5]);
  assertEquals(await fft.rfftfreq({ n: 4, d: 2, dtype: torch.float64 }).tolist(), [0, 0.125, 0.25]);
  assertEquals(fft.fftfreq(0).shape, [0]);
  const x = torch.arange(5);
  assertEquals(await fft.fftshift(x).tolist(), [3, 4, 0, 1, 2]);
  assertEquals(await fft.ifftshift(fft.fftshift(x)).tolist(), await x.tolist());
  assertEquals(await fft.fftshift(torch.arange(6).reshape([2, 3]), 1).tolist(), [[2, 0, 1], [5, 3, 4]]);
});

Deno.test("what cannot be transformed is refused by name", () => {
  const x = torch.ones([3, 3]);
  assertThrows(() => fft.fft(x.half()), torch.DTypeError, "fft(): a tensor of float32");
  assertThrows(() => fft.rfft(torch.complex(x, x)), torch.DTypeError, "rfft(): a real tensor");
  assertThrows(() => fft.fft(torch.tensor(1)), torch.ShapeError, "0-d");
  assertThrows(() => fft.fft(x, 0), torch.ShapeError, "positive integer: 0");
  assertThrows(() => fft.fft(x, 2.5), torch.ShapeError, "positive integer");
  assertThrows(() => fft.irfft(torch.ones([1])), torch.ShapeError, "positive integer: 0");
  assertThrows(() => fft.fft(torch.zeros([0])), torch.ShapeError, "positive integer: 0");
  assertThrows(() => fft.fft(x, { norm: "none" as "ortho" }), torch.ArgumentError, "unknown norm");
  assertThrows(() => fft.fftn(x, [2], [0, 1]), torch.ShapeError, "same length");
  assertThrows(() => fft.fftn(x, { dim: [0, -2] }), torch.ShapeError, "must differ");
  assertThrows(() => fft.fftn(x, [2, 2, 2]), torch.ShapeError, "more lengths");
  assertThrows(() => fft.rfftn(torch.tensor(1)), torch.ShapeError, "at least one dimension");
  assertThrows(() => fft.fft2(torch.ones([3])), Error, "fft2()");
  assertThrows(() => fft.fftfreq(-1), torch.ArgumentError, "non-negative");
  assertThrows(() => fft.fftfreq({ n: 3, dtype: torch.int64 }), torch.DTypeError, "floating");
  assertThrows(() => fft.fftshift(x, 2), Error, "fftshift()");
});
