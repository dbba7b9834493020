/**
 * The caching allocator over a simulated source of segments: classes, reuse, merging, limits and figures.
 */

import { assert, assertEquals, assertThrows, fail } from "@std/assert";
import { ALIGNMENT, Allocator, bytesOfClass, type SegmentSource, sizeClassOf } from "../../src/backend/allocator.ts";
import { OutOfMemoryError } from "../../src/base/errors.ts";

const MIB = 1024 * 1024;

/** Memory that exists only as addresses. */
class Source implements SegmentSource {
  readonly device = "test";
  readonly segments = new Map<number, number>();
  next = 4096;
  limit = Infinity;
  allocate(bytes: number): number {
    if (this.total() + bytes > this.limit) return 0;
    const at = this.next;
    this.segments.set(at, bytes);
    this.next += bytes;
    return at;
  }
  free(address: number, bytes: number): boolean {
    assertEquals(this.segments.get(address), bytes);
    this.segments.delete(address);
    return true;
  }
  total(): number {
    return [...this.segments.values()].reduce((a, b) => a + b, 0);
  }
}

Deno.test("size classes hold what is asked for and waste at most an eighth", () => {
  let last = -1;
  for (let bytes = 0; bytes < 5000; bytes++) {
    const index = sizeClassOf(bytes);
    if (!(index === last || index === last + 1)) fail(`class of ${bytes}`);
    last = index;
    assert(bytesOfClass(index) >= bytes);
    if (!(index === 0 || bytesOfClass(index - 1) < bytes)) fail(`${bytes} fits a smaller class`);
  }
  for (let e = 9; e < 45; e++) {
    for (const bytes of [2 ** e, 2 ** e + 1, 2 ** e * 1.5, 2 ** e * 1.5 + 1, 2 ** (e + 1) - 1]) {
      const size = bytesOfClass(sizeClassOf(bytes));
      if (!(size >= bytes && size <= bytes * 1.125 + ALIGNMENT)) fail(`${bytes} in ${size}`);
      assertEquals(size % ALIGNMENT, 0);
    }
  }
});

Deno.test("blocks are aligned, apart, inside segments, and reused", () => {
  const source = new Source(), allocator = new Allocator(source);
  const blocks = [1, 100, 1000, 70_000, 3 * MIB, 100 * MIB, 64].map((n) => ({ n, block: allocator.alloc(n) }));
  const sorted = blocks.map(({ block }) => block).sort((a, b) => a.address - b.address);
  sorted.forEach((b, i) => {
    assertEquals(b.address % ALIGNMENT, 0);
    if (i > 0) assert(sorted[i - 1].address + sorted[i - 1].bytes <= b.address, "blocks overlap");
    assert([...source.segments].some(([at, size]) => b.address >= at && b.address + b.bytes <= at + size));
  });
  const reserved = allocator.stats().reservedBytes;
  for (let round = 0; round < 100; round++) {
    for (const entry of blocks) {
      const { address } = entry.block;
      allocator.free(entry.block);
      entry.block = allocator.alloc(entry.n);
      assertEquals(entry.block.address, address, "the block just freed comes back");
    }
  }
  assertEquals(allocator.stats().reservedBytes, reserved);
});

Deno.test("figures count what is live as it was asked for", () => {
  const allocator = new Allocator(new Source());
  const a = allocator.alloc(1000), b = allocator.alloc(500);
  allocator.free(a);
  assertEquals(allocator.stats().allocatedBytes, 500);
  assertEquals(allocator.stats().peakAllocatedBytes, 1500);
  assertEquals(allocator.stats().liveBlocks, 1);
  assertEquals(allocator.stats().allocations, 2);
  allocator.resetPeak();
  assertEquals(allocator.stats().peakAllocatedBytes, 500);
  allocator.free(b);
  allocator.free(b);
  assertEquals(allocator.stats().allocatedBytes, 0, "freeing twice changes nothing");
  assertEquals(allocator.stats().liveBlocks, 0);
});

Deno.test("a stale block cannot free its successor", () => {
  const allocator = new Allocator(new Source());
  const a = allocator.alloc(100);
  allocator.free(a);
  const b = allocator.alloc(100);
  assertEquals(a.address, b.address);
  allocator.free(a);
  assertEquals(allocator.stats().liveBlocks, 1);
  assert(allocator.alloc(100).address !== b.address);
});

Deno.test("idle neighbours are merged before the system is asked for more", () => {
  const source = new Source(), allocator = new Allocator(source);
  const small = Array.from({ length: 64 }, () => allocator.alloc(MIB));
  const reserved = allocator.stats().reservedBytes;
  small.forEach((b) => allocator.free(b));
  // No cached block is this large, but together they are.
  allocator.free(allocator.alloc(6 * MIB));
  assertEquals(allocator.stats().reservedBytes, reserved);
});

Deno.test("emptyCache returns whole segments and keeps those in use", () => {
  const source = new Source(), allocator = new Allocator(source);
  const keep = allocator.alloc(200 * MIB), drop = allocator.alloc(300 * MIB);
  allocator.free(drop);
  allocator.emptyCache();
  assert(source.total() >= 200 * MIB && source.total() < 300 * MIB, `${source.total()}`);
  assertEquals(allocator.stats().reservedBytes, source.total());
  allocator.free(keep);
  allocator.emptyCache();
  assertEquals(source.total(), 0);
  assertEquals(allocator.stats().reservedBytes, 0);
});

