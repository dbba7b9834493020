/**
 * Buffers of real halves, two bytes an element, for kernels that know 32-bit words only.
 *
 * Every kernel is written for elements of one word, a half being the word of the float32 it rounds to. Where the adapter has
 * `shader-f16`, float16 tensors are stored as `f16`, and the text of a kernel that sees such a buffer is rewritten as it is
 * compiled: what it reads is widened to a word, what it writes is narrowed. So no kernel knows of halves, and each is right
 * with and without them; they only move half the bytes. Arithmetic is in float32 either way.
 *
 * @module
 */

import { NativeError } from "../../../base/errors.ts";
import type { Gpu, GpuBlock } from "./gpu.ts";

/** Which of the buffers hold halves, a bit each. */
export function halfMask(blocks: readonly GpuBlock[]): number {
  let mask = 0;
  for (let i = 0; i < blocks.length; i++) if (blocks[i].half) mask |= 1 << i;
  return mask;
}

/** The place of the bracket that closes the one at `open`. */
function closing(code: string, open: number): number {
  for (let at = open, depth = 0; at < code.length; at++) {
    if (code[at] === "[") depth++;
    else if (code[at] === "]" && --depth === 0) return at;
  }
  throw new NativeError(`webgpu: internal: a bracket is not closed: ${code.slice(open, open + 80)}`, -1);
}

/** Which buffers a kernel writes, a bit each: those with an assignment to `bN[…]`, or to a component of it. */
export function writtenMask(code: string): number {
  const access = /\bb(\d+)\[/g, assignment = /(\.[xyzw])?\s*[-+*\/|&^]?=(?!=)/y;
  let mask = 0;
  for (let found = access.exec(code); found !== null; found = access.exec(code)) {
    assignment.lastIndex = closing(code, access.lastIndex - 1) + 1;
    if (assignment.test(code)) mask |= 1 << Number(found[1]);
  }
  return mask;
}

/** Accesses `bN[…]` of the chosen buffers as calls, or as conversions where one component is written. */
function rewritten(code: string, mask: number): string {
  const access = /\bb(\d+)\[/g, assignment = /(\.[xyzw])?\s*=(?!=)\s*([^;]*);/y;
  let out = "", from = 0;
  for (let found = access.exec(code); found !== null; found = access.exec(code)) {
    const slot = Number(found[1]);
    if ((mask >> slot & 1) === 0) continue;
    const open = access.lastIndex - 1, end = closing(code, open);
    const index = rewritten(code.slice(open + 1, end), mask);
    assignment.lastIndex = end + 1;
    const assigned = assignment.exec(code);
    out += code.slice(from, found.index);
    from = end + 1;
    if (assigned === null) out += `load_b${slot}(${index})`;
    else {
      const [text, component, given] = assigned;
      const value = rewritten(given, mask);
      out += component === undefined
        ? `store_b${slot}(${index}, ${value});`
        : `b${slot}[${index}]${component} = f16(bitcast<f32>(${value}));`;
      from += text.length;
    }
    access.lastIndex = from;
  }
  return out + code.slice(from);
}

/** The text of a kernel for buffers of which those in `mask` hold halves. */
export function withHalves(code: string, mask: number): string {
  if (mask === 0) return code;
  let functions = "";
  const declaration = /\bb(\d+): array<(vec4<)?([uif]32)>?>;/g;
  const declared = code.replace(declaration, (text, number: string, vector: string | undefined, type: string) => {
    const slot = Number(number);
    if ((mask >> slot & 1) === 0) return text;
    const of = (element: string) => vector ? `vec4<${element}>` : element;
    functions += `fn load_b${slot}(i: u32) -> ${of(type)} { return bitcast<${of(type)}>(${of("f32")}(b${slot}[i])); }
fn store_b${slot}(i: u32, v: ${of(type)}) { b${slot}[i] = ${of("f16")}(bitcast<${of("f32")}>(v)); }
`;
    return `b${slot}: array<${of("f16")}>;`;
  });
  // The functions come last: their own accesses stay as they are.
  return `enable f16;\n${rewritten(declared, mask)}\n${functions}`;
}

/**
 * Writes halves, given as bytes, from element `offset` on. WebGPU copies whole words: what shares one with a neighbour is
 * allowed at the end only, where there is none.
 */
export function writeHalves(gpu: Gpu, block: GpuBlock, offset: number, bytes: Uint8Array): void {
  const last = 2 * offset + bytes.length === block.requested;
  if (offset % 2 !== 0 || (bytes.length % 4 !== 0 && !last)) {
    throw new NativeError(`write(): internal: ${bytes.length} bytes of halves at element ${offset} are no words`, -1);
  }
  const words = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  words.set(bytes);
  gpu.write(block, 2 * offset, words);
}

/** Reads `count` halves from element `offset` on, as bytes. */
export async function readHalves(
  gpu: Gpu,
  block: GpuBlock,
  offset: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (count === 0) return new Uint8Array(0);
  const first = Math.floor(offset / 2), end = Math.ceil((offset + count) / 2);
  const words = await gpu.read(block, 4 * first, 4 * (end - first));
  const start = 2 * (offset - 2 * first);
  return new Uint8Array(words.slice(start, start + 2 * count));
}
