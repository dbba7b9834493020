/**
 * The CUDA kernels compiled by the real NVRTC, where it is installed: all of them for each architecture, and of the hot
 * ones that nothing spills and that vectors are read and written 16 bytes at a time.
 */

import { assert, assertEquals } from "@std/assert";
import {
  bfloat16,
  bool,
  type DType,
  float16,
  float32,
  float64,
  float8E4m3fn,
  float8E5m2,
  int32,
  int64,
  int8,
  uint8,
} from "../../src/base/dtype.ts";
import { gatherSource, scatterSource } from "../../src/backend/cuda/kernels/indexing.ts";
import { bitonicSource } from "../../src/backend/cuda/kernels/order.ts";
import { scanSource } from "../../src/backend/cuda/kernels/scan.ts";
import { convSource, matmulSource } from "../../src/backend/cuda/kernels/tiles.ts";
import { cudaVector, printCuda } from "../../src/expr/cuda.ts";
import { printCudaReduce } from "../../src/expr/cuda_reduce.ts";
import { type Expr, input, linearIndex, scalar } from "../../src/expr/expr.ts";
import { kindOf } from "../../src/expr/kind.ts";
import { Program } from "../../src/expr/program.ts";
import { compileCuda, type CudaSource, inspectCuda } from "../support/nvrtc.ts";
import { handWritten } from "./sources.ts";

for (const architecture of ["sm_80", "sm_90", "sm_100"]) {
  Deno.test(`cuda: hand-written kernels compile for ${architecture}`, async () => {
    // The architectures differ in the instructions that the assembler picks, not in what the language allows.
    const sources = handWritten().filter((_, i) => architecture === "sm_80" || i % 4 === 0);
    const failures = await compileCuda(sources, architecture);
    if (failures !== null) assertEquals(failures, []);
  });
}

Deno.test("cuda: hand-written kernels but attention's, which needs the tensor cores of sm_80, compile for sm_75", async () => {
  const sources = handWritten().filter(({ code }) => !code.includes("mma.sync") && !code.includes("cp.async"));
  const failures = await compileCuda(sources.filter((_, i) => i % 4 === 1), "sm_75");
  if (failures !== null) assertEquals(failures, []);
});

/** A map that reads operands of `dtypes` and writes `out`. */
function mapOf(dtypes: readonly DType[], out: DType, f: (...xs: Expr[]) => Expr): Program {
  return new Program(dtypes, [], [{ expr: f(...dtypes.map((d, i) => input(i, d))).to(kindOf(out)), dtype: out }]);
}

/** The maps of a network, in the dtypes that tell the printed kernels apart. */
function maps(): [string, Program][] {
  const gelu = (x: Expr): Expr => x.mul(x.mul(Math.SQRT1_2).erf().add(1).mul(0.5));
  const list: [string, Program][] = [];
  for (const d of [int8, uint8, float16, bfloat16, int32, float32, int64, float64]) {
    list.push([`add ${d}`, mapOf([d, d], d, (x, y) => x.add(y))]);
  }
  list.push(["equal float64", mapOf([float64, float64], bool, (x, y) => x.eq(y))]);
  list.push(["bfloat16 to float32", mapOf([bfloat16], float32, (x) => x)]);
  list.push(["float32 to bfloat16", mapOf([float32], bfloat16, (x) => x)]);
  for (const d of [float8E4m3fn, float8E5m2]) {
    list.push([`${d} to bfloat16`, mapOf([d], bfloat16, (x) => x)], [`float32 to ${d}`, mapOf([float32], d, (x) => x)]);
  }
  list.push(["masked", mapOf([bool, float32, float32], float32, (m, x, y) => m.where(x, y))]);
  for (const d of [bfloat16, float32]) list.push([`gelu ${d}`, mapOf([d], d, gelu)]);
  list.push(["tanh gelu", mapOf([bfloat16], bfloat16, (x) => gelu(x).tanh().mul(x.exp()))]);
  const uniform = linearIndex().add(scalar(0, "i64")).philox(scalar(1, "i64")).to("f32").mul(2 ** -32);
  const drop = uniform.lt(scalar(2, "f32")).where(input(0, bfloat16), 0);
  list.push(["dropout", new Program([bfloat16], ["i64", "i64", "f32"], [{ expr: drop, dtype: bfloat16 }])]);
  list.push(["adamw", adamw()]);
  return list;
}

