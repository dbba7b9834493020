/**
 * The parameters of the methods of `Module`.
 *
 * @module
 */

import type { Device } from "../../base/device.ts";
import type { DType } from "../../base/dtype.ts";
import type { MemoryFormat } from "../../base/layout.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";

/** The parameters of {@linkcode Module.registerBuffer}. */
export class RegisterBufferArgs {
  constructor(
    /** The field's name, also its key in the state dict. */
    public name: string,
    /** The buffer's value; `null` reserves the name without a buffer. */
    public tensor: Tensor | null,
    /** Whether the buffer is part of the state dict. */
    public persistent = true,
  ) {}
}

/** The parameters of {@linkcode Module.registerParameter}. */
export class RegisterParameterArgs {
  constructor(
    /** The field's name. */
    public name: string,
    /** The parameter, or `null` for none. */
    public param: Parameter | null,
  ) {}
}

/** The parameters of {@linkcode Module.registerModule}. */
export class RegisterModuleArgs {
  constructor(
    /** The field's name. */
    public name: string,
    /** The submodule, or `null` for none. */
    public module: Module | null,
  ) {}
}

/** The parameters of {@linkcode Module.namedModules}. */
export class NamedModulesArgs {
  constructor(
    /** Modules that are skipped; the modules that are yielded are added to it. */
    public memo: Set<Module> | null = null,
    /** A prefix of every name. */
    public prefix = "",
    /** Whether a shared module appears once. */
    public removeDuplicate = true,
  ) {}
}

/** The parameters of {@linkcode Module.namedParameters} and {@linkcode Module.namedBuffers}. */
export class NamedTensorsArgs {
  constructor(
    /** A prefix of every name. */
    public prefix = "",
    /** Whether submodules are included. */
    public recurse = true,
    /** Whether a shared tensor appears once, under its first name. */
    public removeDuplicate = true,
  ) {}
}

/** The parameters of {@linkcode Module.parameters} and {@linkcode Module.buffers}. */
export class RecurseArgs {
  constructor(
    /** Whether submodules are included. */
    public recurse = true,
  ) {}
}

/** The parameters of the methods that find something by its path. */
export class TargetArgs {
  constructor(
    /** The path, such as `"layers.0.conv1"`. */
    public target: string,
  ) {}
}

/** The parameters of {@linkcode Module.setSubmodule}. */
export class SetSubmoduleArgs {
  constructor(
    /** The path. */
    public target: string,
    /** The module that replaces the one at the path. */
    public module: Module,
  ) {}
}

/** The parameters of {@linkcode Module.stateDict}. */
export class StateDictArgs {
  /** A prefix of every key. */
  prefix = "";
  /** Whether the dict holds the parameters themselves instead of detached tensors. */
  keepVars = false;
}

/** The parameters of {@linkcode Module.loadStateDict} after the state dict. */
export class LoadStateDictArgs {
  constructor(
    /** Whether keys that are missing or unexpected are an error. */
    public strict = true,
    /** Whether the dict's tensors become the module's, instead of having their values copied. */
    public assign = false,
  ) {}
}

/** The parameters of {@linkcode Module.apply}. */
export class ApplyArgs {
  constructor(
    /** The function that is called with each module. */
    public fn: (module: Module) => void,
  ) {}
}

/** The parameters of {@linkcode Module.train}. */
export class TrainArgs {
  constructor(
    /** Whether training mode is set; `false` sets evaluation mode. */
    public mode = true,
  ) {}
}

/** The parameters of {@linkcode Module.zeroGrad}. */
export class ZeroGradArgs {
  constructor(
    /** Whether gradients become `null`, not zeros. */
    public setToNone = true,
  ) {}
}

/** The parameters of {@linkcode Module.to}. */
export class ModuleToArgs {
  /**
   * The memory format of the parameters and buffers that have its number of dimensions: `channelsLast` 4,
   * `channelsLast3d` 5.
   */
  memoryFormat: MemoryFormat | null = null;
  constructor(
    /** The device; in its place a dtype, or a tensor whose device and dtype are taken. */
    public device: string | Device | DType | Tensor | null = null,
    /** The dtype of floating and complex tensors. */
    public dtype: DType | null = null,
    /** Accepted for compatibility; copies are ordered on the device anyway. */
    public nonBlocking = false,
  ) {}
}

/** The parameters of {@linkcode Module.cuda}. */
export class ModuleCudaArgs {
  constructor(
    /** The number of the GPU; `null`: the current one. */
    public device: number | null = null,
  ) {}
}

/** The parameters of {@linkcode Module.type}. */
export class ModuleTypeArgs {
  constructor(
    /** The dtype of all parameters and buffers. */
    public dstType: DType,
  ) {}
}

/** The parameters of {@linkcode Module.toEmpty}. */
export class ToEmptyArgs {
  constructor(
    /** The device of the uninitialised parameters and buffers. */
    public device: string | Device,
  ) {}
}

/** The parameters of the methods that register a hook, after the hook. */
export class ModuleHookArgs {
  /** Whether the hook runs before the others. */
  prepend = false;
}

/** The parameters of {@linkcode Module.registerForwardHook} after the hook. */
export class ForwardHookArgs extends ModuleHookArgs {
  /** Whether the hook runs even when `forward` throws. */
  alwaysCall = false;
}
