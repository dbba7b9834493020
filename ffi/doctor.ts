/**
 * `deno task doctor`: reports the kernels and devices of this machine, where missing parts were searched for, and what
 * does not work without them.
 *
 * It opens everything the way the library does, prints the result and changes nothing. The exit status is 0 as long as
 * the CPU works, which needs no native library.
 *
 * @module
 */

import { environment } from "../src/base/platform.ts";
import { openNative } from "./cpu.ts";
import { oneDnnPaths } from "./onednn.ts";
import { cudaError, cudaLibraries, type CudaShim, openCudaShim, shimPath } from "./cuda.ts";

/** One line of the report: a part, whether it is present, and what does not work without it. */
interface Finding {
  readonly ok: boolean;
  readonly name: string;
  readonly text: string;
  readonly without?: string;
}

function cpu(): Finding {
  const wanted = environment("CRESSET_KERNELS");
  const without = "the CPU runs the WebAssembly kernels, several times slower";
  try {
    const library = openNative();
    const forced = wanted === undefined ? "" : ` (CRESSET_KERNELS=${wanted})`;
    if (library !== null) return { ok: true, name: "CPU kernels", text: library.path + forced };
    return {
      ok: false,
      name: "CPU kernels",
      text: "not built, or no --allow-ffi; `deno task native` builds them",
      without,
    };
  } catch (error) {
    return { ok: false, name: "CPU kernels", text: (error as Error).message, without };
  }
}

function oneDnn(): Finding {
  const without = "large products and convolutions run on our own CPU kernels";
  try {
    const [path] = oneDnnPaths();
    if (path !== undefined) return { ok: true, name: "oneDNN", text: path };
    const text = "not found in the system's folders, or CRESSET_ONEDNN or --allow-ffi leaves it out";
    return { ok: false, name: "oneDNN", text, without };
  } catch (error) {
    return { ok: false, name: "oneDNN", text: (error as Error).message, without };
  }
}

async function webgpu(): Promise<Finding> {
  const without = 'the device "webgpu" cannot be used';
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) {
    return { ok: false, name: "WebGPU", text: "no adapter; it needs a Vulkan, Metal or D3D12 driver", without };
  }
  const { description, device, vendor, isFallbackAdapter } = adapter.info;
  const software = isFallbackAdapter || /llvmpipe|lavapipe|swiftshader/i.test(description);
  return { ok: true, name: "WebGPU", text: `${description || device || vendor}${software ? " (software)" : ""}` };
}

/** A library's version number as text; each library encodes its own differently. */
function versionText(name: string, version: number): string {
  if (version <= 1) return "";
  if (name === "driver" || name === "NVRTC") {
    return ` for CUDA ${Math.floor(version / 1000)}.${Math.floor(version % 1000 / 10)}`;
  }
  const unit = name === "cuSOLVER" || name === "cuFFT" ? 1000 : 10000;
  const major = Math.floor(version / unit), rest = version % unit;
  return ` ${major}.${Math.floor(rest / 100)}.${rest % 100}`;
}

function devices({ c, args }: CudaShim): Finding[] {
  const count = c.cresset_cuda_device_count();
  const without = 'the device "cuda" cannot be used';
  if (count < 0) return [{ ok: false, name: "CUDA devices", text: cudaError(c), without }];
  if (count === 0) return [{ ok: false, name: "CUDA devices", text: "the driver sees none", without }];
  return Array.from({ length: count }, (_, i): Finding => {
    const name = new Uint8Array(256);
    if (c.cresset_cuda_device_open(i) < 0 || c.cresset_cuda_device_info(i, name, name.length) < 0) {
      return { ok: false, name: `cuda:${i}`, text: cudaError(c), without: "this device cannot be used" };
    }
    const title = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
    const [capability, processors, total, free] = args;
    const memory = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    const text = `${title}, sm_${capability}, ${processors} multiprocessors, ${memory(free)} of ${memory(total)} free`;
    // The kernels use instructions of compute capability 8.0.
    const ok = capability >= 80;
    return {
      ok,
      name: `cuda:${i}`,
      text,
      without: ok ? undefined : "float16 and bfloat16 kernels need sm_80 or newer",
    };
  });
}

/** The finding about a driver that is for an older CUDA than NVRTC, the compiler of kernels. */
function olderDriver(shim: CudaShim): Finding[] {
  const [driver, nvrtc] = cudaLibraries(shim).map(({ version }) => Math.floor(version / 1000));
  if (driver === 0 || nvrtc <= driver) return [];
  const text = `the driver is for CUDA ${driver}, NVRTC for CUDA ${nvrtc}`;
  return [{
    ok: false,
    name: "CUDA versions",
    text,
    without: "the driver may refuse kernels: update it, or install NVRTC 12",
  }];
}

function cuda(): Finding[] {
  let shim: CudaShim;
  try {
    shim = openCudaShim();
  } catch (error) {
    const text = (error as Error).message.replace(/^device\("cuda"\): /, "");
    return [{ ok: false, name: "CUDA shim", text, without: "nothing runs on CUDA" }];
  }
  const libraries = cudaLibraries(shim).map(({ name, found, version, where, without }): Finding => ({
    ok: found,
    name,
    text: found ? where + versionText(name, version) : where,
    without,
  }));
  const findings = [{ ok: true, name: "CUDA shim", text: shimPath() ?? "" }, ...libraries, ...olderDriver(shim)];
  return libraries[0].ok ? [...findings, ...devices(shim)] : findings;
}

/** All findings. */
async function examine(): Promise<Finding[]> {
  return [cpu(), oneDnn(), await webgpu(), ...cuda()];
}

if (import.meta.main) {
  for (const { ok, name, text, without } of await examine()) {
    console.log(`${ok ? "ok      " : "missing "} ${name.padEnd(13)} ${text}`);
    if (!ok && without !== undefined) console.log(`${" ".repeat(23)}so ${without}`);
  }
}
