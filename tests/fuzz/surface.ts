/**
 * What the fuzzer calls: every function, class, method and accessor that can be reached from mod.ts, and the choice of
 * one call of them from random numbers.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import * as vision from "../../src/vision/mod.ts";
import { FAULTS } from "./faults.ts";
import { abstractClasses, hiddenMembers } from "./hidden.ts";
import type { Random } from "./random.ts";
import { type Recipe, RECIPES } from "./recipes.ts";
import { show } from "./show.ts";
import type { Values } from "./values.ts";

// deno-lint-ignore no-explicit-any -- a function of the library, called with whatever a user may give it
type Callee = (...args: any[]) => unknown;
// deno-lint-ignore no-explicit-any -- a class of the library
type Class = new (...args: any[]) => object;

/** Something that can be called. */
interface Target {
  /** As it is shown: `nn.functional.gelu`, `Tensor.add_`, `new nn.Linear`, `nn.Linear.call`. */
  readonly name: string;
  /** Calls it on the receiver. */
  readonly invoke: (receiver: unknown, args: unknown[]) => unknown;
  /** The names of its parameters once they were asked for; empty where it has no named ones. */
  parameters?: readonly string[];
}

/** A class with what its instances can do. */
interface ClassTarget {
  readonly name: string;
  readonly type: Class;
  readonly recipe: Recipe;
  /** `new`, or `null` where users get instances from elsewhere. */
  readonly construct: Target | null;
  /** Methods and accessors of the class itself. */
  readonly own: readonly Target[];
  /** Methods and accessors of its ancestors. */
  readonly inherited: readonly Target[];
}

/** One call, ready to be made. */
export interface Call {
  /** The name of what is called. */
  readonly name: string;
  /** The call as text. */
  readonly text: string;
  /** The layer's inputs, where the call makes a layer. */
  readonly inputs: readonly (readonly number[])[] | undefined;
  /** Makes the call. */
  readonly run: () => unknown;
}

/**
 * What is left out: devices (a machine may have one, and it is not ours to disturb), networks that take seconds to
 * build, and what a scope or the machinery uses under a public object.
 */
const LEFT_OUT =
  /^(webgpu\.|openDevice$|setDefaultDevice$|vision\.models\.(?!resnet18$|BasicBlock$|Bottleneck$)|(linalg\.)?\w*Error$|DType$)|\.(geluFormula|reluFormula|gatherFor|recordStream)$/;

/** Classes whose instances come from elsewhere: constructing them is not public. */
const NOT_MADE =
  /^(Tensor|autograd\.(Node|FunctionCtx|Function)|io\.safetensors\.SafetensorsFile|nn\.Module|optim\.Optimizer|optim\.lrScheduler\.LRScheduler|utils\.data\.(Dataset|IterableDataset|Sampler)|vision\.datasets\.MNIST|vision\.transforms\.TransformBase|vision\.models\.ResNet|cuda\.\w+)$/;

const HIDDEN = hiddenMembers();
const ABSTRACT = abstractClasses();

