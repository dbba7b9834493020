/**
 * What the text of every kernel is made of, and the grids that fit it.
 *
 * A kernel sees a window of parameters, `p(0u)`, `p(1u)`, …, and buffers `b0`, `b1`, … of 32-bit words. One-dimensional kernels
 * have a thread per element; where there are more workgroups than a dimension may have, they are folded into a second.
 *
 * @module
 */

/** Bytes of the parameter window that a kernel sees. */
export const WINDOW = 1024;
/** The most workgroups in one dimension that every device allows. */
export const MAX_GROUPS = 65535;
/**
 * The most that the loops of a kernel may turn, all of a thread's loops together: Mesa's software adapter stops them after
 * 65,535 turns without a word.
 */
export const MAX_TRIPS = 60000;
/** Threads per workgroup of one-dimensional kernels. */
export const WORKGROUP = 256;

/**
 * The declarations that every kernel starts with: parameters and storage buffers of words.
 *
 * @param vectors whether each buffer is seen as `vec4<u32>`s instead
 */
export function prelude(buffers: number, vectors: readonly boolean[] = []): string {
  let text = `@group(0) @binding(0) var<uniform> parameters: array<vec4<u32>, ${WINDOW / 16}>;\n`;
  for (let i = 0; i < buffers; i++) {
    const type = vectors[i] ? "vec4<u32>" : "u32";
    text += `@group(0) @binding(${i + 1}) var<storage, read_write> b${i}: array<${type}>;\n`;
  }
  return text;
}

/** Replaces the shorthand `p(6u)` by `parameters[1].z`: a parameter's place is a constant for the compiler. */
export function expandParameters(code: string): string {
  return code.replace(/\bp\((\d+)u\)/g, (_, at) => `parameters[${at >> 2}].${"xyzw"[at & 3]}`);
}

/** A statement that reports the error whose number is parameter `id`, with two numbers (an index and a dimension's size). */
export function reportFault(slot: number, id: number, value: string, size: string): string {
  const b = `b${slot}`;
  return `let place = (p(${id}u) & 31u) * 4u; if (${b}[place] == 0u) { ${b}[place + 1u] = p(${id}u) >> 5u; ` +
    `${b}[place + 2u] = bitcast<u32>(${value}); ${b}[place + 3u] = ${size}; ${b}[place] = 1u; }`;
}

/** A workgroup's number `group` in a grid of {@linkcode Gpu.dispatchGrid}. */
export function gridGroup(first: number): string {
  return `  let group = part + vec3<u32>(p(${first}u), p(${first + 1}u), p(${first + 2}u));\n`;
}

/** The opening of a one-dimensional kernel: `i` is the element's number, below parameter 0. */
export const MAIN_1D = `@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = (group.y * ${MAX_GROUPS}u + group.x) * ${WORKGROUP}u + local;
  if (i >= p(0u)) { return; }
`;

/** Workgroups for `count` threads of a one-dimensional kernel. */
export function groups1d(count: number): [number, number, number] {
  const groups = Math.ceil(count / WORKGROUP);
  return groups <= MAX_GROUPS ? [groups, 1, 1] : [MAX_GROUPS, Math.ceil(groups / MAX_GROUPS), 1];
}

/** One workgroup per line. */
export function lineGroups(lines: number): [number, number, number] {
  return lines <= MAX_GROUPS ? [lines, 1, 1] : [MAX_GROUPS, Math.ceil(lines / MAX_GROUPS), 1];
}
