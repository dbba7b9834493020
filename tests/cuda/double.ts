/**
 * The test double of CUDA, through the shim: kernels, order, memory, failures and the libraries' computations.
 *
 * What holds here holds of the shim as well: the same calls run on a card.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { bfloat16, bool, type DType, float16, float32, float64, int64 } from "../../src/base/dtype.ts";
import { operandSlot, printCuda } from "../../src/expr/cuda.ts";
import { printCudaReduce } from "../../src/expr/cuda_reduce.ts";
import { evaluate } from "../../src/expr/evaluate.ts";
import { type Expr, input } from "../../src/expr/expr.ts";
import { Program } from "../../src/expr/program.ts";
import { openCudaDouble } from "../support/cuda_double/open.ts";

const { double, device, shim } = await openCudaDouble({
  CUDA_DOUBLE_DEVICES: "2",
  CUDA_DOUBLE_MEMORY: String(256 << 20),
});
const { c, args } = shim;

/** Slots of a printed kernel over dense operands. */
function denseSlots(numel: number, addresses: readonly number[], strides: readonly number[]): number[] {
  const slots = new Array<number>(operandSlot(addresses.length)).fill(0);
  slots[0] = numel;
  slots[1] = 1;
  slots[6] = numel;
  addresses.forEach((address, i) => {
    slots[operandSlot(i)] = address;
    slots[operandSlot(i) + 1] = strides[i];
  });
  return slots;
}

function program(inputs: readonly DType[], outputs: readonly (readonly [Expr, DType])[]): Program {
  return new Program(inputs, [], outputs.map(([expr, dtype]) => ({ expr, dtype })));
}

Deno.test("a printed pointwise kernel computes what the reference does", () => {
  const x = input(0, float32), y = input(1, float32);
  const e = x.mul(2).add(y).erf().add(x.floorDivide(3)).add(y.lgamma()).add(x.sub(y).abs().rsqrt());
  const module = device.module(printCuda(program([float32, float32], [[e, float32]]), "k"));
  const n = 1003;
  const a = Float32Array.from({ length: n }, (_, i) => (i - 500) / 37), b = new Float32Array([1.25]);
  const addresses = [device.put(a), device.put(b), device.alloc(n * 4)];
  for (const name of ["k_dense", "k_strided", "k_large"]) {
    device.launch(device.kernel(module, name), 2, 128, denseSlots(n, addresses, [1, 0, 1]));
    const out = device.read(addresses[2], new Float32Array(n));
    out.forEach((value, i) => {
      const expected = Number(evaluate([e], { inputs: [a[i], b[0]] })[0]);
      assertAlmostEquals(value, expected, 1e-5 * (1 + Math.abs(expected)), `${name} at ${i}`);
    });
    device.write(addresses[2], new Float32Array(n));
  }
  addresses.forEach((address) => device.free(address));
});

Deno.test("16-bit floats are converted as the instructions do", () => {
  const outputs = [[input(0, float32), float16], [input(0, float32), bfloat16]] as const;
  const module = device.module(printCuda(program([float32], outputs), "to"));
  const values = new Float32Array([
    0,
    -0,
    1,
    65504,
    65520,
    1e-8,
    6e-8,
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    -Infinity,
    3e38,
  ]);
  const n = values.length;
  const addresses = [device.put(values), device.alloc(n * 2), device.alloc(n * 2)];
  device.launch(device.kernel(module, "to_dense"), 1, 32, denseSlots(n, addresses, [1, 1, 1]));
  const half = device.read(addresses[1], new Uint16Array(n)), bfloat = device.read(addresses[2], new Uint16Array(n));
  assertEquals(half, new Uint16Array(new Float16Array(values).buffer));
  const rounded = bfloat.map((bits) => bits);
  assertEquals([...rounded.slice(0, 4)], [0, 0x8000, 0x3f80, 0x4780]);
  const back = device.module(printCuda(program([float16], [[input(0, float16), float32]]), "from"));
  const wide = device.alloc(n * 4);
  device.launch(device.kernel(back, "from_dense"), 1, 32, denseSlots(n, [addresses[1], wide], [1, 1]));
  assertEquals(device.read(wide, new Float32Array(n)), new Float32Array(new Float16Array(values)));
  [...addresses, wide].forEach((address) => device.free(address));
});

