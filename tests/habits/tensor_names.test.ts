/** What `Tensor` has is what PyTorch's tensors have, and what is written here with a reason. */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";

/** PyTorch's names, by tests/golden/make_tensor_names.py. */
const PYTORCH: ReadonlySet<string> = new Set(
  (await Deno.readTextFile(new URL("../golden/tensor_names.txt", import.meta.url)))
    .split("\n").filter((line) => !line.startsWith("#")).flatMap((line) => line.split(" ")),
);

/** Our own members, each with its reason. A new one needs a better reason than that a function of the name exists. */
const OWN: Readonly<Record<string, string>> = {
  at: "x[…]: JavaScript has no operators for objects",
  setAt: "x[…] = y",
  rsub: "the reflected operator, number - x",
  rdiv: "the reflected operator, number / x",
  toString: "str(x), which template strings and + call",
  repr: "repr(x), the text with all that print options allow",
  toJSON: "JSON.stringify calls it",
  dispose: "gives memory back before the collector would",
  isReleased: "tells whether dispose did",
  bytes: "the elements as they lie in memory, for files; numpy().tobytes()",
  dataSync: "data() where the device can be read without waiting",
  itemSync: "item() where the device can be read without waiting",
  tolistSync: "tolist() where the device can be read without waiting",
  emptyLike: "torch.emptyLike at the end of a chain",
  fullLike: "torch.fullLike at the end of a chain",
  onesLike: "torch.onesLike at the end of a chain",
  zerosLike: "torch.zerosLike at the end of a chain",
  strides: "stride() as an array that is not copied, for kernels' callers",
  offset: "storageOffset() as a field",
  dense: "whether the elements fill their memory, known when the tensor is made",
  meta: "what autograd keeps of the tensor",
};

/** Functions that became methods only because their family does; PyTorch's tensors have none of them. */
const BY_ACCIDENT: readonly string[] = [
  "angle_ celu celu_ combinations elu elu_ fill fmax_ fmin_ gatherFor gelu geluFormula gelu_ glu hardshrink_ hardsigmoid",
  "hardsigmoid_ hardswish hardswish_ hardtanh hardtanh_ isclose_ isfinite_ isinf_ isnan_ isneginf_ isposinf_ isreal_",
  "leakyRelu leakyRelu_ logaddexp2_ logaddexp_ logsigmoid logsigmoid_ maximum_ minimum_ mish mish_ polar polar_ rdiv_",
  "relu6 relu6_ reluFormula rrelu rsub_ searchsorted selu selu_ signbit_ silu silu_ softplus softplus_ softshrink",
  "softsign softsign_ stdMean tanhshrink tanhshrink_ threshold threshold_ unravelIndex varMean viewAsComplex viewAsReal",
  "xlog1py xlog1py_",
].flatMap((line) => line.split(" "));

/** Every name of a tensor: methods, properties and the fields that it is made with. */
function members(): Set<string> {
  const { prototype } = torch.Tensor;
  const names = [...Object.getOwnPropertyNames(prototype), ...Object.getOwnPropertyNames(torch.tensor([1]))];
  return new Set(names.filter((name) => name !== "constructor"));
}

Deno.test("tensor names: PyTorch's, and our own by the list", () => {
  const others = [...members()].filter((name) => !PYTORCH.has(name));
  assertEquals(others.sort(), [...Object.keys(OWN), ...BY_ACCIDENT].sort());
});

Deno.test("tensor names: a name of the list that PyTorch has is taken off it", () => {
  assertEquals(Object.keys(OWN).filter((name) => PYTORCH.has(name)), []);
});

Deno.test("tensor names: the list of PyTorch's names is whole", () => {
  const known = [
    "add_",
    "asStrided",
    "addcmul_",
    "log1p",
    "arctan2_",
    "clampMin_",
    "isFloatingPoint",
    "requiresGrad",
    "mT",
  ];
  assertEquals(known.filter((name) => !PYTORCH.has(name)), []);
  assertEquals(["gelu", "isnan_", "zerosLike", "at"].filter((name) => PYTORCH.has(name)), []);
});
