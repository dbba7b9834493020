/**
 * Automatic mixed precision: inside a region, ops run in the dtype that suits them.
 *
 * Each op says in its definition how it is cast ({@linkcode AutocastRule}): `op`, `fn` and `pointwise` take it beside
 * the name. Functions whose rule depends on their arguments test `autocasting.active` themselves. Where autocast is
 * off, it costs one test of that flag. While an op runs the flag is false, so that the ops that it calls are not cast
 * again. A cast is recorded like any op, so gradients arrive in the parameter's dtype; the cast of a parameter is
 * cached until the region ends.
 *
 * @see https://docs.pytorch.org/docs/stable/amp.html
 * @module
 */

import { call, type Func, func, isPlainObject, type Named, NoArgs } from "../base/call.ts";
import { checkText } from "../base/checks.ts";
import type { Device, DeviceType } from "../base/device.ts";
import { bfloat16, DType, float16, float32, float64 } from "../base/dtype.ts";
import { during, hold, Setting } from "../base/during.ts";
import { ArgumentError, AutogradError, describe, DTypeError } from "../base/errors.ts";
import { visitTensors } from "../tensor/search.ts";
import { runOwned, type Storage } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";
import { mode } from "./mode.ts";

/**
 * How an op's floating arguments are cast: to the region's dtype (`"lower"`), to float32 (`"float32"`), or to the
 * widest dtype among them (`"promote"`: float32 where any argument is float32, else the region's dtype); `"dtype"` sets
 * the op's option `dtype` to float32 where it is not given, and `"unsafe"` throws.
 */
export type AutocastPolicy = "lower" | "float32" | "promote" | "dtype" | "unsafe";

/** The rule of an op: one policy for all devices, or one for the CPU and one for GPUs, where PyTorch's lists differ. */
export type AutocastRule = AutocastPolicy | { readonly cpu?: AutocastPolicy; readonly gpu?: AutocastPolicy };

/** Which of PyTorch's lists each kind of device follows. */
export const autocastLists: Record<DeviceType, "cpu" | "gpu"> = { cpu: "cpu", cuda: "gpu", webgpu: "gpu" };

interface Settings {
  readonly enabled: boolean;
  readonly dtype: DType;
}

/** The settings of an autocast region. `active` is false during backward passes. */
interface Region extends Readonly<Record<DeviceType, Settings>> {
  readonly cacheEnabled: boolean;
  readonly active: boolean;
}

const region = new Setting<Region>("autocast", {
  cpu: { enabled: false, dtype: bfloat16 },
  cuda: { enabled: false, dtype: float16 },
  webgpu: { enabled: false, dtype: float16 },
  cacheEnabled: true,
  active: false,
});

/** A change of a region's settings; the new region is active if autocast is enabled for any device. */
function changed(change: (before: Region) => Partial<Region>): (before: Region) => Region {
  return (before) => {
    const next = { ...before, ...change(before) };
    return { ...next, active: next.cpu.enabled || next.cuda.enabled || next.webgpu.enabled };
  };
}

/** Whether ops must apply their rule. A plain field, because it is on the hot path; false while an op runs. */
export const autocasting: { active: boolean } = { active: false };

// While tasks overlap, another task's region may be active, so ops check in any case.
region.watch(({ active }, certain) => {
  autocasting.active = active || !certain;
});

/** The number of open regions. */
let nesting = 0;

/** The cached cast of a parameter, valid for one version of its memory. */
interface CachedCast {
  readonly cast: Tensor;
  readonly version: number;
  /** Whether the cast was recorded: one made without gradients may not be reused where they are wanted. */
  readonly recorded: boolean;
}

const cache = new Map<Tensor, CachedCast>();

function settingsOf(op: string, deviceType: string): Settings {
  if (typeof deviceType !== "string" || !Object.hasOwn(autocastLists, deviceType)) {
    throw new ArgumentError(`${op}(): deviceType must be "cpu", "cuda" or "webgpu": ${describe(deviceType)}`);
  }
  return region.value[deviceType as DeviceType];
}

function checkDtype(op: string, dtype: DType): DType {
  if (dtype === float16 || dtype === bfloat16 || dtype === float32) return dtype;
  throw new DTypeError(
    `${op}(): dtype must be float16, bfloat16 or float32: ${dtype instanceof DType ? String(dtype) : describe(dtype)}`,
  );
}

/** The parameters of {@linkcode autocast} after the kind of device. */
export class AutocastArgs {
  constructor(
    /**
     * The dtype of matrix products and convolutions: float16, bfloat16 or float32; `null`:
     * `getAutocastDtype(deviceType)`.
     */
    public dtype: DType | null = null,
    /** Whether ops are cast; `false` turns autocast off inside a region. */
    public enabled = true,
    /** Whether casts of parameters are cached until the outermost region ends; `null`: as outside. */
    public cacheEnabled: boolean | null = null,
  ) {}
}