Deno.test("a reduction's barriers work: a block of 256 threads sums", () => {
  const x = input(0, float32);
  const source = printCudaReduce(program([float32], [[x, float32], [x.mul(x), float32]]), "sum", "r");
  const module = device.module(source);
  const rows = 7, n = 3000;
  const values = Float32Array.from({ length: rows * n }, (_, i) => (i % 11) - 5);
  const [from, sums, squares] = [device.put(values), device.alloc(rows * 4), device.alloc(rows * 4)];
  const slots = denseSlots(rows, [from, sums, squares], [n, 1, 1]);
  [rows, 2, n, 1, 1, 0, rows, n].forEach((value, i) => slots[i] = value);
  slots[operandSlot(0) + 2] = 1;
  for (const [name, grid] of [["r_block", rows], ["r_thread", 1]] as const) {
    device.launch(device.kernel(module, name), grid, 256, slots);
    const sum = device.read(sums, new Float32Array(rows)), square = device.read(squares, new Float32Array(rows));
    for (let r = 0; r < rows; r++) {
      const row = values.subarray(r * n, (r + 1) * n);
      assertAlmostEquals(sum[r], row.reduce((a, v) => a + v, 0), 1e-2);
      assertAlmostEquals(square[r], row.reduce((a, v) => a + v * v, 0), 1e-2);
    }
  }
  [from, sums, squares].forEach((address) => device.free(address));
});

const WARPS = `typedef long long i64;
struct Params { i64 slots[2]; };
template <typename T> __device__ __forceinline__ T total(T v) {
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xffffffffu, v, d);
  return v;
}
extern "C" __global__ void __launch_bounds__(128) warps(const __grid_constant__ Params p) {
  extern __shared__ __align__(16) float dynamic[];
  __shared__ int counts[4];
  int *out = (int *)p.slots[0] + blockIdx.x * 9;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  dynamic[threadIdx.x] = total((float)threadIdx.x);
  counts[warp] = __popc(__ballot_sync(0xffffffffu, lane % 3 == 0));
  __syncthreads();
  if (threadIdx.x < 4) atomicAdd(out + threadIdx.x, (int)dynamic[32 * threadIdx.x]);
  if (threadIdx.x == 0) for (int i = 0; i < 4; i++) out[4 + i] = counts[i];
  if (lane < 16) {
    int first = __shfl_sync(0xffffu, lane * 2, 5), next = __shfl_down_sync(0xffffu, lane, 1, 16);
    if (threadIdx.x == 3) out[8] = first * 100 + next;
  }
}
extern "C" __global__ void lost(const __grid_constant__ Params p) {
  if (threadIdx.x > 0) __shfl_down_sync(0xffffffffu, 1, 1);
}
extern "C" __global__ void wild(const __grid_constant__ Params p) { ((int *)p.slots[0])[p.slots[1]] = 1; }
extern "C" __global__ void four(const __grid_constant__ Params p) {
  struct alignas(16) Four { float e[4]; };
  *(Four *)p.slots[1] = *(const Four *)p.slots[0];
}
extern "C" __global__ void set(const __grid_constant__ Params p) { ((int *)p.slots[0])[0] = (int)p.slots[1]; }
extern "C" __global__ void increment(const __grid_constant__ Params p) { ((int *)p.slots[0])[0] += (int)p.slots[1]; }
`;

Deno.test("warp shuffles, votes, shared memory and atomics", () => {
  const module = device.module(WARPS);
  const out = device.put(new Int32Array(18));
  device.launch(device.kernel(module, "warps"), 2, 128, [out, 0], 128 * 4);
  const expected = [0, 1, 2, 3].map((w) => 32 * 32 * w + 496);
  const values = [...device.read(out, new Int32Array(18))];
  assertEquals(values.slice(0, 9), [...expected, 11, 11, 11, 11, 1004]);
  assertEquals(values.slice(9), values.slice(0, 9));
  device.free(out);
});

