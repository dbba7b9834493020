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
  toString: "str(x), which template strings call",
  repr: "repr(x), the text with all that print options allow",
  toJSON: "JSON.stringify calls it",
  dispose: "gives memory back before the collector would",
  isReleased: "tells whether dispose did",
  bytes: "the elements as they lie in memory, for files; numpy().tobytes()",
  length: "len(x)",
  atMask: "x[mask]: a promise, since the size of the result depends on values",
  read: "numpy() by a name that shows the promise",
  readSync: "read() where the device can be read without waiting",
  viewAsComplex: "torch.viewAsComplex at the end of a chain",
  viewAsReal: "torch.viewAsReal at the end of a chain",
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

/** Every name of a tensor: methods, properties and the fields that it is made with. */
function members(): Set<string> {
  const { prototype } = torch.Tensor;
  const names = [...Object.getOwnPropertyNames(prototype), ...Object.getOwnPropertyNames(torch.tensor([1]))];
  return new Set(names.filter((name) => name !== "constructor"));
}

Deno.test("tensor names: PyTorch's, and our own by the list", () => {
  const others = [...members()].filter((name) => !PYTORCH.has(name));
  assertEquals(others.sort(), Object.keys(OWN).sort());
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
