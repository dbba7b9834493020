/**
 * The caching allocator that every backend with addressable memory uses.
 *
 * Sizes are rounded up to classes (eight to a doubling, so at most 12.5 % is lost beyond 512 bytes). A freed block goes
 * to its class's list, from where the next one of that class comes in a few nanoseconds. Blocks are carved from
 * segments; when a class is empty and no segment has room, free neighbours are merged, then the system is asked, and
 * only when that fails too is memory out.
 *
 * Blocks come from the pool in use and return to the one that they came from. Most devices have one; CUDA has one per
 * stream, because what is freed on a stream may be used again there at once, and one per recorded graph.
 *
 * @module
 */

import { OutOfMemoryError } from "../base/errors.ts";
import type { Block, MemoryStats } from "./backend.ts";

/** Where segments come from. */
export interface SegmentSource {
  /** The device's name, for messages. */
  readonly device: string;
  /** Gets memory aligned to {@linkcode ALIGNMENT}: its address, or 0. */
  allocate(bytes: number): number;
  /** The bytes of the largest segment that there may be now, where that is known. */
  largest?(): number;
  /** What else to say when there is no memory left, begun by a comma. */
  describe?(): string;
  /** Whether parts of a segment may be returned, not only whole ones. */
  readonly divisible?: boolean;
  /** Returns it: whether it went. */
  free(address: number, bytes: number): boolean;
}

/** Every address and size is a multiple of this: a cache line and the widest vector. */
export const ALIGNMENT = 64;

const SMALL = 64 * 1024;
const SMALL_SEGMENT = 1024 * 1024;
const MIN_SEGMENT = 8 * 1024 * 1024;
const MAX_SEGMENT = 64 * 1024 * 1024;
/** Sizes below this have one class per 64 bytes. */
const LINEAR = 512;

/** A block of an {@linkcode Allocator}. */
class CachedBlock implements Block {
  readonly address: number;
  readonly bytes: number;
  readonly sizeClass: number;
  readonly pool: Pool;
  requested: number;
  live = true;

  constructor(address: number, bytes: number, sizeClass: number, requested: number, pool: Pool) {
    this.address = address;
    this.bytes = bytes;
    this.sizeClass = sizeClass;
    this.requested = requested;
    this.pool = pool;
  }
}

/** Index of the size class that holds `bytes`. */
export function sizeClassOf(bytes: number): number {
  if (bytes <= LINEAR) return bytes === 0 ? 0 : ((bytes + 63) >>> 6) - 1;
  // The top four bits of the size choose: 8 classes per doubling.
  const exponent = bytes <= 0x40000000 ? 31 - Math.clz32(bytes - 1) : Math.floor(Math.log2(bytes - 1));
  const step = 2 ** (exponent - 3);
  return 8 + (exponent - 9) * 8 + Math.ceil((bytes - 2 ** exponent) / step) - 1;
}

/** The size of the blocks of a class, in bytes. */
export function bytesOfClass(index: number): number {
  if (index < 8) return (index + 1) * 64;
  const exponent = 9 + Math.floor((index - 8) / 8);
  return 2 ** exponent + ((index - 8) % 8 + 1) * 2 ** (exponent - 3);
}

interface Range {
  address: number;
  bytes: number;
}

/** Segments of one kind (for small or for large blocks) and what is free in them. */
class Pool {
  readonly segments: Range[] = [];
  ranges: Range[] = [];
  readonly free: CachedBlock[][] = [];
  freeBytes = 0;

  /** Carves from the smallest range that fits: its address, or -1. */
  carve(bytes: number): number {
    let best: Range | null = null;
    for (const range of this.ranges) {
      if (range.bytes >= bytes && (best === null || range.bytes < best.bytes)) best = range;
    }
    if (best === null) return -1;
    const address = best.address;
    best.address += bytes;
    best.bytes -= bytes;
    if (best.bytes === 0) this.ranges.splice(this.ranges.indexOf(best), 1);
    return address;
  }

  /** Turns cached blocks back into ranges, neighbours merged. */
  coalesce(): void {
    const all = this.ranges;
    for (const list of this.free) {
      if (list === undefined) continue;
      for (const block of list) all.push({ address: block.address, bytes: block.bytes });
      list.length = 0;
    }
    this.freeBytes = 0;
    all.sort((a, b) => a.address - b.address);
    const starts = new Set(this.segments.map((s) => s.address));
    const merged: Range[] = [];
    for (const range of all) {
      const last = merged[merged.length - 1];
      // Segments are returned to the system one by one, so blocks never span two.
      if (last && last.address + last.bytes === range.address && !starts.has(range.address)) last.bytes += range.bytes;
      else merged.push({ address: range.address, bytes: range.bytes });
    }
    this.ranges = merged;
  }

  /** The bytes of the largest range, as of the last time that ranges were merged. */
  largest(): number {
    return this.ranges.reduce((most, range) => Math.max(most, range.bytes), 0);
  }