Deno.test("a warp's matrix product lies in registers as PTX has it", () => {
  const operands = (how: string, name: string, n: number): string =>
    Array.from({ length: n }, (_, i) => `"${how}"(${name}[${i}])`).join();
  const source = `typedef unsigned short u16;
struct Params { long long slots[3]; };
__device__ u16 half(float x) { u16 y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x)); return y; }
extern "C" __global__ void mma(const __grid_constant__ Params p) {
  const float *a = (const float *)p.slots[0], *b = (const float *)p.slots[1];
  float *out = (float *)p.slots[2], d[4] = {0, 0, 0, 0};
  const int row = threadIdx.x / 4, k = threadIdx.x % 4 * 2;
  unsigned x[4], y[2];
  for (int i = 0; i < 4; i++) {
    const float *from = a + (row + i % 2 * 8) * 16 + k + i / 2 * 8;
    x[i] = half(from[0]) | (unsigned)half(from[1]) << 16;
  }
  for (int i = 0; i < 2; i++) y[i] = half(b[(k + i * 8) * 8 + row]) | (unsigned)half(b[(k + i * 8 + 1) * 8 + row]) << 16;
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
    : ${operands("+f", "d", 4)} : ${operands("r", "x", 4)}, ${operands("r", "y", 2)});
  for (int i = 0; i < 4; i++) out[(row + i / 2 * 8) * 8 + k + i % 2] = d[i];
}`;
  const a = Float32Array.from({ length: 256 }, (_, i) => (i * 7) % 13 - 6);
  const b = Float32Array.from({ length: 128 }, (_, i) => (i * 5) % 11 - 5);
  const addresses = [device.put(a), device.put(b), device.alloc(128 * 4)];
  device.launch(device.kernel(device.module(source), "mma"), 1, 32, addresses);
  const expected = Float32Array.from({ length: 128 }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < 16; k++) sum += a[(at >> 3) * 16 + k] * b[k * 8 + at % 8];
    return sum;
  });
  assertEquals(device.read(addresses[2], new Float32Array(128)), expected);
  addresses.forEach((address) => device.free(address));
});

Deno.test("work waits for a synchronisation, in order", () => {
  const module = device.module(WARPS);
  const set = device.kernel(module, "set"), increment = device.kernel(module, "increment");
  const address = device.put(new Int32Array([7]));
  device.synchronize();
  device.launch(set, 1, 1, [address, 10]);
  device.launch(increment, 1, 1, [address, 5]);
  assertEquals(double.count("pendingWork"), 2);
  assertEquals([...device.read(address, new Int32Array(1))], [15]);
  assertEquals(double.count("pendingWork"), 0);
  device.free(address);
});

Deno.test("an event's time is known once it is waited for", () => {
  const [first, second] = [device.made(c.cresset_cuda_event(0, 1)), device.made(c.cresset_cuda_event(0, 1))];
  const address = device.alloc(1 << 20);
  device.check(c.cresset_cuda_event_record(0, 0, first));
  device.check(c.cresset_cuda_fill(0, address, 3, 1 << 20));
  device.check(c.cresset_cuda_event_record(0, 0, second));
  assert(c.cresset_cuda_event_elapsed(first, second) >= 0);
  assertEquals(device.read(address, new Uint8Array(2)), new Uint8Array([3, 3]));
  device.check(c.cresset_cuda_event_destroy(first));
  device.check(c.cresset_cuda_event_destroy(second));
  assertThrows(() => device.check(c.cresset_cuda_event_record(0, 0, first)), Error, "invalid resource handle");
  device.free(address);
});

Deno.test("a graph records launches and copies and repeats them; memory may be allocated, nothing be waited for", () => {
  const module = device.module(WARPS);
  const increment = device.kernel(module, "increment"), address = device.put(new Int32Array([0]));
  const pinned = double.count("pinnedBytes");
  device.check(c.cresset_cuda_capture_begin(0));
  assertThrows(() => device.check(c.cresset_cuda_capture_begin(0)), Error, "no other graph can be begun");
  const constant = device.alloc(4);
  device.write(constant, new Int32Array([40]));
  device.launch(increment, 1, 1, [address, 2]);
  device.launch(increment, 1, 1, [address, 3]);
  device.launch(increment, 1, 1, [constant, 2]);
  for (const refused of [() => device.synchronize(), () => device.read(address, new Int32Array(1))]) {
    assertThrows(refused, Error, "while a graph is captured");
  }
  assertThrows(() => device.free(address), Error, "while a graph is captured");
  const graph = device.made(c.cresset_cuda_capture_end(0));
  assert(double.count("pinnedBytes") > pinned, "the graph keeps what it copies");
  assertEquals([...device.read(address, new Int32Array(1))], [0]);
  for (let i = 0; i < 3; i++) device.check(c.cresset_cuda_graph_launch(0, graph));
  assertEquals([...device.read(address, new Int32Array(1))], [15]);
  assertEquals([...device.read(constant, new Int32Array(1))], [42]);
  device.check(c.cresset_cuda_graph_destroy(0, graph));
  assertEquals(double.count("pinnedBytes"), pinned);
  assertThrows(() => device.made(c.cresset_cuda_capture_end(0)), Error, "no graph is captured");
  device.free(address);
  device.free(constant);
});