/** The options of {@linkcode autocast} by name. */
export type AutocastOptions = Named<AutocastArgs>;

const autocastArgs = call("autocast", AutocastArgs);

/**
 * Mixed precision for the ops on one kind of device, until the returned object is disposed.
 *
 * Put the forward pass and the loss inside, `backward()` outside: backward runs in the dtypes of the forward ops. Matrix
 * products and convolutions run in `dtype`, what needs range or precision in float32, everything else in the dtype of its
 * arguments. In-place ops, ops with `out` and float64 tensors are left alone. WebGPU follows CUDA's lists.
 *
 * Differs from PyTorch: a dtype that cannot be cast to is an error, not a warning; backward is never cast.
 *
 * @param deviceType `"cpu"`, `"cuda"` or `"webgpu"`
 * @throws {ArgumentError} if there is no such kind of device
 * @throws {DTypeError} if `dtype` is not float16, bfloat16 or float32
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const model = new torch.nn.Linear(4, 2);
 * const loss = torch.autocast("cpu", { dtype: torch.bfloat16 }, () => {
 *   const y = model.call(torch.randn(3, 4));
 *   assertEquals(y.dtype, torch.bfloat16);
 *   return torch.nn.functional.mseLoss(y, torch.zeros(3, 2));
 * });
 * assertEquals(loss.dtype, torch.float32);
 * loss.backward();
 * assertEquals(model.weight.grad!.dtype, torch.float32);
 * ```
 * @see https://docs.pytorch.org/docs/stable/amp.html
 */
export function autocast(deviceType: DeviceType, options?: AutocastOptions | DType | null): Disposable;
/** Mixed precision while `fn` runs, until its promise settles if it returns one; returns the result of `fn`. */
export function autocast<R>(deviceType: DeviceType, fn: () => R): R;
/** Mixed precision with options while `fn` runs. */
export function autocast<R>(deviceType: DeviceType, options: AutocastOptions | DType | null, fn: () => R): R;
/** Mixed precision with PyTorch's positional parameters; the last argument may be the function to run. */
export function autocast(deviceType: DeviceType, ...args: readonly unknown[]): unknown;
export function autocast(deviceType: DeviceType, ...args: readonly unknown[]): unknown {
  const own = settingsOf("autocast", deviceType);
  const last = args[args.length - 1];
  const fn = typeof last === "function" ? last as () => unknown : undefined;
  const given = fn === undefined ? args : args.slice(0, -1);
  const o = autocastArgs(given);
  const dtype = checkDtype("autocast", o.dtype ?? own.dtype);
  const change = region.to(changed((before) => ({
    [deviceType]: { enabled: o.enabled, dtype },
    cacheEnabled: o.cacheEnabled ?? before.cacheEnabled,
  })));
  nesting++;
  const ended = () => {
    if (--nesting === 0) clearAutocastCache();
  };
  return fn === undefined ? hold("autocast", [change], ended) : during([change], fn, ended);
}

/** The parameter of the autocast functions about one kind of device. */
export class DeviceTypeArgs {
  constructor(
    /** `"cpu"`, `"cuda"` or `"webgpu"`. */
    public deviceType: DeviceType,
  ) {}
}

/** The parameters of {@linkcode isAutocastEnabled}. */
export class IsAutocastEnabledArgs {
  constructor(
    /** `"cpu"`, `"cuda"` or `"webgpu"`. */
    public deviceType: DeviceType = "cuda",
  ) {}
}

/** The parameters of {@linkcode setAutocastEnabled}. */
export class SetAutocastEnabledArgs extends DeviceTypeArgs {
  constructor(
    deviceType: DeviceType,
    /** Whether ops are cast. */
    public enabled: boolean,
  ) {
    super(deviceType);
  }
}

/** The parameters of {@linkcode setAutocastDtype}. */
export class SetAutocastDtypeArgs extends DeviceTypeArgs {
  constructor(
    deviceType: DeviceType,
    /** float16, bfloat16 or float32. */
    public dtype: DType,
  ) {
    super(deviceType);
  }
}

/** The parameters of {@linkcode setAutocastCacheEnabled}. */
export class SetAutocastCacheArgs {
  constructor(
    /** Whether casts of parameters are cached. */
    public enabled: boolean,
  ) {}
}

/** Whether ops on a kind of device are cast now. */
export const isAutocastEnabled: Func<typeof IsAutocastEnabledArgs, boolean> = func(
  "isAutocastEnabled",
  IsAutocastEnabledArgs,
  ({ deviceType }) => settingsOf("isAutocastEnabled", deviceType).enabled,
);