/** An optimizer's update: four operands in, three out. */
function adamw(): Program {
  const [p, g, m, v] = [0, 1, 2, 3].map((i) => input(i, float32)), [rate, decay] = [scalar(0, "f32"), scalar(1, "f32")];
  const first = m.add(g.sub(m).mul(0.1)), second = v.mul(0.999).add(g.mul(g).mul(0.001));
  const next = p.mul(decay).sub(first.div(second.sqrt().add(1e-8)).mul(rate));
  const outputs = [next, first, second].map((expr) => ({ expr, dtype: float32 }));
  return new Program([float32, float32, float32, float32], ["f32", "f32"], outputs);
}

/** The other hot families. */
function hot(): CudaSource[] {
  const sources: CudaSource[] = [{ name: "bitonic", code: bitonicSource() }];
  for (const [from, to] of [[float32, float32], [bfloat16, float32], [int64, int64]] as const) {
    const program = mapOf([from], to, (x) => x);
    sources.push({ name: `sum ${from}`, code: printCudaReduce(program, "sum", "fold") });
  }
  sources.push({ name: "max", code: printCudaReduce(mapOf([float32], float32, (x) => x.abs()), "max", "fold") });
  for (const d of [float32, float16]) sources.push({ name: `cumsum ${d}`, code: scanSource("sum", d, d) });
  for (const d of [float32, bfloat16]) {
    sources.push(
      { name: `gather ${d}`, code: gatherSource(d, int64) },
      { name: `scatter ${d}`, code: scatterSource("sum", d, d) },
      { name: `matmul ${d}`, code: matmulSource(d, d, d) },
      { name: `conv ${d}`, code: convSource("forward", d) },
    );
  }
  // What runs once per layer; nothing is trained in float64. Of attention, which compiles slowly, what is used most.
  const rows = handWritten().filter(({ name }) =>
    (/softmax|norm|each/i.test(name) && !/64/.test(name)) ||
    /^attention (attention|byQuery|byKey) bfloat16 (64|128)$/.test(name)
  );
  return [...sources, ...rows];
}

/** Around the subroutine of a 64-bit division a register or two are saved, which is no loop's cost. */
const AROUND_A_CALL = 16;

/** Kernels that spill, or keep arrays in memory. */
async function wasteful(sources: readonly CudaSource[], architecture: string): Promise<string[] | null> {
  const kernels = await inspectCuda(sources, architecture);
  if (kernels === null) return null;
  assert(kernels.length >= sources.length);
  return kernels.filter(({ stack, spills }) => !(spills === 0 ? stack === 0 : stack + spills / 2 <= AROUND_A_CALL)).map(
    ({ name, registers, stack, spills }) =>
      `${name}: ${registers} registers, ${stack} bytes of stack, ${spills} spilled`,
  );
}

for (const architecture of ["sm_80", "sm_90", "sm_100"]) {
  Deno.test(`cuda: no hot kernel spills registers on ${architecture}`, async () => {
    const all = [...maps().map(([name, program]) => ({ name, code: printCuda(program, "map") })), ...hot()];
    const found = await wasteful(all.filter((_, i) => architecture === "sm_90" || i % 5 === 0), architecture);
    if (found !== null) assertEquals(found, []);
  });
}

Deno.test("cuda: maps read and write 16 bytes at a time, in every dtype", async () => {
  const sources = maps().map(([name, program]) => ({ name, code: printCuda(program, "map", ["dense", "rows"]) }));
  const kernels = await inspectCuda(sources, "sm_90");
  if (kernels === null) return;
  assertEquals(kernels.length, 2 * sources.length);
  for (const [name, program] of maps()) {
    const dtypes = [...program.inputs, ...program.outputs.map((o) => o.dtype)];
    for (const entry of ["map_dense", "map_rows"]) {
      const { accesses } = kernels.find((kernel) => kernel.name === `${name} ${entry}`)!;
      // Elements of a vector, times their bytes: as many accesses of 16 bytes, or one smaller beside a wider operand.
      const wanted = dtypes.reduce((sum, d) => sum + Math.max(1, cudaVector(program) * d.itemsize / 16), 0);
      const vectors = accesses.filter((access) => /\.v[24]\./.test(access));
      const whole = dtypes.every((d) => cudaVector(program) * d.itemsize >= 16);
      assertEquals(vectors.length >= (whole ? wanted : wanted - dtypes.length), true, `${name} ${entry}: ${accesses}`);
      if (whole) {
        const bytes = (access: string) => Number(access.match(/\.v(\d)/)![1]) * Number(access.match(/(\d+)$/)![1]) / 8;
        assertEquals(vectors.map(bytes), vectors.map(() => 16), `${name} ${entry}`);
      }
    }
  }
});
