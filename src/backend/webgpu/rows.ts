/**
 * Softmax and its gradient over rows without gaps, in one kernel each.
 *
 * The threads of a workgroup share a row (a thread takes a whole one where rows are short) and read it two or three times:
 * for the maximum, for the sum, and to write.
 *
 * @module
 */

import { helpersOf } from "../../expr/print.ts";
import { WGSL_HELPERS } from "../../expr/wgsl_prelude.ts";
import type { Strided } from "../backend.ts";
import { type Gpu, groups1d, lineGroups, MAIN_1D, MAX_GROUPS, MAX_TRIPS, prelude } from "./gpu.ts";
import { checkDtype, Operands } from "./operands.ts";

/** Rows shorter than this are a thread's work. */
const SHORT = 64;

/** A loop over the vectors of a row, with `j` the vector's place in the buffers. */
function pass(threads: number, body: string): string {
  return `  for (var j = first; j < p(1u); j += ${threads}u) {
${body}  }
`;
}

/** Statements that combine `name` over the threads of the workgroup, by `combined(a, b)`. */
function tree(threads: number, name: string, combined: (a: string, b: string) => string): string {
  if (threads === 1) return "";
  return `  shared_values[local] = ${name};
  for (var s = ${threads / 2}u; s > 0u; s /= 2u) {
    workgroupBarrier();
    if (local < s) { shared_values[local] = ${combined("shared_values[local]", "shared_values[local + s]")}; }
  }
  workgroupBarrier();
  ${name} = shared_values[0];
  workgroupBarrier();
`;
}

/** Threads per row: a software adapter runs small workgroups best, but three passes must keep within the trips allowed. */
function threadsOf(gpu: Gpu, length: number, count: number): number {
  if (length < SHORT || gpu.software && count >= 512 && 3 * length < MAX_TRIPS) return 1;
  return gpu.software && 3 * length < 16 * MAX_TRIPS ? 16 : 256;
}

/** Runs a kernel over rows: `body` gets the number of threads per row and how a vector or element is typed. */
function rows(
  gpu: Gpu,
  name: string,
  operands: readonly Strided[],
  body: (threads: number, wide: boolean) => string,
): void {
  for (const x of operands) checkDtype("softmax", x.dtype);
  const [{ shape }] = operands;
  const length = shape.length === 0 ? 1 : shape[shape.length - 1];
  const count = shape.reduce((a, b) => a * b, 1) / length;
  if (length === 0 || count === 0) return;
  const wide = length % 4 === 0 && operands.every((x) => x.offset % 4 === 0);
  const unit = wide ? 4 : 1;
  const threads = threadsOf(gpu, length, count);
  const places = new Operands([count, length / unit]);
  const slots = operands.map((x) => {
    places.push(x.offset / unit);
    return places.slot(x);
  });
  gpu.dispatch(
    `softmax ${name} ${threads} ${wide} ${slots.join("")}`,
    () => {
      const text = body(threads, wide);
      const all = places.blocks.map(() => wide);
      const type = wide ? "vec4<f32>" : "f32", bits = wide ? "vec4<u32>" : "u32";
      const opening = threads === 1
        ? `${MAIN_1D}  let first = 0u;\n`
        : `var<workgroup> shared_values: array<f32, ${threads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
  let first = local;
`;
      const access = slots.map((slot, k) =>
        `fn read${k}(i: u32, j: u32) -> ${type} { return bitcast<${type}>(b${slot}[p(${2 + k}u) + i * p(1u) + j]); }
fn write${k}(i: u32, j: u32, v: ${type}) { b${slot}[p(${2 + k}u) + i * p(1u) + j] = bitcast<${bits}>(v); }
`
      ).join("");
      const each = (f: string, v: string) =>
        wide ? `vec4<f32>(${[..."xyzw"].map((c) => `${f}(${v}.${c})`)})` : `${f}(${v})`;
      const common = `fn exps(v: ${type}) -> ${type} { return ${each("crExp", "v")}; }
fn total(v: ${type}) -> f32 { return ${wide ? "(v.x + v.y) + (v.z + v.w)" : "v"}; }
fn highest(v: ${type}) -> f32 { return ${wide ? "crMax(crMax(v.x, v.y), crMax(v.z, v.w))" : "v"}; }
`;
      const helpers = helpersOf(common + text, WGSL_HELPERS);
      return `${prelude(all.length, all)}${helpers}${access}${common}${opening}${text}}`;
    },
    places.blocks,
    places.parameters,
    threads === 1 ? groups1d(count) : lineGroups(count),
  );
}

const add = (a: string, b: string): string => `${a} + ${b}`;

/** Softmax (or its logarithm) over the last dimension. */
export function softmax(gpu: Gpu, x: Strided, log: boolean, out: Strided): void {
  rows(gpu, log ? "log" : "plain", [x, out], (threads, wide) => {
    const zero = wide ? "vec4<f32>()" : "0.0";
    return `  var top = -crInf();
${pass(threads, "      top = crMax(top, highest(read0(i, j)));\n")}${
      tree(threads, "top", (a, b) => `crMax(${a}, ${b})`)
    }
  var sums = ${zero};
${
      pass(
        threads,
        log
          ? "      sums += exps(read0(i, j) - top);\n"
          : "      let e = exps(read0(i, j) - top);\n      write1(i, j, e);\n      sums += e;\n",
      )
    }  var sum = total(sums);
${tree(threads, "sum", add)}
${
      log
        ? `  let shift = crLog(sum);\n${pass(threads, "      write1(i, j, (read0(i, j) - top) - shift);\n")}`
        : pass(threads, "      write1(i, j, read1(i, j) / sum);\n")
    }`;
  });
}

/** The gradient of {@linkcode softmax} from its output: `y (g - Σ g y)`, or `g - e^y Σ g` of the logarithm. */
export function softmaxGrad(gpu: Gpu, grad: Strided, output: Strided, log: boolean, out: Strided): void {
  rows(
    gpu,
    log ? "logGrad" : "plainGrad",
    [grad, output, out],
    (threads, wide) =>
      `  var sums = ${wide ? "vec4<f32>()" : "0.0"};
${
        pass(threads, log ? "      sums += read0(i, j);\n" : "      sums += read0(i, j) * read1(i, j);\n")
      }  var sum = total(sums);
${tree(threads, "sum", add)}
${
        pass(
          threads,
          log
            ? "      write2(i, j, read0(i, j) - exps(read1(i, j)) * sum);\n"
            : "      write2(i, j, read1(i, j) * (read0(i, j) - sum));\n",
        )
      }`,
  );
}
