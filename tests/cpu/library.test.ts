/**
 * The kernel libraries: the symbol table against the C header, the generated header, and memory that grows.
 */

import { assert, assertEquals } from "@std/assert";
import { SYMBOLS } from "../../ffi/cpu.ts";
import { declarations, dtypesHeader, opcodesHeader } from "../../native/build.ts";
import { float32 } from "../../src/base/dtype.ts";
import { loadWasm } from "../../src/backend/cpu/lib.ts";
import { CpuBackend } from "../../src/backend/cpu/mod.ts";
import { empty, get, programOf, put, testEach } from "./support.ts";

Deno.test("the symbol table and the header declare the same functions", () => {
  const native = (type: string): string => {
    if (type.includes("*")) return "buffer";
    if (type.startsWith("double")) return "f64";
    assert(type.startsWith("int32_t"), `a parameter is neither double nor int32_t: ${type}`);
    return "i32";
  };
  const declared = declarations().filter((d) => d.exported);
  assertEquals(declared.map((d) => d.name).sort(), Object.keys(SYMBOLS).sort());
  for (const d of declared) {
    const symbol = SYMBOLS[d.name as keyof typeof SYMBOLS];
    const parameters = d.parameters === "void" ? [] : d.parameters.split(",").map((p) => native(p.trim()));
    assertEquals([...symbol.parameters] as string[], parameters, d.name);
    assertEquals(symbol.result as string, native(d.result), d.name);
  }
});

Deno.test("the opcodes of the machine are those of the expression table", () => {
  const header = Deno.readTextFileSync(new URL("../../native/cpu/opcodes.gen.h", import.meta.url));
  assertEquals(header, opcodesHeader());
});

Deno.test("the dtypes of the kernels are those of the table", () => {
  const header = Deno.readTextFileSync(new URL("../../native/cpu/dtypes.gen.h", import.meta.url));
  assertEquals(header, dtypesHeader());
});

Deno.test("the WebAssembly module imports nothing", () => {
  const bytes = Deno.readFileSync(new URL("../../native/cpu/cpu.wasm", import.meta.url));
  assertEquals(WebAssembly.Module.imports(new WebAssembly.Module(bytes)), []);
});

Deno.test("views survive the growth of WebAssembly's memory", () => {
  const backend = new CpuBackend(loadWasm());
  const add = programOf([float32, float32], float32, ([a, b]) => a.add(b));
  const x = put(backend, [1, 2, 3], float32);
  for (let i = 0; i < 4; i++) {
    const large = empty(backend, [1 << 25], float32);
    const out = empty(backend, [3], float32);
    backend.pointwise(add, [3], [x, x], [], [out]);
    assertEquals(get(backend, out), [2, 4, 6]);
    assertEquals(get(backend, x), [1, 2, 3]);
    backend.free(large.storage.block);
    backend.free(out.storage.block);
    backend.emptyCache();
  }
});

testEach("bytes are written and read at offsets", (backend) => {
  const x = put(backend, [1, 2, 3, 4], float32);
  const tail = { ...x, offset: 2, shape: [2], strides: [1] };
  assertEquals(get(backend, tail), [3, 4]);
  backend.write(tail, new Uint8Array(Float32Array.of(8, 9).buffer));
  assertEquals(get(backend, x), [1, 2, 8, 9]);
  backend.free(x.storage.block);
});
