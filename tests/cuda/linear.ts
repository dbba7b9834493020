/**
 * Fused linear layers on CUDA, in a process of its own: `deno run -A linear.ts [library|kernels]` prints "agrees" or throws.
 * `library`: cuBLASLt is there; `kernels`: it is not.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import {
  asked,
  chainsAgree,
  chainsAutocast,
  chainsBehave,
  chainsRelease,
  largeStridesAgree,
  layoutsAgree,
  linearAgrees,
  transformersAgree,
} from "../support/fused_linear.ts";

const { nn } = torch;
const DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64];

await layoutsAgree("cuda", DTYPES);
await linearAgrees("cuda", DTYPES);
await chainsAgree("cuda", DTYPES);
await chainsBehave("cuda");

await largeStridesAgree("cuda");
chainsRelease("cuda");
await chainsAutocast("cuda");

// The double rounds nothing: what is tested is that the library takes the switches.
Object.assign(torch.backends.cuda.matmul, { allowTf32: true, allowBf16ReducedPrecisionReduction: false });
await layoutsAgree("cuda", DTYPES);
assertThrows(() => torch.setFloat32MatmulPrecision("exact" as "high"), torch.ArgumentError, '"highest", "high" or');
torch.setFloat32MatmulPrecision("highest");
assertEquals(torch.backends.cuda.matmul.allowTf32, false);

const library = Deno.args[0] === "library";
const train = (activation: torch.nn.Module, hidden: number) => () => {
  const net = new nn.Sequential(new nn.Linear(16, hidden), activation, new nn.Linear(hidden, 8)).to("cuda");
  net.call(torch.randn(8, 16).to("cuda")).backward(torch.ones([8, 8], { device: "cuda" }));
};
// Without cuBLASLt our own kernel finishes forward products; it sums nothing, so backward asks again without sums.
const gelu = asked("cuda", train(new nn.GELU("tanh"), 32));
assertEquals(gelu, { geluTanh: true, bias: true, geluTanhGrad: true, rowSums: library });
assertEquals(asked("cuda", train(new nn.ReLU(), 32)), { relu: true, bias: true, reluGrad: true, rowSums: library });
// The library's gelu is not the exact one, and its rows are whole vectors.
assertEquals(asked("cuda", train(new nn.GELU(), 32)).gelu, !library);
assertEquals(asked("cuda", train(new nn.GELU("tanh"), 30)).geluTanh, !library);
await transformersAgree("cuda");
console.log("agrees");