Deno.test("every graph has a workspace of its own, which goes with it: several may be replayed at once", () => {
  const n = 64, bytes = n * 8, x = device.put(new Float32Array(2 * n).fill(1)), out = device.alloc(bytes);
  const transform = () => {
    args.set([x, out, 1, n, 1]);
    device.check(c.cresset_cuda_fft(0, 8, 0));
  };
  transform();
  device.synchronize();
  const before = double.count("bytesInUse");
  const graphs = [0, 1].map(() => {
    device.check(c.cresset_cuda_capture_begin(0));
    // The second transform of a graph uses the workspace of the first.
    transform();
    transform();
    return device.made(c.cresset_cuda_capture_end(0));
  });
  assertEquals(double.count("bytesInUse"), before + 2 * bytes);
  for (const graph of graphs) device.check(c.cresset_cuda_graph_launch(0, graph));
  device.read(out, new Float32Array(4)).forEach((value, i) => assertAlmostEquals(value, i < 2 ? n : 0, 1e-4));
  for (const graph of graphs) device.check(c.cresset_cuda_graph_destroy(0, graph));
  assertEquals(double.count("bytesInUse"), before);
  [x, out].forEach((address) => device.free(address));
});

/** The next message of a worker; rejects with its error. */
function messageOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(event.error ?? new Error(event.message));
  });
}

Deno.test("workers on one device share no stream, capture or cache", async () => {
  const address = device.put(new Int32Array([7]));
  const worker = new Worker(new URL("./capturing_worker.ts", import.meta.url), { type: "module" });
  assertEquals(await messageOf(worker), "capturing");
  // Refused where it is this thread that captures a graph.
  device.check(c.cresset_cuda_stream_synchronize(0, 0));
  assertEquals([...device.read(address, new Int32Array(1))], [7]);
  worker.postMessage("end");
  assertEquals(await messageOf(worker), "ended");
  device.free(address);
});

Deno.test("streams wait for events, across a capture and outside; the host waits for none", () => {
  const module = device.module(WARPS);
  const set = device.kernel(module, "set"), increment = device.kernel(module, "increment");
  const address = device.put(new Int32Array([1])), side = device.made(c.cresset_cuda_stream(0, -1));
  const [before, after] = [device.made(c.cresset_cuda_event(0, 0)), device.made(c.cresset_cuda_event(0, 0))];
  const onSide = (work: () => void): void => {
    device.check(c.cresset_cuda_event_record(0, 0, before));
    device.check(c.cresset_cuda_stream_wait(0, side, before));
    device.check(c.cresset_cuda_stream_use(0, side));
    work();
    device.check(c.cresset_cuda_event_record(0, side, after));
    device.check(c.cresset_cuda_stream_use(0, 0));
    device.check(c.cresset_cuda_stream_wait(0, 0, after));
  };
  device.launch(set, 1, 1, [address, 10]);
  onSide(() => device.launch(increment, 1, 1, [address, 5]));
  device.launch(increment, 1, 1, [address, 100]);
  assertEquals([c.cresset_cuda_event_query(0, after), c.cresset_cuda_event_query(0, after)], [0, 1]);
  assertEquals(c.cresset_cuda_stream_query(0, side), 1);
  assertEquals([...device.read(address, new Int32Array(1))], [115]);
  device.check(c.cresset_cuda_capture_begin(0));
  onSide(() => device.launch(increment, 1, 1, [address, 5]));
  device.launch(increment, 1, 1, [address, 1]);
  const graph = device.made(c.cresset_cuda_capture_end(0));
  for (let i = 0; i < 2; i++) device.check(c.cresset_cuda_graph_launch(0, graph));
  assertEquals([...device.read(address, new Int32Array(1))], [127]);
  device.check(c.cresset_cuda_graph_destroy(0, graph));
  // Work of another stream that nobody waits for does not belong to a graph.
  device.check(c.cresset_cuda_capture_begin(0));
  device.check(c.cresset_cuda_event_record(0, 0, before));
  device.check(c.cresset_cuda_stream_wait(0, side, before));
  device.check(c.cresset_cuda_stream_use(0, side));
  device.launch(increment, 1, 1, [address, 5]);
  device.check(c.cresset_cuda_stream_use(0, 0));
  assertThrows(() => device.made(c.cresset_cuda_capture_end(0)), Error, "unjoined work");
  [before, after].forEach((event) => device.check(c.cresset_cuda_event_destroy(event)));
  device.free(address);
});