/** Turns autocast on or off for a kind of device, for good; {@linkcode autocast} does so for a region. */
export const setAutocastEnabled: Func<typeof SetAutocastEnabledArgs, void> = func(
  "setAutocastEnabled",
  SetAutocastEnabledArgs,
  ({ deviceType, enabled }) => {
    settingsOf("setAutocastEnabled", deviceType);
    region.assign(changed((before) => ({ [deviceType]: { ...before[deviceType], enabled } })));
  },
);

/** The dtype that {@linkcode autocast} uses by default: at first bfloat16 on the CPU, float16 on GPUs. */
export const getAutocastDtype: Func<typeof DeviceTypeArgs, DType> = func(
  "getAutocastDtype",
  DeviceTypeArgs,
  ({ deviceType }) => settingsOf("getAutocastDtype", deviceType).dtype,
);

/** Sets the dtype that {@linkcode autocast} uses by default. */
export const setAutocastDtype: Func<typeof SetAutocastDtypeArgs, void> = func(
  "setAutocastDtype",
  SetAutocastDtypeArgs,
  ({ deviceType, dtype }) => {
    settingsOf("setAutocastDtype", deviceType);
    checkDtype("setAutocastDtype", dtype);
    region.assign(changed((before) => ({ [deviceType]: { ...before[deviceType], dtype } })));
  },
);

/** Whether regions cache the casts of parameters by default. */
export const isAutocastCacheEnabled: Func<typeof NoArgs, boolean> = func(
  "isAutocastCacheEnabled",
  NoArgs,
  () => region.value.cacheEnabled,
);

/** Sets whether regions cache the casts of parameters by default. */
export const setAutocastCacheEnabled: Func<typeof SetAutocastCacheArgs, void> = func(
  "setAutocastCacheEnabled",
  SetAutocastCacheArgs,
  ({ enabled }) => {
    region.assign(changed(() => ({ cacheEnabled: enabled })));
  },
);

/** The parameters of {@linkcode isAutocastAvailable}. */
export class AutocastAvailableArgs {
  constructor(
    /** The kind of device. */
    public deviceType: string,
  ) {}
}

/** Whether {@linkcode autocast} knows a kind of device. */
export const isAutocastAvailable: Func<typeof AutocastAvailableArgs, boolean> = func(
  "isAutocastAvailable",
  AutocastAvailableArgs,
  ({ deviceType }) => {
    checkText("isAutocastAvailable", "deviceType", deviceType);
    return Object.hasOwn(autocastLists, deviceType);
  },
);

/** Clears the cache of parameters' casts, as the end of the outermost region does. */
export const clearAutocastCache: Func<typeof NoArgs, void> = func("clearAutocastCache", NoArgs, () => {
  for (const { cast } of cache.values()) letGo(cast.storage);
  cache.clear();
});

/**
 * Gives up the cache's claim on a storage: a cast that the graph saved lives on, until backward or the collector frees
 * it.
 */
function letGo(storage: Storage): void {
  storage.adopted = false;
  if (!storage.soleOwner && !storage.collected) storage.handToCollector(null);
  storage.unclaim();
}

/** Runs `fn` without autocast: backward runs in the dtypes that forward chose. */
export function withoutCasts<R>(fn: () => R): R {
  return autocasting.active ? region.within({ ...region.value, active: false }, fn) : fn();
}

/**
 * Whether `visit` returns true for some tensor among the arguments, in lists and in named arguments too; stops at the
 * first.
 */
function someTensor(args: readonly unknown[], visit: (x: Tensor) => boolean): boolean {
  for (const a of args) {
    if (a instanceof Tensor) {
      if (visit(a)) return true;
    } else if (Array.isArray(a)) {
      if (someTensor(a, visit)) return true;
    } else if (isPlainObject(a) && someTensor(Object.values(a), visit)) return true;
  }
  return false;
}

/** Whether autocast applies to a tensor: its dtype is floating, but not float64. */
function eligible(x: Tensor): boolean {
  return x.dtype.kind === "floating" && x.dtype !== float64;
}

/**
 * The device that decides how a call is cast: that of its first tensor on a device with autocast enabled; `null` where
 * there is none.
 */
function deviceOf(args: readonly unknown[]): Device | null {
  const here = region.value;
  let found: Device | null = null;
  if (!here.active) return null;
  someTensor(args, (x) => {
    if (here[x.device.type].enabled) found = x.device;
    return found !== null;
  });
  return found;
}

