/**
 * uint16, uint32 and uint64 on any device against PyTorch: what each op gives, or that it refuses them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { position } from "./close.ts";

type Tensor = torch.Tensor;

/** A recorded tensor; whole numbers are text. */
interface Recorded {
  dtype: string;
  shape: number[];
  values: (string | number | boolean)[];
}

/** `tests/golden/unsigned.json`: per case and dtype a tensor, a list of tensors, or `null` where PyTorch raises. */
interface Golden {
  promotion: Record<string, string | null>;
  cases: Record<string, Record<string, Recorded | Recorded[] | null>>;
}

/** PyTorch's results. */
export const golden: Golden = JSON.parse(
  Deno.readTextFileSync(new URL("../golden/unsigned.json", import.meta.url)),
);

/** What a case computes of two 2×3 tensors. */
type Case = (x: Tensor, y: Tensor) => Tensor | readonly Tensor[] | Promise<Tensor | readonly Tensor[]>;

const F = torch.nn.functional;
const int = (values: readonly number[], x: Tensor) => torch.tensor(values, { dtype: torch.int64, device: x.device });
const rows = (x: Tensor) => int([1, 0], x);
const one = (x: Tensor) => int([0], x);
const zeros = (x: Tensor) => torch.zeros(1, 3, { dtype: torch.int64, device: x.device });
const mask = (x: Tensor) => torch.tensor([[true, false, true], [false, true, true]], { device: x.device });
const made = (x: Tensor) => ({ dtype: x.dtype, device: x.device });

/** Functions of the same name with the operands as they are. */
const BINARY =
  `add sub mul div floorDivide remainder fmod pow maximum minimum fmax fmin atan2 copysign gcd lcm eq ne lt le gt ge
  logicalAnd logicalOr logicalXor bitwiseAnd bitwiseOr bitwiseXor bitwiseLeftShift bitwiseRightShift xlogy heaviside floatPower
  isclose isin kron`.split(/\s+/);
const UNARY =
  `neg abs sign sgn floor ceil round trunc sqrt rsqrt reciprocal log log1p sin cos atan tanh sigmoid erf square
  positive logicalNot bitwiseNot isnan isinf isfinite isposinf isneginf signbit nanToNum real exp sinc deg2rad sum nansum prod
  amax amin max min argmax argmin any all median mode countNonzero nonzero argwhere trace tril triu msort`.split(/\s+/);
const ALONG = "cumsum cumprod cummax cummin sort argsort any all sum prod logsumexp".split(" ");

const library = torch as unknown as Record<string, (...args: unknown[]) => Tensor>;

