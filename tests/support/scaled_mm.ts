/**
 * `scaledMm` on any device against PyTorch's results (`tests/golden/scaled_mm.json`).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";

const F = torch.nn.functional;

interface Case {
  shape: [number, number, number];
  dtypes: [string, string, string];
  recipe: 0 | 1;
  byColumns: boolean;
  a: number[];
  b: number[];
  scaleA: number | number[][];
  scaleB: number[] | number[][];
  bias: [string, number[]] | null;
  out: number[];
}

const DTYPES: Record<string, torch.DType> = {
  float8_e4m3fn: torch.float8E4m3fn,
  float8_e5m2: torch.float8E5m2,
  bfloat16: torch.bfloat16,
  float16: torch.float16,
  float32: torch.float32,
};

/** Steps between values of a dtype, relative to their size: what another order of summation may change. */
const STEPS: Record<string, number> = { float8_e4m3fn: 0.125, bfloat16: 2 ** -7, float16: 2 ** -10, float32: 2e-6 };

/** Asserts that every recorded product agrees. */
export async function assertScaledMm(device: string): Promise<void> {
  const cases = JSON.parse(Deno.readTextFileSync(new URL("../golden/scaled_mm.json", import.meta.url))) as Case[];
  for (const { shape: [m, k, n], dtypes, recipe, byColumns, bias, out, ...o } of cases) {
    const [da, db, dtype] = dtypes.map((name) => DTYPES[name]);
    const a = torch.fromBytes(Uint8Array.from(o.a), [m, k], da, { device });
    const bt = torch.fromBytes(Uint8Array.from(o.b), [n, k], db, { device });
    const scales = [o.scaleA, o.scaleB].map((s) => torch.tensor(s, { device }));
    const y = F.scaledMm(a, byColumns ? bt.T : bt.T.contiguous(), scales[0], recipe, [scales[1]], [recipe], {
      bias: bias && torch.tensor(bias[1], { dtype: DTYPES[bias[0]], device }),
      outputDtype: dtype,
      useFastAccum: true,
    });
    assertEquals([y.dtype, y.shape], [dtype, [m, n]]);
    const values = (await (await y.float().cpu()).tolist<number[][]>()).flat();
    const largest = Math.max(...out.map(Math.abs));
    values.forEach((v, i) => {
      const allowed = STEPS[dtype.name] * Math.abs(out[i]) + 1e-5 * largest;
      assert(
        Math.abs(v - out[i]) <= allowed,
        `${m}×${k}×${n} ${dtypes} on ${device}: [${i}] is ${v}, PyTorch ${out[i]}`,
      );
    });
  }
}