function policyOf(rule: AutocastRule, type: DeviceType): AutocastPolicy | undefined {
  return typeof rule === "string" ? rule : rule[autocastLists[type]];
}

/**
 * Whether autocast makes a pointwise op compute its half-precision operands in float32: the meaning of an {@linkcode
 * AutocastRule} for such ops.
 */
export function computesWide(rule: AutocastRule, operands: readonly unknown[]): boolean {
  const device = deviceOf(operands);
  if (device === null) return false;
  const policy = policyOf(rule, device.type);
  return policy === "float32" || (policy === "promote" && someTensor(operands, (x) => x.dtype === float32));
}

/**
 * Calls an op with its arguments cast by its rule; the ops that it calls are not cast.
 *
 * @param op the op; its wrapper calls `autocasted` where `autocasting.active`
 * @throws {AutogradError} if the policy is `"unsafe"`
 */
export function autocasted<A extends readonly unknown[], R>(rule: AutocastRule, op: (...args: A) => R, ...args: A): R {
  const here = region.value;
  autocasting.active = false;
  try {
    const device = deviceOf(args);
    const last = args[args.length - 1];
    // With `out` given, its dtype decides.
    if (device === null || (isPlainObject(last) && last.out !== undefined && last.out !== null)) return op(...args);
    switch (policyOf(rule, device.type)) {
      case "lower":
        return withCasts(op, args, device.type, here[device.type].dtype);
      case "float32":
        return withCasts(op, args, device.type, float32);
      case "promote": {
        const wide = someTensor(args, (x) => x.dtype === float32 && x.device.type === device.type);
        return withCasts(op, args, device.type, wide ? float32 : here[device.type].dtype);
      }
      case "dtype":
        return op(...withDtype(args) as unknown as A);
      case "unsafe":
        throw new AutogradError(
          `${op.name}(): unsafe to autocast: probabilities of half precision reach 0 and 1; use ${op.name}WithLogits(), ` +
            "without a sigmoid before it",
        );
      default:
        return op(...args);
    }
  } finally {
    autocasting.active = true;
  }
}

/**
 * The arguments with the option `dtype` set to float32, unless it is given or autocast does not apply to the first
 * tensor.
 */
function withDtype(args: readonly unknown[]): readonly unknown[] {
  const last = args[args.length - 1];
  const options = isPlainObject(last) ? last : null;
  if (!eligible(args[0] as Tensor) || args.some((a) => a instanceof DType) || options?.dtype) return args;
  return [...(options ? args.slice(0, -1) : args), { ...options, dtype: float32 }];
}

function withCasts<A extends readonly unknown[], R>(op: (...args: A) => R, args: A, type: DeviceType, dtype: DType): R {
  if (!someTensor(args, (x) => castable(x, dtype, type))) return op(...args);
  // The casts belong to the scope of this call: those that neither the result nor the graph holds are freed when it
  // ends.
  return runOwned(() => op(...castArguments(args, dtype, type, castOf) as unknown as A), visitTensors);
}

/**
 * Whether a tensor is to be cast: autocast applies to it, it is on that kind of device, and its dtype is another one.
 */
function castable(x: Tensor, dtype: DType, type: DeviceType): boolean {
  return eligible(x) && x.dtype !== dtype && x.device.type === type;
}

/** A value with its castable tensors cast: the value itself, elements of lists, fields of plain objects. */
export function castArguments(
  value: unknown,
  dtype: DType,
  type: DeviceType,
  cast: (x: Tensor, dtype: DType, type: DeviceType) => Tensor,
): unknown {
  if (value instanceof Tensor) return castable(value, dtype, type) ? cast(value, dtype, type) : value;
  if (Array.isArray(value)) return value.map((v) => castArguments(v, dtype, type, cast));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, castArguments(v, dtype, type, cast)]));
}

/** Casts a tensor; the cast of a float32 parameter is made once per region and cached. */
function castOf(x: Tensor, dtype: DType, type: DeviceType): Tensor {
  const { meta } = x, here = region.value;
  const keep = nesting > 0 && here.cacheEnabled && x.dtype === float32 && dtype === here[type].dtype &&
    meta !== null && meta.requiresGrad && meta.gradFn === null && meta.view === null;
  if (!keep) return x.to(dtype);
  const known = cache.get(x);
  if (known !== undefined) {
    const fits = known.cast.dtype === dtype && known.version === x.storage.version && !known.cast.storage.released;
    if (fits && (known.recorded || !mode.gradEnabled)) return known.cast;
    letGo(known.cast.storage);
  }
  const cast = x.to(dtype);
  cast.storage.adopted = true;
  cache.set(x, { cast, version: x.storage.version, recorded: mode.gradEnabled });
  return cast;
}