  /** Returns what is free, a range each, and leaves segments of what is between: how many bytes went. */
  #releaseParts(source: SegmentSource): number {
    let released = 0;
    this.ranges = this.ranges.filter(({ address, bytes }) => {
      if (!source.free(address, bytes)) return true;
      const at = this.segments.findIndex((s) => s.address <= address && address < s.address + s.bytes);
      const segment = this.segments[at], end = address + bytes;
      const parts = [
        { address: segment.address, bytes: address - segment.address },
        { address: end, bytes: segment.address + segment.bytes - end },
      ];
      this.segments.splice(at, 1, ...parts.filter((part) => part.bytes > 0));
      released += bytes;
      return false;
    });
    return released;
  }

  /** Returns segments that are entirely free, or whatever is free where segments may be divided: how many bytes went. */
  release(source: SegmentSource): number {
    this.coalesce();
    if (source.divisible) return this.#releaseParts(source);
    let released = 0;
    for (let i = this.segments.length - 1; i >= 0; i--) {
      const segment = this.segments[i];
      const at = this.ranges.findIndex((r) => r.address === segment.address && r.bytes === segment.bytes);
      if (at < 0 || !source.free(segment.address, segment.bytes)) continue;
      this.ranges.splice(at, 1);
      this.segments.splice(i, 1);
      released += segment.bytes;
    }
    return released;
  }
}

/** The memory of one stream or graph: what is free of it is used again there alone. */
export class MemoryPool {
  /** @ignore */
  readonly small: Pool = new Pool();
  /** @ignore */
  readonly large: Pool = new Pool();
  /** Whether a recorded graph uses its memory, live or free, so that none of it may go. */
  kept = false;
  /** Whether nobody will allocate from it again, so that it disappears once its blocks are free. */
  retired = false;
}

/** Says when a block that was freed may be used again: other streams may still read it. */
export interface ReuseGuard {
  /** Called when the block is freed. */
  freed(): void;
  /** Whether the block may be used again. */
  done(): boolean;
}

/** A caching allocator over a source of segments. */
export class Allocator {
  /**
   * Called before the system is asked for more memory and again before giving up: a chance to free blocks that the
   * collector holds.
   */
  onPressure: (() => void) | null = null;

  readonly #source: SegmentSource;
  #pools: MemoryPool[] = [new MemoryPool()];
  #pool: MemoryPool = this.#pools[0];
  #small: Pool = this.#pool.small;
  #large: Pool = this.#pool.large;
  readonly #guards = new Map<Block, ReuseGuard>();
  #waiting: CachedBlock[] = [];
  #allocated = 0;
  #peak = 0;
  #reserved = 0;
  #peakReserved = 0;
  #live = 0;
  #count = 0;
  #limit = Infinity;

  /** Makes an empty allocator over `source`. */
  constructor(source: SegmentSource) {
    this.#source = source;
  }

  /** Bytes in live blocks, as asked for. */
  get allocatedBytes(): number {
    return this.#allocated;
  }

  /** Bytes that this allocator may obtain from the system; more throws `OutOfMemoryError`. */
  setLimit(bytes: number): void {
    this.#limit = bytes;
  }

  /** Bytes obtained from the system at most so far. */
  get peakReservedBytes(): number {
    return this.#peakReserved;
  }

  /** The pool in use. */
  get pool(): MemoryPool {
    return this.#pool;
  }

  /** A new pool, for {@linkcode Allocator.use}. */
  addPool(): MemoryPool {
    const pool = new MemoryPool();
    this.#pools.push(pool);
    return pool;
  }

  /** Takes blocks from `pool` from now on; gives the pool that was in use. */
  use(pool: MemoryPool): MemoryPool {
    const before = this.#pool;
    this.#pool = pool;
    this.#small = pool.small;
    this.#large = pool.large;
    return before;
  }

  /** Lets a pool go: its memory returns to the system, and that of live blocks once they are free. */
  retire(pool: MemoryPool): void {
    pool.retired = true;
    this.#release(pool);
  }

  /** Lets a block, when it is freed, wait for `guard` before it is used again. */
  guard(block: Block, guard: ReuseGuard): void {
    this.#guards.set(block, guard);
  }

  /** The guard of a block, if it has one. */
  guardOf(block: Block): ReuseGuard | undefined {
    return this.#guards.get(block);
  }

  /**
   * A block of at least `bytes` bytes, uninitialised.
   *
   * @throws {OutOfMemoryError} if there is no memory left
   */
  alloc(bytes: number): Block {
    const index = sizeClassOf(bytes);
    const pool = bytes <= SMALL ? this.#small : this.#large;
    const list = pool.free[index];
    let block: CachedBlock;
    if (list !== undefined && list.length > 0) {
      // A new object for each life, so that a stale reference cannot free its successor.
      const cached = list.pop()!;
      pool.freeBytes -= cached.bytes;
      block = new CachedBlock(cached.address, cached.bytes, index, bytes, pool);
    } else {
      block = this.#carve(pool, index, bytes);
    }
    this.#allocated += bytes;
    if (this.#allocated > this.#peak) this.#peak = this.#allocated;
    this.#live++;
    this.#count++;
    return block;
  }

  /** Returns a block; a second return of the same block is ignored. */
  free(block: Block): void {
    const cached = block as CachedBlock;
    if (!cached.live) return;
    cached.live = false;
    this.#allocated -= cached.requested;
    this.#live--;
    if (this.#guards.size > 0 && this.#guards.has(block)) {
      this.#guards.get(block)!.freed();
      this.#waiting.push(cached);
    } else this.#reuse(cached);
  }

  #reuse(cached: CachedBlock): void {
    const { pool } = cached;
    pool.freeBytes += cached.bytes;
    const list = pool.free[cached.sizeClass];
    if (list === undefined) pool.free[cached.sizeClass] = [cached];
    else list.push(cached);
  }