Deno.test("many small copies to the device are issued without waiting for the ones before", () => {
  const n = 3000, block = device.alloc(n * 512), piece = new Uint8Array(512);
  device.synchronize();
  for (let i = 0; i < n; i++) {
    piece.fill(i % 251);
    device.write(block + i * 512, piece);
  }
  const back = device.read(block, new Uint8Array(n * 512));
  for (let i = 0; i < n; i++) assertEquals([back[i * 512], back[i * 512 + 511]], [i % 251, i % 251]);
  device.free(block);
});

Deno.test("large copies pass through pinned memory in pieces, both ways", () => {
  for (const n of [1, (2 << 20) - 1, 2 << 20, (4 << 20) + 5, (9 << 20) + 3]) {
    const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 7 + (i >> 10)) & 255), address = device.put(bytes);
    const back = device.read(address, new Uint8Array(n));
    assertEquals(back.findIndex((b, i) => b !== bytes[i]), -1, `${n} bytes`);
    device.free(address);
  }
});

Deno.test("NCCL: every collective, and operands that are wrong", () => {
  device.check(c.cresset_cuda_device_open(1));
  args.set([0, 1]);
  const two = device.made(c.cresset_cuda_nccl_open(2));
  const put = (ordinal: number, values: readonly number[]): number => {
    const address = device.made(c.cresset_cuda_alloc(ordinal, values.length * 4));
    const bytes = new Uint8Array(new Float32Array(values).buffer);
    device.check(c.cresset_cuda_write(ordinal, address, bytes, bytes.length));
    return address;
  };
  const get = (ordinal: number, address: number, n: number): number[] => {
    const bytes = new Uint8Array(n * 4);
    device.check(c.cresset_cuda_read(ordinal, address, bytes, bytes.length));
    return [...new Float32Array(bytes.buffer)];
  };
  const sources = [put(0, [1, 2, 3, 4]), put(1, [10, -20, 30, 40])];
  const targets = [put(0, new Array(8).fill(0)), put(1, new Array(8).fill(0))];
  const run = (kind: number, op: number, root: number, count: number): number[][] => {
    args.set([kind, op, root, count, sources[0], targets[0], sources[1], targets[1]]);
    device.check(c.cresset_cuda_nccl_collective(two, float32.code));
    return [get(0, targets[0], 8), get(1, targets[1], 8)];
  };
  const rest = [0, 0, 0, 0];
  assertEquals(run(0, 0, 0, 4), [[11, -18, 33, 44, ...rest], [11, -18, 33, 44, ...rest]]);
  assertEquals(run(0, 2, 0, 2)[1].slice(0, 2), [10, 2]);
  assertEquals(run(0, 4, 0, 1)[0][0], 5.5);
  assertEquals(run(1, 3, 1, 4)[1].slice(0, 4), [1, -20, 3, 4]);
  assertEquals(run(2, 0, 1, 4).map((r) => r.slice(0, 4)), [[10, -20, 30, 40], [10, -20, 30, 40]]);
  assertEquals(run(3, 0, 0, 4), [[1, 2, 3, 4, 10, -20, 30, 40], [1, 2, 3, 4, 10, -20, 30, 40]]);
  assertEquals(run(4, 0, 0, 2).map((r) => r.slice(0, 2)), [[11, -18], [33, 44]]);
  targets.reverse();
  assertThrows(() => run(0, 0, 0, 4), Error, "invalid argument");
  device.check(c.cresset_cuda_nccl_close(two));
  args.set([0, 0]);
  assertThrows(() => device.made(c.cresset_cuda_nccl_open(2)), Error, "invalid usage");
  targets.reverse();
  [...sources, ...targets].forEach((address, i) => device.check(c.cresset_cuda_free(i % 2, address)));
});

