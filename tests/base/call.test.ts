/** PyTorch's calling convention: positions, names, defaults, and what is wrong with a call. */

import { assertEquals, assertThrows } from "@std/assert";
import { type Args, call, func, isPlainObject, NoArgs, spreadCall } from "../../src/base/call.ts";
import { ArgumentError } from "../../src/base/errors.ts";
import { nearestName, toCamel, toSnake } from "../../src/base/spelling.ts";

class SumArgs {
  dtype: string | null = null;
  constructor(public dim: number | null = null, public keepdim = false) {}
}
class GatherArgs extends SumArgs {
  constructor(public index: number, public place: { x: number } | null = null) {
    super();
  }
}
const sum = call("sum", SumArgs), gather = call("gather", GatherArgs);
const plain = (value: object) => ({ ...value });

Deno.test("call() takes any prefix by position and the rest by name", () => {
  const none = { dim: null, keepdim: false, dtype: null };
  assertEquals(plain(sum([])), none);
  assertEquals(plain(sum([1, true])), { ...none, dim: 1, keepdim: true });
  assertEquals(plain(sum([1, { keepdim: true }])), { ...none, dim: 1, keepdim: true });
  assertEquals(plain(sum([{ dim: 1, dtype: "x" }])), { ...none, dim: 1, dtype: "x" });
  assertEquals(plain(sum([undefined, true])), { ...none, keepdim: true });
  assertEquals(plain(sum([undefined, { dim: 2, dtype: undefined }])), { ...none, dim: 2 });
});

Deno.test("call() takes what a call of the same parameters was parsed into", () => {
  assertEquals(plain(sum([sum([3, true])])), { dim: 3, keepdim: true, dtype: null });
});

Deno.test("call() knows required parameters, inherited names and types of argument lists", () => {
  assertEquals(plain(gather([4])), { index: 4, place: null, dim: null, keepdim: false, dtype: null });
  assertEquals(gather([{ index: 5, keepdim: true }]).keepdim, true);
  assertThrows(() => gather([]), ArgumentError, 'gather(): missing argument: "index"');
  assertThrows(() => gather([undefined, null]), ArgumentError, 'gather(): missing argument: "index"');
  assertThrows(() => gather([{ keepdim: true }]), ArgumentError, 'gather(): missing argument: "index"');
  const lists: Args<typeof GatherArgs>[] = [[1], [1, null], [1, { dtype: "x" }], [{ index: 1 }]];
  assertEquals(lists.map((list) => gather(list).index), [1, 1, 1, 1]);
});

Deno.test("call() names what is wrong, and what was probably meant", () => {
  assertThrows(() => sum([1, true, 2]), ArgumentError, "sum(): too many arguments: 3 given, at most 2 by position");
  assertThrows(() => sum([{ axis: 1 }]), ArgumentError, 'sum(): unknown argument: "axis"; did you mean "dim"?');
  assertThrows(() => sum([{ keepdims: true }]), ArgumentError, 'did you mean "keepdim"?');
  assertThrows(() => sum([1, { dim: 2 }]), ArgumentError, "sum(): argument given twice: dim is 1 by position and 2");
  assertThrows(() => call("t", NoArgs)([{ dim: 1 }]), ArgumentError, "it takes no named arguments");
  assertThrows(() => call("t", NoArgs)([1]), ArgumentError, "t(): too many arguments: 1 given");
});

Deno.test("spreadCall() takes a list as an array, spread or by name", () => {
  class PermuteArgs {
    copy = false;
    constructor(public dims: readonly number[]) {}
  }
  const permute = spreadCall("permute", PermuteArgs);
  for (const args of [[2, 0, 1], [[2, 0, 1]], [{ dims: [2, 0, 1] }]]) assertEquals(permute(args).dims, [2, 0, 1]);
  assertEquals(plain(permute([1, 0, { copy: true }])), { dims: [1, 0], copy: true });
  assertEquals(permute([]).dims, []);
  assertThrows(() => permute([1.5]), ArgumentError, "permute(): dims must be an array of integers: [1.5]");
  assertThrows(() => permute(["a", 1]), ArgumentError, "permute(): dims must be an array of integers");
});

Deno.test("func() makes a function with its name", () => {
  const f = func("total", SumArgs, ({ dim, keepdim }) => [dim, keepdim]);
  assertEquals([f.name, f(1), f({ keepdim: true })], ["total", [1, false], [null, true]]);
});

Deno.test("isPlainObject() takes object literals only", () => {
  assertEquals([{}, [], new Date(), null].map(isPlainObject), [true, false, false, false]);
});

Deno.test("nearestName() knows PyTorch's spelling, other libraries' names and small mistakes", () => {
  const names = ["dim", "keepdim", "requiresGrad", "lr", "weightDecay", "kernelSize"];
  const meant = {
    requires_grad: "requiresGrad",
    axis: "dim",
    learningRate: "lr",
    kernalSize: "kernelSize",
    kedepim: "keepdim",
  };
  for (const [name, expected] of Object.entries(meant)) assertEquals(nearestName(name, names), expected, name);
  assertEquals(nearestName("colour", names), null);
  assertEquals(nearestName("x".repeat(1e6), names), null);
});

Deno.test("toSnake() and toCamel() are PyTorch's spelling and ours", () => {
  assertEquals(["weightDecay", "T_max", "_last"].map(toSnake), ["weight_decay", "T_max", "_last"]);
  assertEquals(["weight_decay", "T_max", "_last_epoch"].map(toCamel), ["weightDecay", "T_max", "_lastEpoch"]);
});