const CASES: Record<string, Case> = {
  ...Object.fromEntries(BINARY.map((name): [string, Case] => [name, (x, y) => library[name](x, y)])),
  ...Object.fromEntries(UNARY.map((name): [string, Case] => [name, (x) => library[name](x)])),
  ...Object.fromEntries(ALONG.map((name): [string, Case] => [`${name}(0)`, (x) => library[name](x, 0)])),
  aminmax: (x) => [...x.aminmax()],
  unique: (x) => torch.unique(x) as Promise<Tensor>,
  uniqueConsecutive: (x) => torch.uniqueConsecutive(x) as Promise<Tensor>,
  "unique(all)": async (x) => [...await torch.unique(x, { returnInverse: true, returnCounts: true })] as Tensor[],
  "unique(dim)": (x) => torch.unique(x, { dim: 0 }) as Promise<Tensor>,
  "sort(descending)": (x) => [...x.sort(1, { descending: true })],
  "sum(own dtype)": (x) => x.sum({ dtype: x.dtype }),
  "prod(own dtype)": (x) => x.prod({ dtype: x.dtype }),
  "cumsum(own dtype)": (x) => x.cumsum(0, { dtype: x.dtype }),
  "sum(float32)": (x) => x.sum({ dtype: torch.float32 }),
  "mean(float32)": (x) => x.mean({ dtype: torch.float32 }),
  topk: (x) => [...x.topk(1)],
  kthvalue: (x) => [...x.kthvalue(1)],
  bincount: async (x) => await torch.bincount(torch.zerosLike(x).flatten()),
  searchsorted: (x, y) => torch.searchsorted(x.sort()[0], y),
  bucketize: (x, y) => torch.bucketize(x, y.at(0).sort()[0]),
  clamp: (x) => x.clamp(1, 3),
  clampMin: (x) => x.clampMin(2),
  clampMax: (x) => x.clampMax(3),
  relu: (x) => x.relu(),
  threshold: (x) => F.threshold(x, 2, 3),
  equal: async (x, y) => torch.tensor(await torch.equal(x, x) && !await torch.equal(x, y)),
  allclose: async (x, y) => torch.tensor(await torch.allclose(x, x) && !await torch.allclose(x, y)),
  "isclose(exact)": (x, y) => x.isclose(y, { rtol: 0, atol: 0 }),
  addcmul: (x, y) => torch.addcmul(x, x, y),
  "add number": (x) => x.add(1),
  "add(fraction) number": (x) => x.add(1.5),
  "sub number": (x) => x.sub(1),
  "rsub number": (x) => torch.sub(9, x),
  "mul number": (x) => x.mul(3),
  "mul(fraction) number": (x) => x.mul(1.5),
  "mul(negative) number": (x) => x.mul(-1),
  "mul(true) number": (x) => x.mul(true),
  "mul(complex) number": (x) => x.mul(torch.scalar([0, 2], "complex")),
  "div number": (x) => x.div(3),
  "div(floor) number": (x) => x.div(2, { roundingMode: "floor" }),
  "remainder number": (x) => x.remainder(2),
  "pow number": (x) => x.pow(2),
  "eq number": (x) => x.eq(1),
  "ne number": (x) => x.ne(1),
  "lt number": (x) => x.lt(2),
  "bitwiseAnd number": (x) => x.bitwiseAnd(3),
  "bitwiseLeftShift number": (x) => x.bitwiseLeftShift(1),
  "bitwiseRightShift number": (x) => x.bitwiseRightShift(1),
  add_: (x, y) => x.clone().add_(y),
  mul_: (x, y) => x.clone().mul_(y),
  "mul_(fraction)": (x) => x.clone().mul_(2.5),
  eq_: (x, y) => x.clone().eq_(y),
  "float.mul_": (x, y) => y.float().mul_(x),
  "int64.add_": (x) => torch.ones(2, 3, { dtype: torch.int64, device: x.device }).add_(x),
  "mul out": (x, y) => torch.mul(x, y, { out: torch.empty(2, 3, { dtype: torch.float64, device: x.device }) }),
  "mul int64": (x, y) => x.mul(y.long()),
  "mul uint8": (x, y) => x.mul(y.to(torch.uint8)),
  "mul bool": (x, y) => x.mul(y.bool()),
  "mul float32": (x, y) => x.mul(y.float()),
  "mul float16": (x) => x.mul(torch.ones(2, 3, { dtype: torch.float16, device: x.device })),
  "mul float64": (x, y) => x.mul(y.double()),
  "mul complex64": (x, y) => x.mul(y.to(torch.complex64)),
  "mul int64 0-d": (x) => x.mul(torch.tensor(3n, { device: x.device })),
  "mul bool 0-d": (x) => x.mul(torch.tensor(true, { device: x.device })),
  "mul float32 0-d": (x) => x.mul(torch.tensor(1.5, { device: x.device })),
  "int64 mul 0-d": (x) => int([3, 3], x).mul(x.at(0, 0)),
  "float32 mul 0-d": (x) => torch.full([2], 1.5, { device: x.device }).mul(x.at(0, 0)),
  "bool mul 0-d": (x) => mask(x).mul(x.at(0, 0)),
  "eq int64": (x, y) => x.eq(y.long()),
  "cat int64": (x, y) => torch.cat([x, y.long()]),
  "cat bool": (x, y) => torch.cat([x, y.bool()]),
  "cat float32": (x, y) => torch.cat([x, y.float()]),
  "where int64": (x, y) => torch.where(mask(x), x, y.long()),
  where: (x, y) => torch.where(mask(x), x, y),
  "where number": (x) => torch.where(mask(x), x, 3),
  "where fraction": (x) => torch.where(mask(x), x, 3.5),
  "where condition": (x) => torch.where(x, torch.ones(2, 3, { device: x.device }), 2.5),
  cat: (x, y) => torch.cat([x, y], 1),
  stack: (x, y) => torch.stack([x, y]),
  hstack: (x, y) => torch.hstack([x, y]),
  vstack: (x, y) => torch.vstack([x, y]),
  dstack: (x, y) => torch.dstack([x, y]),
  columnStack: (x, y) => torch.columnStack([x, y]),
  blockDiag: (x, y) => torch.blockDiag(x, y),
  cartesianProd: (x, y) => torch.cartesianProd(x.at(0), y.at(0)),
  meshgrid: (x, y) => torch.meshgrid([x.at(0), y.at(0)], { indexing: "ij" }),
  combinations: (x) => torch.combinations(x.at(0)),
  repeat: (x) => x.repeat(2, 1),
  tile: (x) => x.tile(2),
  repeatInterleave: (x) => x.repeatInterleave(2, 0) as Tensor,
  t: (x) => x.t(),
  permute: (x) => x.permute(1, 0),
  reshape: (x) => x.reshape(3, 2),
  expand: (x) => x.unsqueeze(0).expand(2, 2, 3),
  contiguous: (x) => x.t().contiguous(),
  clone: (x) => x.clone(),
  chunk: (x) => x.chunk(2),
  split: (x) => x.split(1),
  unbind: (x) => x.unbind(),
  unfold: (x) => x.unfold(1, 2, 1),
  "flip(0)": (x) => x.flip(0),
  roll: (x) => x.roll(1),
  diag: (x) => x.at(0).diag(),
  diagonal: (x) => x.diagonal(),
  diagEmbed: (x) => torch.diagEmbed(x),
  pad: (x) => F.pad(x, [1, 1]),
  "pad(circular)": (x) => F.pad(x, [1, 1], "circular"),
  "pad(reflect)": (x) => F.pad(x, [1, 1], "reflect"),
  "pad(replicate)": (x) => F.pad(x, [1, 1], "replicate"),
  selectScatter: (x, y) => torch.selectScatter(x, y.at(0), 0, 0),
  sliceScatter: (x, y) => torch.sliceScatter(x, y.narrow(0, 0, 1), 0, 0, 1),
  diagonalScatter: (x, y) => torch.diagonalScatter(x, y.at(0, torch.slice(0, 2))),
  pixelShuffle: (x) => F.pixelShuffle(x.reshape(1, 6, 1, 1).narrow(1, 0, 4), 2),
  channelShuffle: (x) => F.channelShuffle(x.reshape(1, 6, 1), 2),
  interpolate: (x) => F.interpolate(x.reshape(1, 1, 2, 3), { scaleFactor: 2 }),
  fftshift: (x) => torch.fft.fftshift(x),
  "at rows": (x) => x.at(rows(x)),
  "at slice": (x) => x.narrow(1, 1, 2),
  "at number": (x) => x.at(1, 2),
  atMask: (x) => x.atMask(mask(x)),
  indexSelect: (x) => x.indexSelect(0, rows(x)),
  embedding: (x) => F.embedding(rows(x), x),
  gather: (x) => x.gather(0, zeros(x)),
  take: (x) => x.take(rows(x)),
  takeAlongDim: (x) => torch.takeAlongDim(x, zeros(x), 0),
  maskedSelect: (x) => x.maskedSelect(mask(x)),
  maskedFill: (x) => x.maskedFill(mask(x), 3),
  maskedScatter: (x, y) => x.maskedScatter(mask(x), y),
  indexPut: (x, y) => x.indexPut([one(x)], y.at(0)),
  indexAdd: (x, y) => x.indexAdd(0, one(x), y.narrow(0, 0, 1)),
  indexCopy: (x, y) => x.indexCopy(0, one(x), y.narrow(0, 0, 1)),
  indexFill: (x) => x.indexFill(0, one(x), 3),
  scatter: (x, y) => x.scatter(0, zeros(x), y),
  scatterAdd: (x, y) => x.scatterAdd(0, zeros(x), y),
  scatterReduce: (x, y) => x.scatterReduce(0, zeros(x), y, "sum"),
  put: (x, y) => torch.put(x, one(x), y.at(0, torch.slice(0, 1))),
  "setAt number": (x) => x.clone().setAt(0, 1, 5),
  "setAt slice": (x, y) => x.clone().setAt(torch.slice(0, 1), y.narrow(0, 0, 1)),
  "setAt rows": (x) => x.clone().setAt(one(x), 5),
  "setAt mask": (x) => x.clone().setAt(mask(x), 5),
  outer: (x, y) => torch.outer(x.at(0), y.at(0)),
  dot: (x, y) => torch.dot(x.at(0), y.at(0)),
  matmul: (x, y) => x.matmul(y.t()),
  mv: (x, y) => torch.mv(x, y.at(0)),
  bmm: (x, y) => torch.bmm(x.unsqueeze(0), y.t().unsqueeze(0)),
  einsum: (x, y) => torch.einsum("ij,kj->ik", x, y),
  linear: (x, y) => F.linear(x, y),
  conv1d: (x, y) => F.conv1d(x.narrow(0, 0, 1).unsqueeze(0), y.narrow(0, 0, 1).unsqueeze(0)),
  maxPool2d: (x) => F.maxPool2d(x.reshape(1, 1, 2, 3), 2),
  zeros: (x) => torch.zeros(3, made(x)),
  ones: (x) => torch.ones(3, made(x)),
  full: (x) => torch.full([3], 7, made(x)),
  "full(-1)": (x) => torch.full([3], -1, made(x)),
  fullLike: (x) => torch.fullLike(x, 7),
  newTensor: (x) => x.newTensor([1, 2]),
  scalarTensor: (x) => torch.scalarTensor(7, made(x)),
  arange: (x) => torch.arange(5, made(x)),
  eye: (x) => torch.eye(3, made(x)),
  linspace: (x) => torch.linspace(0, 4, 5, made(x)),
  randperm: (x) => torch.randperm(3, made(x)),
  randint: (x) => torch.randint(0, 1, [3], made(x)),
  "random_(1)": (x) => x.clone().random_(1),
  "random_()": (x) => x.clone().random_(),
  fill_: (x) => x.clone().fill_(7),
  zero_: (x) => x.clone().zero_(),
  copy_: (x, y) => x.clone().copy_(y),
  "copy_(float)": (x) => torch.emptyLike(x).copy_(torch.tensor([1.5, 2, 3.75], { device: x.device })),
  ...Object.fromEntries(
    Object.keys(golden.cases).filter((name) => /^to \w+$/.test(name)).map((name): [string, Case] => {
      const dtype = Object.values(torch).find((d) =>
        d instanceof torch.DType && d.name === name.slice(3)
      ) as torch.DType;
      return [name, (x) => x.to(dtype)];
    }),
  ),
  "to float32 and back": (x) => x.double().div(4).float().to(x.dtype),
  "to float64 and back": (x) => x.double().div(2).to(x.dtype),
  "from negative": (x) => torch.tensor([-1, -1.5, -3], { device: x.device }).to(x.dtype),
  "from int64": (x) => torch.tensor([-1n, 3n, -(2n ** 63n)], { device: x.device }).to(x.dtype),
  "from int8": (x) => torch.tensor([-1, 3], { dtype: torch.int8, device: x.device }).to(x.dtype),
  "from bool": (x) => mask(x).to(x.dtype),
  "view(uint8)": (x) => x.view(torch.uint8),
};

