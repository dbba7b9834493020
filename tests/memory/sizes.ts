/**
 * Sizes that no memory holds, through every way that makes them: prints a line for each that is not refused at once by an
 * error of ours that names the op, or that takes long.
 *
 * @module
 */

import * as torch from "../../mod.ts";

const F = torch.nn.functional;
const one = (...shape: number[]) => torch.ones([1]).expand(shape);
const index = (...shape: number[]) => torch.zeros([1], { dtype: torch.int64 }).expand(shape);
const x = torch.ones([4]), m = torch.ones([2, 3]);
const signal = torch.ones([1, 1, 4]), image = torch.ones([1, 1, 4, 4]);
const w = torch.ones([1, 1, 3]), w2 = torch.ones([1, 1, 3, 3]);
const BIG = 2 ** 33, HUGE = 2 ** 47;

const CASES: Readonly<Record<string, () => unknown>> = {
  add: () => one(BIG, 1).add(one(1, BIG)),
  where: () => torch.where(torch.ones([1]).gt(0).expand([BIG, 1]), one(1, BIG), 0),
  addOfHuge: () => one(HUGE).add(1),
  mseLoss: () => F.mseLoss(one(BIG, 1), one(1, BIG)),
  expand: () => one(BIG, BIG),
  broadcastTo: () => x.broadcastTo([BIG, BIG, 4]),
  kron: () => one(2 ** 24).kron(one(2 ** 24)),
  outer: () => one(2 ** 27).outer(one(2 ** 27)),
  matmul: () => one(2 ** 24, 1).matmul(one(1, 2 ** 24)),
  bmm: () => one(2 ** 30, 2 ** 20, 1).bmm(one(2 ** 30, 1, 2 ** 20)),
  linear: () => F.linear(one(BIG, 3), one(BIG, 3)),
  einsum: () => torch.einsum("i,j->ij", one(2 ** 24), one(2 ** 24)),
  tensordot: () => torch.tensordot(one(2 ** 24), one(2 ** 24), 0),
  meshgrid: () => torch.meshgrid([one(BIG), one(BIG)]),
  cartesianProd: () => torch.cartesianProd(one(2 ** 24), one(2 ** 24)),
  repeat: () => x.repeat(2 ** 30, 2 ** 30),
  tile: () => x.tile([HUGE]),
  repeatInterleave: () => x.repeatInterleave(HUGE),
  oneHot: () => F.oneHot(index(2), HUGE),
  arange: () => torch.arange(HUGE),
  linspace: () => torch.linspace(0, 1, HUGE),
  eye: () => torch.eye(BIG),
  zeros: () => torch.zeros([BIG, BIG]),
  zerosOfNothing: () => torch.zeros([0, BIG, BIG]),
  full: () => torch.full([HUGE], 1),
  rand: () => torch.rand([HUGE]),
  randperm: () => torch.randperm(HUGE),
  newZeros: () => x.newZeros([HUGE]),
  padConstant: () => F.pad(x, [HUGE, 0]),
  padReplicate: () => F.pad(signal, [HUGE, 0], "replicate"),
  interpolate: () => F.interpolate(image, { size: [2 ** 30, 2 ** 30], mode: "bilinear" }),
  interpolateBy: () => F.interpolate(signal, { scaleFactor: HUGE }),
  adaptiveAvgPool2d: () => F.adaptiveAvgPool2d(image, [2 ** 30, 2 ** 30]),
  adaptiveMaxPool1d: () => F.adaptiveMaxPool1d(signal, HUGE),
  conv1d: () => F.conv1d(signal, w, null, { padding: HUGE }),
  conv2d: () => F.conv2d(image, w2, null, { padding: 2 ** 30 }),
  convTranspose1d: () => F.convTranspose1d(signal, w, null, { stride: HUGE }),
  unfold: () => F.unfold(image, 3, { padding: 2 ** 30 }),
  diagEmbed: () => torch.diagEmbed(x, HUGE),
  diagflat: () => torch.diagflat(one(2 ** 30)),
  histc: () => torch.histc(x, HUGE),
  fft: () => torch.fft.fft(x, HUGE),
  embedding: () => F.embedding(index(HUGE), m),
  indexSelect: () => m.indexSelect(0, index(HUGE)),
  gather: () => m.gather(0, index(HUGE, 3)),
  contiguous: () => one(HUGE).contiguous(),
  toComplex: () => one(HUGE).to(torch.complex64),
  cumsum: () => one(HUGE).cumsum(0),
  sort: () => one(HUGE).sort(),
  topk: () => one(HUGE).topk(HUGE / 2),
  softmax: () => one(HUGE).softmax(0),
  dropout: () => F.dropout(one(HUGE), 0.5, true),
  cat: () => torch.cat([one(HUGE), one(HUGE)]),
  blockDiag: () => torch.blockDiag(one(2 ** 30, 1), one(1, 2 ** 30)),
  Linear: () => new torch.nn.Linear(HUGE, 2 ** 10),
  affineGrid: () => F.affineGrid(torch.ones([1, 2, 3]), [1, 1, HUGE, HUGE]),
};

/** Cases of what only WebAssembly's kernels cannot count. */
const NARROW: Readonly<Record<string, () => unknown>> = {
  innerSize: () => one(1, BIG).matmul(one(BIG, 1)),
  stride: () => F.conv1d(signal, w, null, { padding: 2 ** 31, stride: 2 ** 30 }),
  window: () => F.maxPool1d(signal, BIG, { padding: BIG / 2 }),
};

const wasm = torch.info().kernels === "wasm";
for (const [name, make] of Object.entries(wasm ? { ...CASES, ...NARROW } : CASES)) {
  const start = performance.now();
  let problem: string | null = "was not refused";
  try {
    make();
  } catch (error) {
    const ours = error instanceof torch.OutOfMemoryError || error instanceof torch.ShapeError;
    problem = ours && /^\w+\(\): .*\d/.test(error.message) ? null : String(error);
  }
  const took = performance.now() - start;
  if (took > 2000) problem = `took ${took.toFixed(0)} ms`;
  if (problem !== null) console.log(`${name}: ${problem}`);
}
console.log(await x.sum().item() === 4 ? "done" : "memory was overwritten");
