// Fourier transforms on the GPU, composed of products and maps: every way that a length can go, against the CPU.
import { assert } from "@std/assert";
import * as torch from "../../mod.ts";
import { gpuTest } from "./support.ts";

const { fft } = torch;

gpuTest("Fourier transforms of all kinds of lengths are the CPU's", async () => {
  // Products with a matrix, one and two splits, convolutions, and a prime inside a product.
  for (
    const [shape, dim] of [[[1], 0], [[3, 64], 1], [[60, 5], 0], [[2, 130], 1], [[4096], 0], [[2, 331], 1], [[202], 0]]
  ) {
    const x = torch.randn(shape as number[], { dtype: torch.complex64 }), d = dim as number;
    for (const f of [fft.fft, fft.ifft]) {
      const expected = f(x, { dim: d, norm: "ortho" });
      const actual = await f(x.to("webgpu"), { dim: d, norm: "ortho" }).cpu();
      const worst = await actual.sub(expected).abs().max().item();
      assert(worst < 1e-5, `${shape} along ${d}: ${worst}`);
    }
  }
});

gpuTest("real Fourier transforms and their gradients are the CPU's", async () => {
  const results: torch.Tensor[][] = [];
  const start = torch.randn([3, 10, 14]);
  for (const device of ["cpu", "webgpu"]) {
    const x = start.to(device).detach().requiresGrad_();
    const y = fft.irfft2(fft.rfft2(x).mul(0.5), [10, 15]);
    y.square().sum().backward();
    results.push([await y.detach().cpu(), await x.grad!.cpu()]);
  }
  for (const i of [0, 1]) assert(await results[0][i].sub(results[1][i]).abs().max().item() < 1e-5);
});
