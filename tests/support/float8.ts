/**
 * Float8 on any device against PyTorch: every code, the bounds of every rounding, what may and what may not be done.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

/** One format of `tests/golden/float8.json`. */
interface Format {
  values: string[];
  bounds: [number, number][];
  special: string[];
  specialCodes: number[];
  fromHalf: number[];
  fromInt: number[];
}

const golden = JSON.parse(Deno.readTextFileSync(new URL("../golden/float8.json", import.meta.url))) as Record<
  string,
  Format
>;
const FORMATS = [torch.float8E4m3fn, torch.float8E5m2];

const number = (text: string) => text === "nan" || text === "-nan" ? NaN : Number(text.replace("inf", "Infinity"));

/** The codes of a float8 tensor, wherever it is. */
async function codesOf(x: torch.Tensor): Promise<number[]> {
  const here = x.device.type === "cpu" ? x : await x.cpu() as torch.Tensor;
  return Array.from(await here.view(torch.uint8).read() as Uint8Array);
}

const isNaNCode = (dtype: torch.DType, code: number) => (code & 0x7f) > (dtype === torch.float8E5m2 ? 0x7c : 0x7e);

/** Asserts that conversions agree with PyTorch bit by bit. */
export async function assertFloat8Conversions(device: string): Promise<void> {
  for (const dtype of FORMATS) {
    const { values, bounds, special, specialCodes, fromHalf, fromInt } = golden[dtype.name];
    // Every code gives its value, and comes back.
    const all = torch.fromBytes(Uint8Array.from({ length: 256 }, (_, i) => i), [256], dtype, { device });
    const wide = Array.from(await (await all.float().cpu()).read() as Float32Array);
    wide.forEach((v, i) => assert(Object.is(v, number(values[i])), `${dtype} code ${i}: ${v}, PyTorch ${values[i]}`));
    const back = await codesOf(all.float().to(dtype));
    back.forEach((code, i) =>
      assert(code === i || isNaNCode(dtype, code) && isNaNCode(dtype, i), `${dtype} code ${i}: ${code}`)
    );
    // Each code begins at its bound and not before, on both sides of zero.
    const bits = new Uint32Array(bounds.flatMap(([, bound]) => bound === 0 ? [0, 0] : [bound - 1, bound]));
    const positive = new Float32Array(bits.buffer), negative = positive.map((v) => -v);
    const expected = bounds.flatMap(([code], i) => i === 0 ? [0, 0] : [bounds[i - 1][0], code]);
    for (const [numbers, sign] of [[positive, 0], [negative, 0x80]] as const) {
      const codes = await codesOf(torch.fromData(numbers, [numbers.length], { device }).to(dtype));
      codes.forEach((code, i) => assertEquals(code, expected[i] | sign, `${dtype}: ${numbers[i]}`));
      // The host's own conversion, of numbers and of tensors that move.
      const host = await codesOf(torch.tensor(Array.from(numbers), { dtype, device }));
      assertEquals(host, codes, `${dtype} on the host`);
    }
    const numbers = special.map(number);
    const direct = torch.tensor(numbers, { dtype: torch.float32, device }).to(dtype);
    (await codesOf(direct)).forEach((code, i) => {
      const same = code === specialCodes[i] || isNaNCode(dtype, code) && Number.isNaN(numbers[i]);
      assert(same, `${dtype}: ${special[i]} gives ${code}, PyTorch ${specialCodes[i]}`);
    });
    assertEquals(
      await codesOf(torch.tensor([300, 65504, 2 ** -20], { dtype: torch.float16, device }).to(dtype)),
      fromHalf,
    );
    assertEquals(await codesOf(torch.tensor([17n, 1000n, -70000n], { device }).to(dtype)), fromInt);
  }
}

/** Asserts what float8 tensors may do on a device, and what not. */
export async function assertFloat8Use(device: string): Promise<void> {
  for (const dtype of FORMATS) {
    const other = dtype === torch.float8E4m3fn ? torch.float8E5m2 : torch.float8E4m3fn;
    const x = torch.tensor([[1, -2, 0.5], [4, 0.25, -0]], { dtype, device });
    const list = async (t: torch.Tensor) => await (await t.float().cpu()).tolist();
    assertEquals(await list(x.T.contiguous()), [[1, 4], [-2, 0.25], [0.5, -0]]);
    assertEquals(await list(torch.cat([x, x.flip(0)], 1).narrow(1, 2, 2)), [[0.5, 4], [-0, 1]]);
    assertEquals(await list(x.indexSelect(1, torch.tensor([2n, 0n], { device }))), [[0.5, 1], [-0, 4]]);
    assertEquals(await list(torch.zeros(2, { dtype, device }).fill_(3)), [3, 3]);
    assertEquals(await list(x.to(other)), [[1, -2, 0.5], [4, 0.25, -0]]);
    assertEquals(await (await x.eq(x).all().cpu()).item(), true);
    assertEquals(await (await x.to(torch.int32).cpu()).tolist(), [[1, -2, 0], [4, 0, 0]]);
    assertEquals(await list(x.mul(2)), [[2, -4, 1], [8, 0.5, -0]]);
    assertEquals(await (await x.float().sum().cpu()).item(), 3.75);
    // Casts carry gradients.
    const w = torch.tensor([0.1, 500, 3], { device }).requiresGrad_();
    w.to(dtype).float().mul(2).sum().backward();
    assertEquals(await (await w.grad!.cpu()).tolist(), [2, 2, 2]);
    assertThrows(() => x.add(x.float()), torch.DTypeError, "do not promote");
    assertThrows(() => x.add(x.to(other)), torch.DTypeError, "do not promote");
    assertThrows(() => x.matmul(x.T), torch.DTypeError, "scaledMm()");
  }
}