Deno.test("memory: limits, injected failures, addresses that are none", () => {
  const before = double.count("bytesInUse");
  assertThrows(() => device.alloc(512 << 20), Error, "out of memory");
  double.fail("alloc", 2);
  const address = device.alloc(1000);
  assertThrows(() => device.alloc(1000), Error, "out of memory");
  assertEquals(new Float32Array(device.read(address, new Uint8Array(8)).buffer), new Float32Array([NaN, NaN]));
  assertThrows(() => device.read(address, new Uint8Array(1001)), Error, "invalid argument");
  assertThrows(() => device.write(address + 4, new Uint8Array(1000)), Error, "invalid argument");
  device.free(address);
  assertThrows(() => device.free(address), Error, "invalid argument");
  assertEquals(double.count("bytesInUse"), before);
});

Deno.test("a fault surfaces later, stays, and leaves the process alive", () => {
  const module = device.module(WARPS);
  const wild = device.kernel(module, "wild"), address = device.alloc(1024);
  device.launch(wild, 1, 1, [address, 1 << 20]);
  assertThrows(() => device.synchronize(), Error, "an illegal memory access");
  assertThrows(() => device.alloc(4), Error, "an illegal memory access");
  double.reset();
  device.launch(device.kernel(module, "lost"), 1, 32, [0, 0]);
  assertThrows(() => device.synchronize(), Error, "a lane of its mask has ended");
  double.reset();
  device.launch(wild, 1, 1, [address, -(1 << 20)]);
  assertThrows(() => device.read(address, new Uint8Array(4)), Error, "kernel wild");
  double.reset();
  device.launch(device.kernel(module, "four"), 1, 1, [address, address + 516]);
  assertThrows(() => device.synchronize(), Error, "misaligned address");
  double.reset();
  double.fail("fault", 1);
  device.launch(device.kernel(module, "set"), 1, 1, [address, 1]);
  assertThrows(() => device.synchronize(), Error, "injected into kernel set");
  double.reset();
  double.fail("launch", 1);
  assertThrows(() => device.launch(wild, 1, 1, [address, 0]), Error, "too many resources");
  device.launch(wild, 1, 1, [address, 2]);
  assertEquals(device.read(address, new Int32Array(3))[2], 1);
  // Behind 1,000 bytes lies padding: what is written there shows when the memory is returned.
  const padded = device.alloc(1000);
  device.launch(wild, 1, 1, [padded, 251]);
  assertThrows(() => device.free(padded), Error, "an illegal memory access");
  double.reset();
  device.free(address);
});

Deno.test("launches and kernels that are wrong are refused", () => {
  const module = device.module(WARPS), set = device.kernel(module, "set");
  assertThrows(() => device.launch(set, 0, 1, [0, 0]), Error, "invalid argument");
  assertThrows(() => device.launch(set, 1, 2048, [0, 0]), Error, "invalid argument");
  assertThrows(() => device.launch(set, [1, 70000], 1, [0, 0]), Error, "invalid argument");
  assertThrows(() => device.launch(set, 1, 1, [0]), Error, "invalid argument");
  assertThrows(() => device.launch(set, 1, 1, [0, 0], 300 << 10), Error, "invalid argument");
  assertThrows(() => device.kernel(module, "none"), Error, "named symbol not found");
  const failed = assertThrows(() => device.module('extern "C" __global__ void f(int a) { undefined_here(a); }'));
  assertStringIncludes(String(failed), "cresset.cu:1");
  assertStringIncludes(String(failed), "undefined_here");
  assertThrows(() => device.module('extern "C" __global__ void f() { asm("bar.arrive 1;"); }'), Error, "bar_arrive");
});