  /** Takes back the blocks that other streams are done with. */
  #collectWaiting(): void {
    this.#waiting = this.#waiting.filter((cached) => {
      if (!this.#guards.get(cached)!.done()) return true;
      this.#guards.delete(cached);
      this.#reuse(cached);
      return false;
    });
  }

  /** The figures. */
  stats(): MemoryStats {
    return {
      allocatedBytes: this.#allocated,
      peakAllocatedBytes: this.#peak,
      reservedBytes: this.#reserved,
      liveBlocks: this.#live,
      allocations: this.#count,
    };
  }

  /** Makes the peak start again from what is live. */
  resetPeak(): void {
    this.#peak = this.#allocated;
    this.#peakReserved = this.#reserved;
  }

  /** Returns free segments to the system where that is possible. */
  emptyCache(): void {
    this.#collectWaiting();
    for (const pool of this.#pools) this.#release(pool);
  }

  #release(pool: MemoryPool): void {
    if (pool.kept && !pool.retired) return;
    this.#reserved -= pool.large.release(this.#source) + pool.small.release(this.#source);
    const empty = pool.retired && pool.large.segments.length + pool.small.segments.length === 0;
    if (empty) this.#pools = this.#pools.filter((other) => other !== pool);
  }

  #carve(pool: Pool, index: number, requested: number): CachedBlock {
    const bytes = bytesOfClass(index);
    if (this.#waiting.length > 0) {
      this.#collectWaiting();
      const cached = pool.free[index]?.pop();
      if (cached !== undefined) {
        pool.freeBytes -= bytes;
        return new CachedBlock(cached.address, bytes, index, requested, pool);
      }
    }
    let address = pool.carve(bytes);
    // Merging is worth it once what lies idle is a good part of what is reserved.
    if (address < 0 && pool.freeBytes >= bytes && pool.freeBytes * 4 >= this.#reserved) {
      pool.coalesce();
      address = pool.carve(bytes);
    }
    if (address < 0) address = this.#grow(pool, bytes, requested);
    return new CachedBlock(address, bytes, index, requested, pool);
  }

  #grow(pool: Pool, bytes: number, requested: number): number {
    if (this.onPressure !== null) {
      const before = pool.freeBytes;
      this.onPressure();
      if (pool.freeBytes - before >= bytes) {
        pool.coalesce();
        const address = pool.carve(bytes);
        if (address >= 0) return address;
      }
    }
    // Segments grow with use, so that their number stays small and small programs stay small.
    const usual = pool === this.#small
      ? SMALL_SEGMENT
      : Math.min(MAX_SEGMENT, Math.max(MIN_SEGMENT, this.#reserved / 4));
    const size = Math.ceil(Math.max(bytes, usual) / ALIGNMENT) * ALIGNMENT;
    if (this.#addSegment(pool, size) || (size > bytes && this.#addSegment(pool, bytes))) return pool.carve(bytes);
    // Nothing left: merge everything, give back what is whole, and try once more.
    this.emptyCache();
    pool.coalesce();
    const address = pool.carve(bytes);
    if (address >= 0) return address;
    if (this.#addSegment(pool, bytes)) return pool.carve(bytes);
    throw this.#outOfMemory(pool, requested);
  }

  /** What is left, and what to do. */
  #outOfMemory(pool: Pool, requested: number): OutOfMemoryError {
    const { device, largest, describe } = this.#source;
    const known = largest?.call(this.#source) ?? 0;
    const left = Math.max(pool.largest(), Math.min(known, Math.max(0, this.#limit - this.#reserved)));
    const limit = this.#limit < Infinity ? `, limited to ${this.#limit}` : "";
    return new OutOfMemoryError(
      `alloc(): no memory left on ${device}: ${requested} bytes asked for, ${this.#allocated} in use in ` +
        `${this.#live} blocks, ${this.#reserved} reserved${limit}${
          largest || pool.largest() > 0 ? `, ${left} in the largest free piece` : ""
        }${
          describe?.call(this.#source) ?? ""
        }; dispose tensors (\`using\`, dispose(), scope()), or await now and then so that the collector can free those ` +
        "that are unreachable",
    );
  }

  #addSegment(pool: Pool, bytes: number): boolean {
    if (this.#reserved + bytes > this.#limit) return false;
    const address = this.#source.allocate(bytes);
    if (address === 0) return false;
    this.#reserved += bytes;
    if (this.#reserved > this.#peakReserved) this.#peakReserved = this.#reserved;
    pool.segments.push({ address, bytes });
    pool.ranges.push({ address, bytes });
    return true;
  }
}