function isClass(value: unknown): value is Class {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Methods and accessors that the object itself has, as targets. */
function members(owner: object, name: string): Target[] {
  const found: Target[] = [];
  for (const key of Object.getOwnPropertyNames(owner).sort()) {
    if (/^(constructor|length|name|prototype|_.*)$/.test(key) || LEFT_OUT.test(`${name}.${key}`)) continue;
    if (HIDDEN.has(`${owner.constructor?.name}.${key}`)) continue;
    const { value, get, set } = Object.getOwnPropertyDescriptor(owner, key)!;
    if (typeof value === "function") {
      found.push({ name: `${name}.${key}`, invoke: (receiver, args) => (value as Callee).apply(receiver, args) });
    }
    if (get) found.push({ name: `${name}.${key} (read)`, invoke: (receiver) => get.call(receiver) });
    if (set) found.push({ name: `${name}.${key} (set)`, invoke: (receiver, args) => set.call(receiver, args[0]) });
  }
  return found;
}

function classTarget(name: string, type: Class): ClassTarget {
  const inherited: Target[] = [];
  let ancestor = Object.getPrototypeOf(type.prototype);
  while (ancestor && ancestor !== Object.prototype && ancestor !== torch.Tensor.prototype) {
    inherited.push(...members(ancestor, name));
    ancestor = Object.getPrototypeOf(ancestor);
  }
  const construct = NOT_MADE.test(name)
    ? null
    : { name: `new ${name}`, invoke: (_: unknown, args: unknown[]) => new type(...args) };
  const recipe = RECIPES.get(name) ?? { args: () => [] };
  return { name, type, recipe, construct, own: members(type.prototype, name), inherited };
}

/** Everything there is to call. */
export class Surface {
  /** Functions, static methods among them. */
  readonly functions: readonly Target[];
  /** Methods and accessors of tensors. */
  readonly methods: readonly Target[];
  /** Classes other than `Tensor`. */
  readonly classes: readonly ClassTarget[];

  /** Reads the library; with `faulty`, only the planted faults that the fuzzer's own test must see found. */
  constructor(faulty = false) {
    const functions: Target[] = [], classes: ClassTarget[] = [];
    const seen = new Set<unknown>();
    const walk = (space: object, path: string): void => {
      for (const [key, value] of Object.entries(space).sort(([a], [b]) => a < b ? -1 : 1)) {
        const name = path + key;
        if (LEFT_OUT.test(name) || seen.has(value)) continue;
        if (isClass(value)) {
          seen.add(value);
          if (value !== torch.Tensor && !ABSTRACT.has(value.name)) classes.push(classTarget(name, value));
          functions.push(
            ...members(value, name).map((f) => ({
              ...f,
              invoke: (_: unknown, args: unknown[]) => f.invoke(value, args),
            })),
          );
        } else if (typeof value === "function") {
          functions.push({ name, invoke: (_, args) => (value as Callee).apply(space, args) });
        } else if (typeof value === "object" && value !== null && isSpace(value)) {
          seen.add(value);
          walk(value, name + ".");
        }
      }
    };
    walk(faulty ? FAULTS : { ...torch, vision }, "");
    this.functions = functions;
    this.classes = classes;
    this.methods = faulty ? [] : members(torch.Tensor.prototype, "Tensor");
  }

  /** How many different things can be called. */
  get size(): number {
    const members = this.classes.map((c) => c.own.length + c.inherited.length + (c.construct ? 1 : 0));
    return this.functions.length + this.methods.length + members.reduce((a, b) => a + b, 0);
  }

  /** Chooses a target, its receiver and its arguments; `chosen` is told the target before its arguments are made. */
  async draw(random: Random, values: Values, chosen: (name: string) => void): Promise<Call> {
    const kind = this.classes.length === 0 ? 0 : random.next();
    if (kind < 0.4) {
      const target = random.pick(this.functions);
      chosen(target.name);
      const first = random.chance(0.85) ? [values.tensor()] : [values.anything()];
      if (random.chance(0.08)) first.length = 0;
      return await drawn(target, undefined, [...first, ...await argumentsOf(target, undefined, first, random, values)]);
    }
    if (kind < 0.75) {
      const target = random.pick(this.methods);
      chosen(target.name);
      const receiver = values.tensor();
      return await drawn(target, receiver, await argumentsOf(target, receiver, [], random, values));
    }
    return await this.#ofClass(random.pick(this.classes), random, values, chosen);
  }

  async #ofClass(
    { construct, own, inherited, recipe, type }: ClassTarget,
    random: Random,
    values: Values,
    chosen: (name: string) => void,
  ): Promise<Call> {
    const lists = [own, own, inherited].filter((list) => list.length > 0);
    if (construct && (lists.length === 0 || random.chance(0.4))) {
      chosen(construct.name);
      const good = recipe.args();
      const args = random.chance(0.5) ? good : await argumentsOf(construct, undefined, [], random, values);
      // Good arguments with a bad one among them reach further than bad ones alone.
      if (args === good && good.length > 0 && random.chance(0.7)) args[random.int(good.length)] = values.hostile();
      return await drawn(construct, undefined, args, recipe.inputs ?? [[2, 3]]);
    }
    if (!construct || lists.length === 0) return await this.draw(random, values, chosen);
    const receiver = new type(...recipe.args());
    const target = random.pick(random.pick(lists));
    chosen(target.name);
    const input = /\.(call|forward)$/.test(target.name);
    const args = input
      ? (recipe.inputs ?? [[2, 3]]).map((shape) => values.input(shape))
      : await argumentsOf(target, receiver, [], random, values);
    if (input && random.chance(0.3)) args.push(values.anything());
    if (input && random.chance(0.15)) args[random.int(args.length)] = values.hostile();
    return await drawn(target, receiver, args);
  }
}

/** Whether an object is a namespace rather than a value. */
function isSpace(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function drawn(target: Target, receiver: unknown, args: unknown[], inputs?: Recipe["inputs"]): Call {
  const on = receiver === undefined ? "" : ` on ${show(receiver)}`;
  const text = `${target.name}(${args.map((value) => show(value)).join(", ")})${on}`;
  return { name: target.name, text, inputs, run: () => target.invoke(receiver, args) };
}

/** Arguments for a target: by position, by name, or too many. */
async function argumentsOf(
  target: Target,
  receiver: unknown,
  first: unknown[],
  random: Random,
  values: Values,
): Promise<unknown[]> {
  const names = await parametersOf(target, receiver, first);
  const style = random.next();
  if (names.length === 0 || style < 0.1) {
    return Array.from(
      { length: random.int(4) },
      () => random.chance(0.5) ? values.anything() : values.argument("other"),
    );
  }
  const chosen = (name: string): boolean => name === "out" ? random.chance(0.25) : random.chance(0.5);
  const named = (list: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(list.filter(chosen).map((name) => [name, values.argument(name)]));
  if (style < 0.45) return [named(names)];
  const count = random.int(Math.min(names.length, 6) + 1);
  const args = names.slice(0, count).map((name) => values.argument(name));
  if (random.chance(0.2)) args.push(named(names.slice(count)));
  return args;
}

/**
 * The names of a target's parameters, as the library's own answer to a name that it does not know; the answer does not
 * depend on the operands, so it is asked for once.
 */
async function parametersOf(target: Target, receiver: unknown, first: unknown[]): Promise<readonly string[]> {
  if (target.parameters) return target.parameters;
  target.parameters = [];
  if (/\((read|set)\)$/.test(target.name)) return target.parameters;
  const tensors = [torch.ones([2, 2]), torch.ones([2, 2])];
  const on = receiver instanceof torch.Tensor ? tensors[0] : receiver;
  const starts: unknown[][] = receiver === undefined && first.length > 0
    ? [[], [tensors[0]], tensors]
    : [[], [tensors[0]]];
  for (const start of starts) {
    try {
      await target.invoke(on, [...start, { zzz: 1 }]);
    } catch (error) {
      const names = /expected one of ([\w, ]+)/.exec(error instanceof Error ? error.message : "")?.[1];
      if (names) target.parameters = names.split(", ");
    }
    if (target.parameters.length > 0) break;
  }
  return target.parameters;
}
