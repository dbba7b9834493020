/**
 * Which GPUs there are, and opening one.
 *
 * WebGPU lists no adapters: it gives one for a wish. So the wishes are tried in turn (fast, economical, in software), and what
 * comes back different is another device: `"webgpu:0"` is the fast one. An adapter gives one device, so it is asked for again
 * when it is opened.
 *
 * @module
 */

import { gpuAdapter } from "../../../base/platform.ts";
import { Gpu } from "./gpu.ts";

const WISHES: readonly GPURequestAdapterOptions[] = [
  { powerPreference: "high-performance" },
  { powerPreference: "low-power" },
  { forceFallbackAdapter: true },
];

/** An adapter that can be opened. */
export interface AdapterChoice {
  /** What it calls itself. */
  readonly name: string;
  /** How to get it. */
  readonly wish: GPURequestAdapterOptions;
}

/** What asks for adapters; tests give their own. */
export type Adapters = (wish: GPURequestAdapterOptions) => Promise<GPUAdapter | null>;

/** What an adapter calls itself. */
export function adapterName(info: GPUAdapterInfo): string {
  return info.description || info.device || info.vendor || "unknown adapter";
}

/** The adapters that differ, the fastest first. */
export async function listAdapters(from: Adapters = gpuAdapter): Promise<AdapterChoice[]> {
  const found = new Map<string, AdapterChoice>();
  for (const wish of WISHES) {
    const adapter = await from(wish);
    if (adapter === null) continue;
    const { vendor, architecture, device, description } = adapter.info;
    const key = [vendor, architecture, device, description].join("\0");
    if (!found.has(key)) found.set(key, { name: adapterName(adapter.info), wish });
  }
  return [...found.values()];
}

/** Opens an adapter (the first one, unless told) with all that it offers; `null` where there is none. */
export async function requestGpu(choice: AdapterChoice = { name: "", wish: WISHES[0] }): Promise<Gpu | null> {
  const adapter = await gpuAdapter(choice.wish);
  if (!adapter) return null;
  const features: GPUFeatureName[] = adapter.features.has("shader-f16") ? ["shader-f16"] : [];
  // Deno does not list subgroups among an adapter's features, yet gives them where the adapter has them.
  try {
    return await deviceOf(adapter, [...features, "subgroups"]);
  } catch {
    return await deviceOf(await gpuAdapter(choice.wish) ?? adapter, features);
  }
}

async function deviceOf(adapter: GPUAdapter, requiredFeatures: GPUFeatureName[]): Promise<Gpu> {
  const { limits } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures,
    requiredLimits: {
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
  return new Gpu(device, adapterName(adapter.info), adapter.info.isFallbackAdapter);
}
