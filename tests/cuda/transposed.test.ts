/** The tiled kernel of transposed operands: when it is chosen, its tiles' banks, and what NVRTC makes of it. */

import { assertEquals } from "@std/assert";
import {
  bfloat16,
  bool,
  type DType,
  float32,
  float64,
  float8E4m3fn,
  int16,
  int64,
  uint8,
} from "../../src/base/dtype.ts";
import { tilesOf } from "../../src/backend/cuda/families/transposed.ts";
import { printCudaTiled, tilePitch } from "../../src/expr/cuda_tiled.ts";
import { type Expr, input, linearIndex } from "../../src/expr/expr.ts";
import { kindOf } from "../../src/expr/kind.ts";
import { Program } from "../../src/expr/program.ts";
import { inspectCuda } from "../support/nvrtc.ts";

/** The tiles of a map from inputs of some strides to a row-major output. */
function tiles(shape: number[], inputs: number[][], dtype: DType = float32, anyOrder = true) {
  const out = shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
  const all = [...inputs, out];
  const found = tilesOf(shape, all, all.map(() => dtype), inputs.length, anyOrder);
  return found && [found.tile, found.staged, found.shape, found.count];
}

Deno.test("cuda: tiles are taken for operands that are transposed against the output, where they are large enough", () => {
  assertEquals(tiles([100, 70], [[1, 100]]), [32, [true], [100, 70], 12]);
  assertEquals(tiles([100, 70], [[1, 100], [70, 1], [0, 1], [1, 0]]), [32, [true, false, false, false], [100, 70], 12]);
  assertEquals(tiles([100, 70], [[1, 100]], bfloat16), [64, [true], [100, 70], 4]);
  assertEquals(tiles([100, 20], [[1, 100]], bfloat16), [32, [true], [100, 20], 4]);
  // NCHW to NHWC and back.
  assertEquals(tiles([8, 49, 64], [[3136, 1, 49]]), [32, [true], [8, 49, 64], 32]);
  assertEquals(tiles([8, 64, 49], [[3136, 1, 64]]), [32, [true], [8, 64, 49], 32]);
  // The outermost dimension is the input's last: the one between becomes a batch.
  assertEquals(tiles([32, 3, 64], [[1, 2048, 32]]), [32, [true], [3, 32, 64], 6]);
  assertEquals(tiles([32, 3, 64], [[1, 2048, 32]], float32, false), null, "the index is row-major");
  // Every other element still shares sectors; every ninth does not.
  assertEquals(tiles([64, 64], [[2, 128]]), [32, [true], [64, 64], 4]);
  assertEquals(tiles([64, 64], [[9, 1024]]), null);
  assertEquals(tiles([64, 64], [[64, 1]]), null);
  assertEquals(tiles([3, 4096], [[1, 3]]), null, "three channels");
  assertEquals(tiles([20, 20], [[1, 20]]), null, "few elements");
  assertEquals(tiles([8, 6, 4, 64], [[1536, 64, 384, 1]]), null, "heads");
  const wide = [1, 2, 3, 4, 5, 6].map(() => [1, 64]);
  assertEquals(
    tiles([64, 64], wide, float64)?.[1],
    [true, true, true, true, false, false],
    "as far as the memory goes",
  );
});

Deno.test("cuda: lanes that write rows of a tile and read columns meet different banks", () => {
  for (const dtype of [uint8, int16, float32, float64]) {
    const { itemsize } = dtype;
    for (const tile of itemsize <= 2 ? [32, 64] as const : [32] as const) {
      // 8 bytes go by half warps; lanes that meet in a word are served together.
      const lanes = itemsize === 8 ? 16 : 32;
      for (let column = 0; column < tile; column++) {
        const words = new Set<number>();
        for (let lane = 0; lane < lanes; lane++) {
          const byte = (lane * tilePitch(tile, dtype) + column) * itemsize;
          for (let b = 0; b < itemsize; b += 4) words.add((byte + b) >> 2);
        }
        assertEquals(new Set([...words].map((word) => word % 32)).size, words.size, `${dtype}, tiles of ${tile}`);
      }
    }
  }
});

function programs(): [string, Program, boolean[]][] {
  const list: [string, Program, boolean[]][] = [];
  const add = (name: string, dtypes: DType[], out: DType, staged: boolean[], f: (...xs: Expr[]) => Expr) =>
    list.push([
      name,
      new Program(dtypes, [], [{ expr: f(...dtypes.map((d, i) => input(i, d))).to(kindOf(out)), dtype: out }]),
      staged,
    ]);
  for (const d of [uint8, bfloat16, float32, int64, float64]) {
    add(`copy ${d}`, [d], d, [true], (x) => x);
    add(`add ${d}`, [d, d], d, [false, true], (x, y) => x.add(y));
  }
  add("where", [bool, bfloat16, float32], float32, [true, true, false], (m, x, y) => m.where(x, y));
  add("float8", [float8E4m3fn], bfloat16, [true], (x) => x);
  add(
    "dropout",
    [float32],
    float32,
    [true],
    (x) => linearIndex().philox(7).to("f32").mul(2 ** -32).lt(0.5).where(x, 0),
  );
  add("long", [float32, float32], float32, [true, false], (x, y) => {
    for (let i = 0; i < 30; i++) y = y.mul(0.5).add(x).exp();
    return y;
  });
  return list;
}

for (const architecture of ["sm_80", "sm_90", "sm_100"]) {
  Deno.test(`cuda: tiled maps compile for ${architecture} and spill nothing`, async () => {
    const sources = programs().flatMap(([name, program, staged]) =>
      ([32, 64] as const).filter((tile) => tile === 32 || program.inputs.every((d) => d.itemsize <= 2)).map((tile) => ({
        name: `${name}, ${tile}`,
        code: printCudaTiled(program, "tiled", { tile, staged }),
      }))
    );
    const kernels = await inspectCuda(sources, architecture);
    if (kernels === null) return;
    assertEquals(kernels.length, sources.length);
    assertEquals(kernels.filter(({ stack, spills }) => stack + spills > 0), []);
  });
}
