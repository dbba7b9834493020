/**
 * Elementwise functions at kinks, extremes, denormal numbers, infinities and NaN: values, first and second derivatives
 * equal PyTorch's, or those of float64 mathematics where PyTorch's own dtype only rounds worse.
 *
 * `deno test -A tests/ops/special_values.test.ts -- --only REGEX` looks at some functions only.
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { DIFFERS } from "./special_value_reasons.ts";

/** Numbers of a dtype: text where they are integers, else the bytes of floats. */
interface Encoded {
  readonly dtype: string;
  readonly values?: readonly string[];
  readonly bytes?: string;
}

interface Answers {
  readonly value: Encoded;
  readonly first?: readonly Encoded[];
  readonly second?: readonly Encoded[];
}

interface Case extends Answers {
  readonly path: string;
  readonly args: readonly (number | null | Record<string, unknown>)[];
  readonly dtype: string;
  readonly scan: boolean;
  readonly truth?: Answers;
}

interface Golden {
  readonly grids: Record<string, Record<string, string[][]>>;
  readonly scan: string[];
  readonly cases: readonly Case[];
}

const file = await Deno.open(new URL("../golden/special_values.json.gz", import.meta.url));
const golden = await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).json() as Golden;
const only = new RegExp(Deno.args[Deno.args.indexOf("--only") + 1] ?? "");
const cases = golden.cases.filter((c) => !Deno.args.includes("--only") || only.test(c.path));

/** What a result may be off by, as a fraction: a few roundings of the dtype. */
const TOLERANCE: Record<string, number> = { float64: 1e-9, float32: 2e-5, float16: 4e-3, bfloat16: 3e-2 };
/** The distance from 1 to the next number. */
const EPS: Record<string, number> = { float64: 2 ** -52, float32: 2 ** -23, float16: 2 ** -10, bfloat16: 2 ** -7 };
/** The smallest normal number: below it digits are lost. */
const TINY: Record<string, number> = {
  float64: 2 ** -1022,
  float32: 2 ** -126,
  float16: 2 ** -14,
  bfloat16: 2 ** -126,
};
/** The largest number: beyond it, and close to it, one rounding decides between a number and infinity. */
const LARGEST: Record<string, number> = {
  float64: Number.MAX_VALUE,
  float32: 3.4028235e38,
  float16: 65504,
  bfloat16: 3.39e38,
};

const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

function decode({ dtype, values, bytes }: Encoded): (number | bigint)[] {
  if (values !== undefined) return values.map((v) => dtype === "int64" ? BigInt(v) : Number(v));
  const raw = Uint8Array.from(atob(bytes!), (c) => c.charCodeAt(0)).buffer;
  return [...dtype === "float64" ? new Float64Array(raw) : new Float32Array(raw)];
}

/** The points of a case, as tensors. */
function operands({ args, dtype, scan }: Case): torch.Tensor[] {
  const count = args.filter((a) => a === null).length;
  const read = (text: string) =>
    dtype === "int64" ? BigInt(text) : text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
  const grids = scan ? [golden.scan] : golden.grids[dtype][count];
  const target = (torch as unknown as Record<string, torch.DType>)[dtype];
  return grids.map((grid) => {
    const wide = torch.tensor(grid.map(read) as number[], { dtype: dtype === "int64" ? torch.int64 : torch.float64 });
    return wide.to(target);
  });
}

/** Calls the function that a path of PyTorch names. */
function apply({ path, args }: Case, tensors: readonly torch.Tensor[]): torch.Tensor {
  let at: unknown = torch;
  for (const part of path.split(".")) at = (at as Record<string, unknown>)[camel(part)];
  let next = 0;
  const values = args.map((a) =>
    a === null
      ? tensors[next++]
      : typeof a === "object"
      ? Object.fromEntries(Object.entries(a).map(([name, value]) => [camel(name), value]))
      : a
  );
  if (/margin_ranking|gaussian_nll/.test(path)) values[2] = torch.fullLike(tensors[0], values[2] as number);
  return (at as (...args: unknown[]) => torch.Tensor)(...values);
}

async function numbers(x: torch.Tensor): Promise<(number | bigint)[]> {
  return [await (/float|bool/.test(x.dtype.name) ? x.to(torch.float64) : x).tolist()].flat() as (number | bigint)[];
}