Deno.test("devices: memory of their own, peer copies, ordinals that are none", () => {
  assertEquals(c.cresset_cuda_device_count(), 2);
  assertThrows(() => device.check(c.cresset_cuda_device_open(2)), Error, "there is no CUDA device 2: 2 found");
  const name = new Uint8Array(64);
  device.check(c.cresset_cuda_device_open(1));
  device.check(c.cresset_cuda_device_info(1, name, 64));
  assertStringIncludes(new TextDecoder().decode(name), "CUDA double 1");
  assertEquals([...args.subarray(0, 3), args[5]], [90, 4, 256 << 20, 227 * 1024]);
  const here = device.put(new Int32Array([1, 2, 3])), there = device.made(c.cresset_cuda_alloc(1, 12));
  device.check(c.cresset_cuda_copy_peer(1, there, 0, here, 12));
  const back = new Uint8Array(12);
  device.check(c.cresset_cuda_read(1, there, back, 12));
  assertEquals([...new Int32Array(back.buffer)], [1, 2, 3]);
  // Without peer access, a kernel reaches only its own device's memory.
  device.launch(device.kernel(device.module(WARPS), "set"), 1, 1, [there, 1]);
  assertThrows(() => device.synchronize(), Error, "an illegal memory access");
  double.reset();
  device.check(c.cresset_cuda_free(1, there));
  device.free(here);
});

/** Numbers of a dtype as bytes. */
function stored(dtype: DType, values: readonly number[]): ArrayBufferView<ArrayBuffer> {
  if (dtype === float64) return new Float64Array(values);
  if (dtype === float16) return new Float16Array(values);
  const wide = new Float32Array(values);
  return dtype === float32 ? wide : Uint16Array.from(new Uint32Array(wide.buffer), (bits) => bits >>> 16);
}

/** The numbers of a dtype's bytes. */
function numbers(dtype: DType, address: number, n: number): number[] {
  if (dtype === float64) return [...device.read(address, new Float64Array(n))];
  if (dtype === float32) return [...device.read(address, new Float32Array(n))];
  if (dtype === float16) return [...device.read(address, new Float16Array(n))];
  const bits = Uint32Array.from(device.read(address, new Uint16Array(n)), (half) => half << 16);
  return [...new Float32Array(bits.buffer)];
}

const ACTIVATION = [
  (x: number): number => x,
  (x: number): number => Math.max(x, 0),
  (x: number): number => 0.5 * x * (1 + Math.tanh(0.7978845608028654 * (x + 0.044715 * x ** 3))),
];

Deno.test("cuBLASLt: transposes, batches, leading dimensions, alpha, beta and epilogues in every dtype", () => {
  const [m, n, k, batches] = [3, 5, 4, 2];
  for (const dtype of [float16, bfloat16, float32, float64]) {
    for (const [ta, tb, epilogue] of [[0, 0, 0], [1, 0, 1], [0, 1, 3], [1, 1, 5], [0, 0, 2], [0, 1, 4]]) {
      const lda = (ta ? m : k) + 1, ldb = tb ? k : n, ldo = n + 2;
      const sa = (ta ? k : m) * lda, sb = k * n, so = m * ldo;
      const a = Array.from({ length: sa * batches }, (_, i) => (i % 7) - 3);
      const b = Array.from({ length: sb * batches }, (_, i) => (i % 5) - 2);
      const o = Array.from({ length: so * batches }, (_, i) => i % 3), bias = [-4, 1, 0, 8, -2];
      const addresses = [a, b, o, bias].map((values) => device.put(stored(dtype, values)));
      args.set([...addresses.slice(0, 3), m, n, k, lda, ldb, ldo, ta, tb, batches, sa, sb, so, 0.5, 2]);
      args.set([[1, 3, 5].includes(epilogue) ? addresses[3] : 0, epilogue], 17);
      device.check(c.cresset_cuda_matmul(0, dtype.code, 0));
      const out = numbers(dtype, addresses[2], o.length);
      const expected = o.slice();
      for (let batch = 0; batch < batches; batch++) {
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let sum = 0;
            for (let l = 0; l < k; l++) {
              sum += a[batch * sa + (ta ? l * lda + i : i * lda + l)] *
                b[batch * sb + (tb ? j * ldb + l : l * ldb + j)];
            }
            const at = batch * so + i * ldo + j;
            const value = 0.5 * sum + 2 * o[at] + ([1, 3, 5].includes(epilogue) ? bias[j] : 0);
            expected[at] = ACTIVATION[epilogue >> 1](value);
          }
        }
      }
      const tolerance = dtype === bfloat16 ? 0.1 : dtype === float16 ? 0.01 : 1e-5;
      out.forEach((value, i) =>
        assertAlmostEquals(value, expected[i], tolerance, `${dtype} ${ta}${tb} ${epilogue} ${i}`)
      );
      addresses.forEach((address) => device.free(address));
    }
  }
});