/** The operands of `make_unsigned.py`. */
function operands(dtype: torch.DType, bits: bigint, device: string): [Tensor, Tensor] {
  const half = 2n ** (bits - 1n) + 5n, most = 2n ** bits - 1n;
  return [
    torch.tensor([[1n, half, most], [2n, 3n, half]], { dtype, device }),
    torch.tensor([[2n, half, 1n], [most, 3n, 2n]], { dtype, device }),
  ];
}

/** One value as the golden file has it, so that integers above 2^53 are compared exactly. */
function agrees(actual: unknown, expected: string | number | boolean, dtype: string): boolean {
  if (typeof expected === "boolean") return actual === expected;
  if (/int/.test(dtype)) return String(actual) === String(expected);
  const [a, b] = [Number(actual), Number(String(expected).replace("inf", "Infinity"))];
  if (Number.isNaN(b)) return Number.isNaN(a);
  if (!Number.isFinite(b) || a === b) return a === b;
  return Math.abs(a - b) <= 4e-6 * Math.max(Math.abs(b), 1e-3);
}

async function compare(what: string, actual: Tensor, expected: Recorded): Promise<void> {
  assertEquals([actual.dtype.name, actual.shape], [expected.dtype, expected.shape], what);
  const parts = actual.dtype.isComplex ? torch.viewAsReal(actual.contiguous()) : actual;
  const values = [await parts.reshape(-1).tolist()].flat() as unknown[];
  values.forEach((value, i) =>
    assert(
      agrees(value, expected.values[i], expected.dtype),
      `${what} at ${position(i, expected.shape)}: ${value}, PyTorch has ${expected.values[i]}`,
    )
  );
}