/** Whether `a` is `b`, up to roundings of the dtype, of the value or of numbers of size `scale` that it is made of. */
function near(a: number | bigint, b: number | bigint, dtype: string, scale: number): boolean {
  if (typeof a === "bigint" || typeof b === "bigint") return BigInt(a) === BigInt(b);
  if (Number.isNaN(b)) return Number.isNaN(a);
  const largest = LARGEST[dtype] ?? Infinity;
  if (Math.abs(b) >= largest * 0.99) return a === b || Math.abs(a) >= largest * 0.99 && a > 0 === b > 0;
  const fraction = (TOLERANCE[dtype] ?? 0) * Math.max(Math.abs(b), TINY[dtype] ?? 0);
  return a === b || Math.abs(a - b) <= fraction + 4 * (EPS[dtype] ?? 0) * scale;
}

/** The faults of one kind of result, a line each. */
function faults(
  kind: string,
  own: readonly (number | bigint)[],
  theirs: Encoded,
  truth: Encoded | undefined,
  tensors: readonly (readonly (number | bigint)[])[],
  values: readonly (number | bigint)[],
): string[] {
  const expected = decode(theirs), exact = truth === undefined ? [] : decode(truth);
  const out: string[] = [];
  for (let i = 0; i < expected.length; i++) {
    const point = tensors.map((t) => Number(t[i]));
    // Derivatives come from values near 1 (1 - y², 1 + erf), values from operands.
    const size = Math.max(...point.map((v) => Number.isNaN(v) ? 0 : Math.abs(v)));
    const scale = kind === "value" ? Math.min(1, size) : kind.length === 2 ? 1 : 8;
    if (near(own[i], expected[i], theirs.dtype, scale)) continue;
    if (exact.length > 0 && near(own[i], exact[i], theirs.dtype, scale)) continue;
    // Where the value is NaN and PyTorch's first derivative too, ours is NaN; beyond that nothing has a meaning there.
    // Elsewhere a NaN of PyTorch alone is 0 · ∞ in what it composes a derivative of.
    const nowhere = [...point, values[i]].some((v) => Number.isNaN(v));
    if (kind !== "value" && (nowhere ? kind.length > 2 || !Number.isNaN(expected[i]) : Number.isNaN(expected[i]))) {
      continue;
    }
    const at = tensors.map((t) => t[i]).join(", ");
    out.push(`${kind} at (${at}): ${own[i]}, expected ${expected[i]}` + (exact.length > 0 ? ` (${exact[i]})` : ""));
  }
  return out;
}

async function check(c: Case): Promise<string[]> {
  const tensors = operands(c);
  const points = await Promise.all(tensors.map(numbers));
  const value = apply(c, tensors);
  const out = value.dtype.name === c.value.dtype ? [] : [`dtype ${value.dtype.name}, expected ${c.value.dtype}`];
  const values = await numbers(value);
  out.push(...faults("value", values, c.value, c.truth?.value, points, values));
  if (!c.first?.length) return out;
  const leaves = operands(c).map((t) => t.requiresGrad_());
  const y = apply(c, leaves);
  const once = { createGraph: c.second!.length > 0, allowUnused: true };
  const first = torch.autograd.grad(y, leaves, torch.onesLike(y), once);
  for (let i = 0; i < leaves.length; i++) {
    const own = first[i] ?? torch.zerosLike(leaves[i]);
    out.push(...faults(`d${i}`, await numbers(own), c.first[i], c.truth?.first?.[i], points, values));
    if (c.second!.length === 0) continue;
    let second: torch.Tensor | null = null;
    if (own.requiresGrad) {
      [second] = torch.autograd.grad(own, [leaves[i]], torch.onesLike(own), { retainGraph: true, allowUnused: true });
    }
    const twice = await numbers(second ?? torch.zerosLike(leaves[i]));
    out.push(...faults(`d${i}d${i}`, twice, c.second![i], c.truth?.second?.[i], points, values));
  }
  return out;
}

Deno.test("special values: functions and their derivatives are PyTorch's at every point", async (t) => {
  for (const c of cases) {
    const options = c.args.filter((a) => a !== null).map((a) => JSON.stringify(a)).join(", ");
    const name = `${c.path}(${options}) ${c.dtype}`;
    await t.step(name, async () => {
      const reasons = DIFFERS.filter(([pattern]) => pattern.test(name));
      const found = await check(c);
      assertEquals(found.filter((line) => !reasons.some(([, kinds]) => kinds.test(line))), []);
    });
  }
});
