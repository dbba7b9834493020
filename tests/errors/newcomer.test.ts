/**
 * What a newcomer's mistakes with tensors and gradients get; those with layers, data and devices are in
 * `newcomer_training.test.ts`.
 */

import { newcomers, torch } from "../support/newcomer.ts";

newcomers([
  ["forgot await on item(): toFixed", () => {
    const l = torch.tensor([2.]).mean();
    return l.item().toFixed(2);
  }, {
    javascript: "toFixed is not a function",
    why: "a promise has no such method, and the engine names the expression",
  }],
  ["forgot await: total += loss.item()", () => {
    let t = 0;
    t += torch.tensor([2.]).mean().item();
    return t;
  }, "ArgumentError: item(): a promise is used as if it were its value; write await ….item()"],
  [
    "if (loss.item() < 0.1)",
    () => torch.tensor(0.05).item() < 0.1,
    "ArgumentError: item(): a promise is used as if it were its value; write await ….item()",
  ],
  ["`${loss}`", () => `${torch.tensor(0.05)}`, { value: "tensor(0.0500)" }],
  ["console.log('loss', loss.item())", () => Deno.inspect(torch.tensor(1).item()), { value: "Promise { <pending> }" }],
  [
    "a + b",
    () => torch.ones(2) + torch.ones(2),
    "ArgumentError: valueOf(): a tensor has no + and no == of its own: shape [2]; use a.add(b), a.eq(b), or `${a}` for text",
  ],
  [
    "a * 2",
    () => torch.ones(2) * 2,
    "ArgumentError: valueOf(): a tensor is not a number, as *, -, < and Number() want one: shape [2]; use a.mul(b), a.neg(), a.lt(b), … or await a.item()",
  ],
  [
    "-a",
    () => -torch.ones(2),
    "ArgumentError: valueOf(): a tensor is not a number, as *, -, < and Number() want one: shape [2]; use a.mul(b), a.neg(), a.lt(b), … or await a.item()",
  ],
  [
    "a > 0 in if",
    () => torch.ones(2) > 0,
    "ArgumentError: valueOf(): a tensor is not a number, as *, -, < and Number() want one: shape [2]; use a.mul(b), a.neg(), a.lt(b), … or await a.item()",
  ],
  ["a == b", () => torch.ones(2) == torch.ones(2), {
    javascript: "false",
    why: "JavaScript compares objects by identity and asks neither of them; the lint rules are for that",
  }],
  ["if (tensor)", () => {
    if (torch.zeros(1)) return "truthy!";
  }, {
    javascript: "truthy!",
    why: "JavaScript takes every object as true and does not ask it; the lint rules are for that",
  }],
  [
    "backward twice",
    () => {
      const w = torch.randn([2], { requiresGrad: true });
      const l = w.mul(w).sum();
      l.backward();
      l.backward();
    },
    "AutogradError: backward(): the graph was freed: SumBackward0 was run before; use backward({ retainGraph: true }) the first time to run it twice",
  ],
  [
    "backward no grad",
    () => torch.randn(2).sum().backward(),
    "AutogradError: backward(): output 0 does not require grad and has no gradFn; nothing to differentiate",
  ],
  ["backward non-scalar", () => {
    const w = torch.randn([2], { requiresGrad: true });
    w.mul(2).backward();
  }, "AutogradError: backward(): a gradient can be implied only for single-element outputs: shape [2]; pass one"],
  ["in-place on a leaf", () => {
    const w = torch.randn([2], { requiresGrad: true });
    w.add_(1);
  }, "AutogradError: add_(): a leaf that requires grad is written in place; do it inside noGrad(), or on a clone()"],
  [
    "in-place saved",
    () => {
      const w = torch.randn([2], { requiresGrad: true });
      const y = w.sigmoid();
      y.add_(1);
      y.sum().backward();
    },
    "AutogradError: backward(): a tensor needed by SigmoidBackward0 was modified in place: it was made by sigmoid(), has version 1, expected 0; use the out-of-place op, or clone() before modifying",
  ],
  ["x[0]", () => torch.randn(3)[0], {
    javascript: "undefined",
    why: "only a Proxy around every tensor could see it; the compiler refuses it",
  }],
  ["x[0] = 1", () => {
    const x = torch.zeros(3);
    x[0] = 1;
    return x;
  }, {
    javascript: "tensor([0., 0., 0.])",
    why: "any object takes new fields, unless it is frozen, which would slow every op; the compiler refuses it",
  }],
  [
    "x.shape = ",
    () => {
      const x = torch.zeros(3);
      x.shape = [1, 3];
      return String(x);
    },
    "ArgumentError: shape(): a tensor's shape cannot be assigned; reshape(…) gives a tensor of another shape",
  ],
  [
    "x.dtype = ",
    () => {
      const x = torch.zeros(3);
      x.dtype = torch.int64;
      return String(x);
    },
    "ArgumentError: dtype(): a tensor's dtype cannot be assigned; to(dtype) gives a tensor of another dtype",
  ],
  ["x.length", () => torch.randn(3).length, { value: "3" }],
  ["for of tensor", () => {
    for (const r of torch.eye(2)) return r;
  }, { value: "tensor([1., 0.])" }],
  ["spread", () => [...torch.eye(2)], { value: "[ tensor([1., 0.]), tensor([0., 1.]) ]" }],
  [
    "index out of range",
    () => torch.eye(2).at(5),
    "IndexError: at(): index out of range: 5 along dimension 0 of size 2",
  ],
  ["at too many", () => torch.eye(2).at(0, 0, 0), "IndexError: at(): too many indices: 3 for a tensor of shape [2, 2]"],
  ["at string slice", () => torch.eye(2).at(":", 0), { value: "tensor([1., 0.])" }],
  ["slice helper", () => torch.eye(3).at(torch.slice(0, 2)).shape, { value: "[ 2, 3 ]" }],
  [
    "arrays rather than tensors: add",
    () => torch.ones(2).add([1, 2]),
    "ArgumentError: add(): other must be a Tensor or a number: Array; make one of it: torch.tensor(…)",
  ],
  [
    "torch.add(arr, arr)",
    () => torch.add([1, 2], [1, 2]),
    "ArgumentError: add(): input must be a Tensor or a number: Array; make one of it: torch.tensor(…)",
  ],
  [
    "torch.cat(a, b)",
    () => torch.cat(torch.ones(2), torch.ones(2)),
    "ArgumentError: cat(): tensors must be an array of Tensors: Tensor; write [a, b]",
  ],
  [
    "torch.stack([arr])",
    () => torch.stack([[1, 2]]),
    "ArgumentError: stack(): tensors[0] must be a Tensor: Array; make one of it: torch.tensor(…)",
  ],
  [
    "torch.stack ragged",
    () => torch.stack([torch.ones(2), torch.ones(3)]),
    "ShapeError: stack(): all tensors must have one shape: [2] and [3]",
  ],
  [
    "tensor ragged",
    () => torch.tensor([[1, 2], [3]]),
    "ShapeError: tensor(): nested arrays must have equal lengths at each depth: expected [2, 2]",
  ],
  [
    "tensor strings",
    () => torch.tensor(["a", "b"]),
    'ArgumentError: tensor(): cannot be made from "a"; pass numbers, nested arrays or typed arrays',
  ],
  [
    "tensor null",
    () => torch.tensor([1, null]),
    "ArgumentError: tensor(): cannot be made from null; pass numbers, nested arrays or typed arrays",
  ],
  ["tensor undefined", () => torch.tensor(undefined), 'ArgumentError: tensor(): missing argument: "data"'],
  [
    "tensor Map",
    () => torch.tensor(new Map()),
    "ArgumentError: tensor(): cannot be made from Map; pass numbers, nested arrays or typed arrays",
  ],
  [
    "dtype string",
    () => torch.ones([2], { dtype: "float32" }),
    'ArgumentError: ones(): dtype must be a dtype such as float32: "float32"',
  ],
  [
    "dtype in position",
    () => torch.ones([2], torch.float64),
    "ArgumentError: ones(): too many arguments: 2 given, at most 1 by position (size); by name in a final object: dtype, device, requiresGrad, layout, pinMemory",
  ],
  [
    "wrong option",
    () => torch.ones([2], { dytpe: torch.float64 }),
    'ArgumentError: ones(): unknown argument: "dytpe"; did you mean "dtype"? expected one of size, dtype, device, requiresGrad, layout, pinMemory',
  ],
  [
    "snake_case option",
    () => torch.ones([2], { requires_grad: true }),
    'ArgumentError: ones(): unknown argument: "requires_grad"; did you mean "requiresGrad"? expected one of size, dtype, device, requiresGrad, layout, pinMemory',
  ],
  ["snake_case method", () => torch.ones(2).zero_grad(), {
    javascript: "zero_grad is not a function",
    why:
      "a name that is not there is undefined; only a Proxy around every tensor could see it; the engine names it, the README's table the rule",
  }],
  ["torch.manual_seed", () => torch.manual_seed(1), {
    javascript: "manual_seed is not a function",
    why: "the namespace of a module is not ours to extend; the engine names it",
  }],
  [
    "reshape mismatch",
    () => torch.ones(6).reshape(4, -1),
    "ShapeError: reshape(): shape [4, -1] is invalid for 6 elements",
  ],
  ["view(-1,-1)", () => torch.ones(6).view(-1, -1), "ShapeError: view(): only one size can be inferred: [-1, -1]"],
  [
    "view noncontig",
    () => torch.ones(2, 3).t().view(6),
    "ShapeError: view(): the memory layout has no view of that shape: [3, 2] with strides [1, 3] as [6]; use reshape()",
  ],
  [
    "matmul mismatch",
    () => torch.ones(2, 3).matmul(torch.ones(2, 3)),
    "ShapeError: matmul(): inner dimensions differ: [2, 3] @ [2, 3] (3 != 2)",
  ],
  [
    "broadcast mismatch",
    () => torch.ones(2, 3).add(torch.ones(2)),
    "ShapeError: add(): shapes do not broadcast: [2, 3] and [2] (3 != 2 at dimension 1)",
  ],
  [
    "sum dim as option axis",
    () => torch.ones(2, 3).sum({ axis: 1 }),
    'ArgumentError: sum(): unknown argument: "axis"; did you mean "dim"? expected one of dim, keepdim, dtype',
  ],
  [
    "sum dim out of range",
    () => torch.ones(2, 3).sum(2),
    "IndexError: sum(): dimension out of range: 2; expected -2 to 1",
  ],
  [
    "item on many",
    () => torch.ones(3).item(),
    "ShapeError: item(): only a tensor of one element has a single value: shape [3]; use tolist()",
  ],
  [
    "Number(t)",
    () => Number(torch.tensor(3)),
    "ArgumentError: valueOf(): a tensor is not a number, as *, -, < and Number() want one: shape []; use a.mul(b), a.neg(), a.lt(b), … or await a.item()",
  ],
  ["JSON.stringify(tensor)", () => JSON.stringify(torch.ones(2)), { value: "[1,1]" }],
  ["x.numpy()", () => torch.ones(2).numpy(), { value: "Float32Array(2) [ 1, 1 ]" }],
  ["x.data", () => Deno.inspect(torch.ones(2).data), { value: "tensor([1., 1.])" }],
  ["x.T", () => torch.ones(2, 3).T.shape, { value: "[ 3, 2 ]" }],
  ["x.size", () => torch.ones(2, 3).size, { value: "[Function: size]" }],
  ["x.shape[0]", () => torch.ones(2, 3).shape[0], { value: "2" }],
  ["x.grad before backward", () => torch.ones([2], { requiresGrad: true }).grad, { value: "null" }],
  [
    "disposed",
    () => {
      const x = torch.ones(2);
      x.dispose();
      return x.add(1);
    },
    "ReleasedError: add(): the tensor was released: it was made by ones() inside a module call, scope or backward that has ended, or disposed; to keep a tensor, return it, store it in a field of the module, or pass it to keep()",
  ],
  [
    "noGrad without using",
    () => {
      const handle = torch.noGrad();
      try {
        torch.ones([1], { requiresGrad: true }).mul(2).backward();
      } finally {
        handle[Symbol.dispose]();
      }
    },
    "AutogradError: backward(): output 0 does not require grad and has no gradFn; gradients are off since a torch.noGrad() without `using`",
  ],
  ["grad mode now?", () => {
    const r = torch.isGradEnabled();
    torch.setGradEnabled(true);
    return r;
  }, { value: "true" }],
  ["randn(3,3, requiresGrad)", () => torch.randn(3, 3, { requiresGrad: true }).requiresGrad, { value: "true" }],
  ["randint(10, [3])", () => Deno.inspect(torch.randint(10, [3]).dtype), { value: "torch.int64" }],
  [
    "randint(0, 10, 3)",
    () => torch.randint(0, 10, 3),
    "ArgumentError: randint(): the size must be an array: 3; write [3]",
  ],
  ["arange(5)", () => Deno.inspect(torch.arange(5)), { value: "tensor([0, 1, 2, 3, 4])" }],
  ["ints + div", () => Deno.inspect(torch.tensor([1n, 2n]).div(2)), { value: "tensor([0.5000, 1.0000])" }],
  ["argmax().item()", async () => await torch.ones(2).argmax().item(), { value: "0" }],
  [
    "huge alloc",
    () => torch.zeros(1e6, 1e6),
    /^OutOfMemoryError: zeros\(\): .*\b4000000000000 bytes\b/,
  ],
  ["negative shape", () => torch.zeros(-1), "ShapeError: zeros(): sizes must not be negative: [-1]"],
  ["fraction shape", () => torch.zeros(2.5), "ArgumentError: zeros(): a size must be an integer: [2.5]"],
  ["NaN shape", () => torch.zeros(NaN), "ArgumentError: zeros(): a size must be an integer: [NaN]"],
  [
    "to(dtype string)",
    () => torch.ones(2).to("float64"),
    'ArgumentError: to(): a dtype is no string here: "float64"; use torch.float64',
  ],
  [
    "where bool arg",
    () => torch.where(torch.ones(2), 1, 0),
    "DTypeError: where(): the condition must be a bool tensor: torch.float32; use condition.ne(0)",
  ],
  ["masked assignment", () => torch.ones(2).set, {
    javascript: "undefined",
    why:
      "a name that is not there is undefined; only a Proxy around every tensor could see it; the compiler refuses it",
  }],
]);
