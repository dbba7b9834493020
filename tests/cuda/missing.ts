/**
 * A process for `libraries.test.ts`: opens the shim over the double in a folder and prints what is there and what fails.
 *
 * The shim keeps what it has opened, so every set of libraries needs a process of its own.
 *
 * @module
 */

import { cudaError, cudaLibraries, openCudaShim } from "../../ffi/cuda.ts";

const shim = openCudaShim();
const { c, args } = shim;
const failure = (status: number): string | null => status < 0 ? cudaError(c) : null;
const libraries = cudaLibraries(shim).map(({ found, version, where }) => ({ found, version, where }));
const count = c.cresset_cuda_device_count();
const counted = failure(count);
const opened = failure(c.cresset_cuda_device_open(0));
const source = new TextEncoder().encode('extern "C" __global__ void f(int a) {}');
const size = c.cresset_cuda_compile(0, source, source.length);
const compiled = failure(size);
const code = new Uint8Array(Math.max(0, size));
if (size > 0) c.cresset_cuda_cubin(code, size);
const loaded = size > 0 && c.cresset_cuda_module(0, code, size) === 0 ? cudaError(c) : null;
// Of PTX: what it was made for.
const target = new TextDecoder().decode(code.subarray(0, 2000)).match(/^\.target (\w+)/m)?.[1] ?? null;
args.set([0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0]);
const matmul = failure(c.cresset_cuda_matmul(0, 8, 0));
const conv = failure(c.cresset_cuda_conv(0, 8, 0, 0));
console.log(JSON.stringify({ libraries, count, counted, opened, compiled, loaded, target, matmul, conv }));