Deno.test("memory freed in pieces serves one large block before memory is out", () => {
  const source = new Source(), allocator = new Allocator(source);
  source.limit = 64 * MIB;
  const blocks = Array.from({ length: 40 }, () => allocator.alloc(MIB));
  blocks.forEach((b) => allocator.free(b));
  const large = allocator.alloc(48 * MIB);
  allocator.free(large);
  assertThrows(
    () => allocator.alloc(65 * MIB),
    OutOfMemoryError,
    "no memory left on test: 68157440 bytes asked for, 0 in use in 0 blocks",
  );
  allocator.free(allocator.alloc(MIB));
});

Deno.test("pressure is raised before growing, and what it frees is used", () => {
  const source = new Source(), allocator = new Allocator(source);
  source.limit = 40 * MIB;
  const held = [allocator.alloc(30 * MIB)];
  let raised = 0;
  allocator.onPressure = () => {
    raised++;
    for (const b of held.splice(0)) allocator.free(b);
  };
  const block = allocator.alloc(29 * MIB);
  assertEquals(raised, 1);
  assertEquals(allocator.stats().liveBlocks, 1);
  allocator.free(block);
});

Deno.test("a limit is honoured", () => {
  const allocator = new Allocator(new Source());
  allocator.setLimit(16 * MIB);
  assertThrows(() => allocator.alloc(17 * MIB), OutOfMemoryError);
  allocator.free(allocator.alloc(10 * MIB));
});

Deno.test("pools: blocks return to where they came from; what a pool keeps does not go, and a retired one disappears", () => {
  const source = new Source(), allocator = new Allocator(source);
  const first = allocator.alloc(1000), usual = allocator.pool;
  const other = allocator.addPool();
  other.kept = true;
  assert(allocator.use(other) === usual);
  const second = allocator.alloc(1000);
  allocator.free(first);
  const third = allocator.alloc(1000);
  assert(third.address !== first.address, "another pool's memory is not used");
  allocator.use(usual);
  for (const block of [second, third]) allocator.free(block);
  assertEquals(allocator.alloc(1000).address, first.address);
  const reserved = allocator.stats().reservedBytes;
  allocator.emptyCache();
  assertEquals(allocator.stats().reservedBytes, reserved, "a kept pool keeps what is free, too");
  allocator.use(other);
  const late = allocator.alloc(2000);
  allocator.use(usual);
  allocator.retire(other);
  assertEquals(allocator.stats().reservedBytes, reserved, "something of it is live");
  allocator.free(late);
  allocator.emptyCache();
  assert(allocator.stats().reservedBytes < reserved);
  assertEquals([allocator.stats().liveBlocks, allocator.peakReservedBytes], [1, reserved]);
});

Deno.test("a guarded block is used again once its guard says so", () => {
  const allocator = new Allocator(new Source());
  const block = allocator.alloc(5000);
  const calls: string[] = [];
  let done = false;
  allocator.guard(block, { freed: () => calls.push("freed"), done: () => done });
  allocator.free(block);
  assertEquals(calls, ["freed"]);
  const other = allocator.alloc(5000);
  assert(other.address !== block.address);
  done = true;
  assertEquals(allocator.alloc(5000).address, block.address);
  assertEquals(allocator.guardOf(block), undefined);
});

Deno.test("the error of memory that is out says what the source says of it", () => {
  const source = Object.assign(new Source(), { describe: () => ", 7 bytes free on the device" });
  source.limit = MIB;
  const error = assertThrows(() => new Allocator(source).alloc(2 * MIB), OutOfMemoryError);
  assert(error.message.includes("0 reserved, 7 bytes free on the device; dispose"), error.message);
});

/** Memory as WebAssembly has it: one piece that parts return to. */
class Divisible implements SegmentSource {
  readonly device = "test";
  readonly divisible = true;
  readonly size = 64 * MIB;
  /** Free ranges by their start. */
  readonly holes = new Map<number, number>([[4096, 64 * MIB]]);
  allocate(bytes: number): number {
    for (const [at, room] of this.holes) {
      if (room < bytes) continue;
      this.holes.delete(at);
      if (room > bytes) this.holes.set(at + bytes, room - bytes);
      return at;
    }
    return 0;
  }
  free(address: number, bytes: number): boolean {
    for (const [at, room] of [...this.holes]) {
      if (at + room !== address && address + bytes !== at) continue;
      this.holes.delete(at);
      [address, bytes] = [Math.min(at, address), bytes + room];
    }
    this.holes.set(address, bytes);
    return true;
  }
  largest(): number {
    return Math.max(0, ...this.holes.values());
  }
}

Deno.test("where segments may be divided, a live block holds only itself", () => {
  const source = new Divisible(), allocator = new Allocator(source);
  const blocks = Array.from({ length: 62 }, () => allocator.alloc(MIB));
  const error = assertThrows(() => allocator.alloc(8 * MIB), OutOfMemoryError);
  assert(/62 blocks, \d+ reserved, \d+ in the largest free piece;/.test(error.message), error.message);
  const [kept] = blocks.splice(40, 1);
  for (const block of blocks) allocator.free(block);
  allocator.free(allocator.alloc(40 * MIB));
  allocator.emptyCache();
  assertEquals(allocator.stats().reservedBytes, MIB);
  assertEquals([...source.holes.values()].reduce((a, b) => a + b), source.size - MIB);
  allocator.free(kept);
  allocator.emptyCache();
  assertEquals([allocator.stats().reservedBytes, source.holes.get(4096)], [0, source.size]);
});