Deno.test("cuBLASLt: operands at odd addresses, which rule out algorithms for aligned ones", () => {
  for (const offset of [4, 16, 256]) {
    const from = device.put(new Float32Array(100).fill(2)), out = device.alloc(400);
    args.set([from + offset, from, out + offset, 2, 2, 3, 3, 2, 2, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    if (offset === 256) args.set([from + 256, from + 256, out + 256]);
    device.check(c.cresset_cuda_matmul(0, float32.code, 0));
    assertEquals(numbers(float32, out + offset, 4), [12, 12, 12, 12]);
    [from, out].forEach((address) => device.free(address));
  }
});

Deno.test("cuDNN: strided, padded, dilated and grouped convolutions in all directions", () => {
  const [batch, channels, filters, groups] = [2, 4, 6, 2];
  for (const dtype of [float32, float64, float16, bfloat16]) {
    const sizes = [7, 6], kernel = [3, 2], stride = [2, 1], padding = [1, 0], dilation = [1, 2];
    const out = sizes.map((s, d) =>
      Math.floor((s + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1
    );
    const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
    const shapes = [[batch, channels, ...sizes], [filters, channels / groups, ...kernel], [batch, filters, ...out]];
    const values = shapes.map((shape, s) => Array.from({ length: count(shape) }, (_, i) => (i * (s + 3)) % 5 - 2));
    const expected = shapes.map((shape) => new Array<number>(count(shape)).fill(0));
    const [x, w, y] = values;
    for (let b = 0; b < batch; b++) {
      for (let f = 0; f < filters; f++) {
        for (let i = 0; i < channels / groups; i++) {
          for (let p = 0; p < out[0] * out[1]; p++) {
            for (let q = 0; q < kernel[0] * kernel[1]; q++) {
              const r = Math.floor(p / out[1]) * stride[0] - padding[0] + Math.floor(q / kernel[1]) * dilation[0];
              const s = (p % out[1]) * stride[1] - padding[1] + (q % kernel[1]) * dilation[1];
              if (r < 0 || s < 0 || r >= sizes[0] || s >= sizes[1]) continue;
              const channel = Math.floor(f / (filters / groups)) * (channels / groups) + i;
              const xi = ((b * channels + channel) * sizes[0] + r) * sizes[1] + s;
              const wi = (f * (channels / groups) + i) * kernel[0] * kernel[1] + q;
              const yi = (b * filters + f) * out[0] * out[1] + p;
              expected[2][yi] += x[xi] * w[wi];
              expected[0][xi] += w[wi] * y[yi];
              expected[1][wi] += x[xi] * y[yi];
            }
          }
        }
      }
    }
    [2, 0, 1].forEach((target, kind) => {
      const addresses = values.map((v) => device.put(stored(dtype, v)));
      const lists = [sizes, [filters], kernel, out, stride, padding, dilation].flat();
      args.set([...addresses, 0, 2, groups, batch, channels, ...lists]);
      device.check(c.cresset_cuda_conv(0, dtype.code, kind, 0));
      const result = numbers(dtype, addresses[target], expected[target].length);
      const tolerance = dtype === bfloat16 ? 1 : 1e-2;
      result.forEach((v, i) => assertAlmostEquals(v, expected[target][i], tolerance, `${dtype} ${kind} ${i}`));
      addresses.forEach((address) => device.free(address));
    });
  }
});

Deno.test("integers and booleans go through kernels", () => {
  const x = input(0, int64);
  const outputs = [[x.mul(3).floorDivide(7), int64], [x.gt(2), bool]] as const;
  const module = device.module(printCuda(program([int64], outputs), "i"));
  const values = new BigInt64Array([-5n, 0n, 3n, 2n ** 61n]);
  const addresses = [device.put(values), device.alloc(32), device.alloc(4)];
  device.launch(device.kernel(module, "i_dense"), 1, 32, denseSlots(4, addresses, [1, 1, 1]));
  assertEquals([...device.read(addresses[1], new BigInt64Array(4))], [-3n, 0n, 1n, 3n * 2n ** 61n / 7n]);
  assertEquals([...device.read(addresses[2], new Uint8Array(4))], [0, 0, 1, 1]);
  addresses.forEach((address) => device.free(address));
});