/** What a device does not compute as the CPU does, and why. */
export type Exceptions = Readonly<Record<string, string>>;

/** Asserts that every op gives PyTorch's values for a dtype, or refuses it by name. */
export async function assertUnsigned(device: string, column: string, exceptions: Exceptions = {}): Promise<void> {
  const dtype = { uint16: torch.uint16, uint32: torch.uint32 }[column] ?? torch.uint64;
  const bits = column === "small uint64" ? 16n : BigInt(dtype.itemsize * 8);
  assertEquals(Object.keys(golden.cases).filter((name) => !(name in CASES)), []);
  for (const [name, recorded] of Object.entries(golden.cases)) {
    if (name in exceptions) continue;
    await checkCase(name, recorded[column], column, operands(dtype, bits, device));
  }
}

async function checkCase(
  name: string,
  expected: Recorded | Recorded[] | null,
  column: string,
  [x, y]: readonly [Tensor, Tensor],
): Promise<void> {
  const what = `${name} of ${column}`;
  if (expected === null) {
    const error = await Promise.resolve().then(() => CASES[name](x, y)).then(() => null, (e: Error) => e);
    if (!(error instanceof torch.DTypeError)) throw new Error(`${what} is not refused: ${error}`, { cause: error });
    const op = name.startsWith("rsub")
      ? "sub"
      : / 0-d$/.test(name)
      ? "mul"
      : name.replace(/^\w+\./, "").match(/^\w+/)![0];
    assert(error.message.startsWith(`${op}(): `), `${what}: ${error.message}`);
    assert(error.message.includes("torch."), `${what}: ${error.message}`);
    return;
  }
  const actual = await Promise.resolve().then(() => CASES[name](x, y)).catch((error) => {
    throw new Error(`${what}: ${error.message}`, { cause: error });
  });
  if (Array.isArray(expected)) {
    const list = [...actual as Iterable<Tensor>];
    assertEquals(list.length, expected.length, what);
    for (let i = 0; i < list.length; i++) await compare(`${what}[${i}]`, list[i], expected[i]);
  } else await compare(what, (Array.isArray(actual) ? actual[0] : actual) as Tensor, expected);
}
