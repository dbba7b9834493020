/**
 * What the machine can do, measured in the same run as the workloads: multiply-adds per second and bytes per second.
 *
 * Not a specification. A workload's percentage means "of what a loop with nothing else to do reached here", once for
 * WebAssembly (128-bit relaxed SIMD) and once for native code (`-march=native`), so the two are not mixed up.
 *
 * @module
 */

/** Independent accumulators: more than latency × ports of any current core. */
const ACCUMULATORS = 12;
/** Multiply-adds per accumulator in one turn of the loop. */
const UNROLL = 4;

/** LEB128, as WebAssembly writes integers. */
function leb(value: number): number[] {
  const out: number[] = [];
  do {
    const byte = value & 0x7f;
    value >>>= 7;
    out.push(value ? byte | 0x80 : byte);
  } while (value);
  return out;
}

function section(id: number, body: number[]): number[] {
  return [id, ...leb(body.length), ...body];
}

/** A module that exports `run(turns: i32) -> f32`: a loop of nothing but relaxed multiply-adds. */
function multiplyAddModule(): Uint8Array<ArrayBuffer> {
  const I32 = 0x7f, F32 = 0x7d, V128 = 0x7b, SIMD = 0xfd;
  const splat = (x: number) => [0x43, ...new Uint8Array(new Float32Array([x]).buffer), SIMD, 0x13];
  const x = 1 + ACCUMULATORS, y = x + 1;
  const code: number[] = [];
  for (let i = 0; i < ACCUMULATORS; i++) code.push(...splat(i / 8), 0x21, 1 + i);
  code.push(...splat(0.999), 0x21, x, ...splat(0.001), 0x21, y);
  code.push(0x03, 0x40);
  for (let u = 0; u < UNROLL; u++) {
    for (let i = 0; i < ACCUMULATORS; i++) {
      // acc = acc · x + y
      code.push(0x20, 1 + i, 0x20, x, 0x20, y, SIMD, ...leb(0x105), 0x21, 1 + i);
    }
  }
  code.push(0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b);
  code.push(0x20, 1);
  for (let i = 1; i < ACCUMULATORS; i++) code.push(0x20, 1 + i, SIMD, ...leb(0xe4));
  code.push(SIMD, 0x1f, 0, 0x0b);
  const body = [1, ...leb(ACCUMULATORS + 2), V128, ...code];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, I32, 1, F32]),
    ...section(3, [1, 0]),
    ...section(7, [1, 3, ...new TextEncoder().encode("run"), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}

function secondsOf(run: () => void): number {
  const start = performance.now();
  run();
  return (performance.now() - start) / 1000;
}

/** The best of a few runs: interruptions only ever make a run slower. */
function best(rounds: number, run: () => number): number {
  return Math.max(...Array.from({ length: rounds }, run));
}

/** WebAssembly multiply-adds of one core, in FLOP/s. */
export function wasmFlops(): number {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(multiplyAddModule()));
  const run = instance.exports.run as (turns: number) => number;
  const turns = 300_000;
  run(turns);
  const flops = turns * ACCUMULATORS * UNROLL * 4 * 2;
  return best(5, () => flops / secondsOf(() => run(turns)));
}

/** Native multiply-adds on `threads` cores, in FLOP/s; `null` where there is no C compiler. */
export async function nativeFlops(threads: number): Promise<number | null> {
  const folder = await Deno.makeTempDir({ prefix: "cresset-peak-" });
  try {
    const library = `${folder}/peak.so`;
    const source = new URL("peak.c", import.meta.url).pathname;
    const { success } = await new Deno.Command("cc", {
      args: ["-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", "-pthread", "-o", library, source],
      stderr: "null",
    }).output();
    if (!success) return null;
    const peak = Deno.dlopen(library, { peak_flops: { parameters: ["i32"], result: "f64" } });
    const flops = best(5, () => peak.symbols.peak_flops(threads));
    peak.close();
    return flops;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Bytes per second of copying between two arrays that move `bytes` in all, read and written. */
export function copyBandwidth(bytes: number): number {
  const from = new Float32Array(Math.max(bytes / 8, 1024)).fill(1);
  const to = new Float32Array(from.length);
  const repeats = Math.ceil(2e8 / (from.byteLength * 2));
  const once = () => {
    for (let i = 0; i < repeats; i++) to.set(from);
  };
  once();
  return best(5, () => (repeats * from.byteLength * 2) / secondsOf(once));
}
