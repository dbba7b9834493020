/** Autocast: the dtype of every op's result is PyTorch's, casts are recorded and kept per region, and nothing stays on. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { autocasting, autocastLists } from "../../src/autograd/autocast.ts";

const F = torch.nn.functional;

/** A call and the dtypes of PyTorch's results: all arguments float32, all of the region's dtype, the first one only. */
interface Call {
  space: "torch" | "F";
  name: string;
  args: unknown[];
  kwargs: Record<string, unknown>;
  cpu: (string[] | null)[];
  cuda: (string[] | null)[];
}

const golden = JSON.parse(Deno.readTextFileSync(new URL("../golden/amp.json", import.meta.url))) as { calls: Call[] };

const camel = (name: string) => name.replace(/_+([a-z0-9])/g, (_, c: string) => c.toUpperCase());

function build(value: unknown, dtype: torch.DType, first: torch.DType[], device: string): unknown {
  if (Array.isArray(value)) return value.map((v) => build(v, dtype, first, device));
  if (typeof value !== "object" || value === null) return value;
  const marked = value as { t?: number[]; f?: number[]; i?: number[]; b?: boolean[] };
  if (marked.t) return torch.rand(marked.t, { device }).mul(0.8).add(0.1).to(first.pop() ?? dtype);
  if (marked.f) return torch.rand(marked.f, { device });
  if (marked.i) return torch.tensor(marked.i, { dtype: torch.int64, device });
  return torch.tensor(marked.b!, { device });
}

function run(call: Call, kind: string, low: torch.DType, device: "cpu" | "cuda" | "webgpu"): string[] {
  const space = (call.space === "F" ? F : torch) as unknown as Record<string, (...args: unknown[]) => unknown>;
  const fn = space[camel(call.name)];
  assert(typeof fn === "function", `${call.space}.${camel(call.name)} does not exist`);
  const first = kind === "m" ? [low] : [];
  const args = call.args.map((a) => build(a, kind === "l" ? low : torch.float32, first, device));
  const named = Object.entries(call.kwargs).map(([k, v]) => [camel(k), v === "float16" ? torch.float16 : v]);
  if (named.length > 0) args.push(Object.fromEntries(named));
  const result = torch.autocast(device, { dtype: low }, () => fn(...args));
  const list = result instanceof torch.Tensor ? [result] : Object.values(result as object);
  return list.filter((x) => x instanceof torch.Tensor).map((x) => x.dtype.name);
}

/** Rows that are not compared, each with its reason. */
const OTHERWISE: Record<string, string> = {
  "cuda index_add m": "PyTorch's fake tensors do not check what the kernel refuses: two dtypes",
  "cuda index_copy m": "the same",
};

function compare(column: "cpu" | "cuda", low: torch.DType, device: "cpu" | "cuda" | "webgpu", calls: readonly Call[]) {
  const wrong: string[] = [];
  for (const call of calls) {
    call[column].forEach((expected, i) => {
      if (expected === null) return;
      const label = `${call.space}.${call.name}(${JSON.stringify(call.args)}) ${"flm"[i]}`;
      let got: string;
      try {
        got = torch.scope(() => run(call, "flm"[i], low, device)).join();
      } catch (error) {
        got = String(error);
      }
      if (got !== expected.join() && !(`${column} ${call.name} ${"flm"[i]}` in OTHERWISE)) {
        wrong.push(`${label}: ${got}, expected ${expected}`);
      }
    });
  }
  assertEquals(wrong, []);
}

Deno.test("autocast: results have the dtypes of PyTorch's on the CPU, call by call", () => {
  compare("cpu", torch.bfloat16, "cpu", golden.calls);
});

Deno.test("autocast: and those of PyTorch's CUDA lists, which hold for GPUs", () => {
  // The lists belong to the kind of device, so the CPU can stand in for a GPU.
  autocastLists.cpu = "gpu";
  try {
    compare("cuda", torch.float16, "cpu", golden.calls);
  } finally {
    autocastLists.cpu = "cpu";
  }
});
