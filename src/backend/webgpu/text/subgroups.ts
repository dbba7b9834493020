/**
 * Values combined over the threads of a workgroup: by subgroups where the adapter has them, in workgroup memory otherwise.
 *
 * Subgroups combine without barriers and leave one value each; those few are read by every thread. Nothing is assumed of
 * their size, nor of which threads share one.
 *
 * @module
 */

import type { Gpu } from "../device/gpu.ts";

/** A value that the threads of a workgroup combine. */
export interface Combined {
  /** The variable that holds a thread's value, and afterwards the combined one. */
  readonly name: string;
  /** Its WGSL type. */
  readonly type: "f32" | "i32" | "u32" | "bool";
  /** What combines two values. */
  readonly of: (a: string, b: string) => string;
  /** The subgroup function that does so, where one does exactly that; else values are exchanged. */
  readonly builtin?: "subgroupAdd" | "subgroupMul" | "subgroupAny" | "subgroupAll" | "subgroupMax" | "subgroupMin";
}

/** The text that combines values in a kernel. */
export interface Combination {
  /** To put before the kernel: workgroup memory. */
  readonly declarations: string;
  /** More parameters of the kernel's entry point, each preceded by a comma. */
  readonly builtins: string;
  /** Statements after which every thread has the combined values; `after` says whether more may follow. */
  readonly statements: string;
}

/** `value` in a type that workgroup memory and subgroups exchange, and back. */
function carried(type: string, value: string): string {
  return type === "bool" ? `select(0u, 1u, ${value})` : value;
}
function regained(type: string, value: string): string {
  return type === "bool" ? `(${value} != 0u)` : value;
}

/** How `threads` threads combine values; `prefix` names what is declared. */
export function combination(gpu: Gpu, threads: number, prefix: string, values: readonly Combined[]): Combination {
  if (threads === 1) return { declarations: "", builtins: "", statements: "" };
  return gpu.subgroups ? bySubgroups(threads, prefix, values) : byMemory(threads, prefix, values);
}

/** More parameters of the entry point of a kernel that uses subgroups, each preceded by a comma. */
export const SUBGROUP_BUILTINS: string = ", @builtin(subgroup_id) sg_id: u32, @builtin(num_subgroups) sg_count: u32, " +
  "@builtin(subgroup_invocation_id) sg_lane: u32, @builtin(subgroup_size) sg_size: u32";

function memoryOf(prefix: string, values: readonly Combined[], size: number): string {
  return values.map(({ type }, k) =>
    `var<workgroup> ${prefix}${k}: array<${type === "bool" ? "u32" : type}, ${size}>;\n`
  ).join("");
}

function bySubgroups(threads: number, prefix: string, values: readonly Combined[]): Combination {
  const within = values.map(({ name, type, of, builtin }) => {
    if (builtin) return `  ${name} = ${builtin}(${name});\n`;
    const other = regained(type, `subgroupShuffleXor(${carried(type, name)}, d)`);
    return `  for (var d = 1u; d < min(sg_size, ${threads}u); d *= 2u) { ${name} = ${of(name, other)}; }\n`;
  });
  const put = values.map(({ name, type }, k) => ` ${prefix}${k}[sg_id] = ${carried(type, name)};`);
  const first = values.map(({ name, type }, k) => `  ${name} = ${regained(type, `${prefix}${k}[0]`)};\n`);
  const rest = values.map(({ name, type, of }, k) => ` ${name} = ${of(name, regained(type, `${prefix}${k}[s]`))};`);
  return {
    // The smallest subgroups have four threads.
    declarations: memoryOf(prefix, values, Math.ceil(threads / 4)),
    builtins: SUBGROUP_BUILTINS,
    statements: `${within.join("")}  if (sg_lane == 0u) {${put.join("")} }
  workgroupBarrier();
${first.join("")}  for (var s = 1u; s < sg_count; s++) {${rest.join("")} }
`,
  };
}

function byMemory(threads: number, prefix: string, values: readonly Combined[]): Combination {
  const put = values.map(({ name, type }, k) => `  ${prefix}${k}[local] = ${carried(type, name)};\n`);
  const step = values.map(({ type, of }, k) => {
    const at = (i: string) => regained(type, `${prefix}${k}[${i}]`);
    return `      ${prefix}${k}[local] = ${carried(type, of(at("local"), at("local + s")))};\n`;
  });
  const take = values.map(({ name, type }, k) => `  ${name} = ${regained(type, `${prefix}${k}[0]`)};\n`);
  return {
    declarations: memoryOf(prefix, values, threads),
    builtins: "",
    statements: `${put.join("")}  for (var s = ${threads / 2}u; s > 0u; s /= 2u) {
    workgroupBarrier();
    if (local < s) {
${step.join("")}    }
  }
  workgroupBarrier();
${take.join("")}`,
  };
}
