/**
 * Storage: a block of device memory that a tensor and its views share, and who owns it.
 *
 * JavaScript has no reference counts, so ownership is decided where the library can know it. A storage carries
 * *claims*: one of its maker (the scope it was made in, or the user at top level) and one per saved tensor of the
 * autograd graph. At zero claims the block returns to the pool at once. The garbage collector is only the fallback:
 * what belongs to the user at top level is registered with a finalizer, and so is, once per outermost call, what a
 * graph still saves.
 *
 * @module
 */

import type { Device } from "../base/device.ts";
import { ReleasedError } from "../base/errors.ts";
import type { Backend, Block } from "../backend/backend.ts";

/** The block of every released storage. No kernel sees it: ops check `released` first. */
const RELEASED: Block = { address: 0, bytes: 0 };

/** The block that a finalizer returns; `null` once it was returned by other means. */
interface Ticket {
  block: Block | null;
  readonly backend: Backend;
  readonly graph: GraphRecord | null;
}

/** The blocks that only the graph of one outermost call still needs. */
interface GraphRecord {
  tickets: Ticket[];
  live: number;
}

const userRegistry = new FinalizationRegistry<Ticket>(returnBlock);
const cohortRegistry = new FinalizationRegistry<Ticket[]>((tickets) => tickets.forEach(returnBlock));
const graphRegistry = new FinalizationRegistry<GraphRecord>((record) => record.tickets.forEach(returnBlock));

function returnBlock(ticket: Ticket): void {
  if (ticket.block === null) return;
  ticket.backend.free(ticket.block);
  ticket.block = null;
}

/**
 * Registering a finalizer costs as much as a small op, so small blocks share one: they are returned when the last of
 * their cohort is unreachable, which holds back at most `COHORT * COHORT_BYTES` per survivor.
 */
const COHORT = 16;
const COHORT_BYTES = 1024;
let cohort: object = {};
let cohortTickets: Ticket[] = new Array(COHORT);

function joinCohort(ticket: Ticket): object {
  if (cohortTickets.length >= COHORT) {
    cohort = {};
    cohortTickets = [];
    cohortRegistry.register(cohort, cohortTickets);
  }
  cohortTickets.push(ticket);
  return cohort;
}

/** The scope that owns new storages; `null` at top level. */
let current: Scope | null = null;

/** Device memory that tensors view. */
export class Storage {
  /** The block of memory; an empty one once released. */
  block: Block;
  /** The device's kernels. */
  readonly backend: Backend;
  /** The device that holds the memory. */
  readonly device: Device;
  /** The size in bytes, without the allocator's rounding. */
  readonly nbytes: number;
  /** The version: the number of in-place writes. Autograd compares it to find saved tensors that were modified. */
  version = 0;
  /** The name of the op that made it, for the message of {@linkcode ReleasedError}. */
  readonly madeBy: string;
  /** The reference count: one claim of the maker and one per saved tensor. */
  private claims = 1;
  private ticket: Ticket | null = null;
  /** A reference to the cohort that shares this storage's finalizer; see `joinCohort`. */
  private cohort: object | null = null;
  /** The id of the last scope that found this storage in its result. */
  mark = 0;
  /** Exempt from scopes: the user keeps it, and the collector frees it. */
  private kept = false;
  /** Exempt from scopes: an explicit owner (a leaf's gradient, the engine) took over the maker's claim. */
  adopted = false;

  /** Makes a storage of `block`, owned by the current scope or, outside of scopes, by the user. */
  constructor(block: Block, backend: Backend, device: Device, nbytes: number, madeBy: string) {
    this.block = block;
    this.backend = backend;
    this.device = device;
    this.nbytes = nbytes;
    this.madeBy = madeBy;
    if (current !== null) current.storages.push(this);
    else this.handToCollector(null);
  }

  /** Whether the memory was returned to the pool. */
  get released(): boolean {
    return this.block === RELEASED;
  }

  /**
   * Lets the garbage collector free the block: with this object, or, given `graph`, with the graph that it stands for.
   */
  handToCollector(graph: GraphRecord | null): void {
    if (this.released) return;
    if (this.ticket !== null) {
      if (graph !== null || this.ticket.graph === null) return;
      // The graph's collection must no longer free what the user now holds.
      this.ticket.block = null;
      dropFromRecord(this.ticket.graph);
    }
    this.ticket = { block: this.block, backend: this.backend, graph };
    if (graph) {
      graph.tickets.push(this.ticket);
      graph.live++;
    } else if (this.block.bytes <= COHORT_BYTES) this.cohort = joinCohort(this.ticket);
    else userRegistry.register(this, this.ticket);
  }

  /** Exempts the storage from every scope; the collector frees it. */
  keep(): void {
    if (this.kept) return;
    this.kept = true;
    for (let scope = current; scope !== null; scope = scope.parent) scope.escaped = true;
    this.claims++;
    this.handToCollector(null);
  }

  /** Gives a storage that an explicit owner adopted to the open scope, or to the user. */
  disown(): void {
    this.adopted = false;
    if (current !== null) current.storages.push(this);
    else this.handToCollector(null);
  }

  /** Whether the garbage collector frees it, so that no other owner may. */
  get collected(): boolean {
    return this.ticket !== null && this.ticket.graph === null;
  }

  /** Adds a claim. */
  claim(): void {
    this.claims++;
  }

  /** Gives up a claim; the last one returns the memory to the pool. */
  unclaim(): void {
    if (this.claims > 0 && --this.claims === 0) this.release();
  }

  /** Whether there is exactly one claim. */
  get soleOwner(): boolean {
    return this.claims === 1;
  }

  /** Returns the memory to the pool now, whatever claims there are. */
  release(): void {
    if (this.block === RELEASED) return;
    this.backend.free(this.block);
    this.block = RELEASED;
    this.claims = 0;
    if (this.ticket === null) return;
    this.ticket.block = null;
    if (this.ticket.graph) dropFromRecord(this.ticket.graph);
  }
}

/** Forgets the record once none of its blocks is left, so that a long synchronous loop piles up nothing. */
function dropFromRecord(graph: GraphRecord): void {
  if (--graph.live > 0) return;
  graph.tickets = [];
  graphRegistry.unregister(graph);
}

/** Throws the error for the use of a released tensor. */
export function throwReleased(op: string, storage: Storage): never {
  throw new ReleasedError(
    `${op}(): the tensor was released: it was made by ${storage.madeBy}() inside a module call, scope or backward that has ` +
      "ended, or disposed; to keep a tensor, return it, store it in a field of the module, or pass it to keep()",
  );
}

let scopeCount = 0;

/** An ownership scope, that of a module call, a composite op or `scope()`: the storages made inside it. */
class Scope {
  readonly id = ++scopeCount;
  readonly parent: Scope | null;
  readonly storages: Storage[] = [];
  /** Storages that only the graph still needs; collected by the outermost scope. */
  readonly saved: Storage[] = [];
  /** Whether a tensor that outlives the scope may need what its graph saved: it was kept, or written in place. */
  escaped = false;
  /**
   * An object that every graph node made inside the outermost scope references: when it is collected, the graph is
   * gone.
   */
  readonly guard: object;

  constructor(parent: Scope | null) {
    this.parent = parent;
    this.guard = parent ? parent.guard : {};
  }

  /** Keeps the marked storages for the parent and releases the others. */
  close(): void {
    const parent = this.parent;
    for (const storage of this.storages) {
      if (storage.released || storage.adopted) continue;
      if (storage.mark === this.id) {
        if (parent) parent.storages.push(storage);
        else storage.handToCollector(null);
      } else {
        storage.unclaim();
        if (!storage.released && !storage.collected) (parent ?? this).saved.push(storage);
      }
    }
    if (parent) { for (const storage of this.saved) if (!storage.released) parent.saved.push(storage); }
    else this.registerGraph();
  }

  /** Whether storages are left that nothing has marked so far. */
  get unmarked(): boolean {
    return this.storages.some((storage) => storage.mark !== this.id && !storage.released && !storage.adopted);
  }

  /** Releases all that a body made which threw, also what only its graph saved: nobody is left to run it backward. */
  abandon(): void {
    for (const list of [this.storages, this.saved]) {
      for (const storage of list) if (!storage.adopted && !storage.collected) storage.release();
    }
  }

  private registerGraph(): void {
    const record: GraphRecord = { tickets: [], live: 0 };
    for (const storage of this.saved) {
      if (!storage.released && !storage.adopted && !storage.collected) storage.handToCollector(record);
    }
    if (record.live > 0) graphRegistry.register(this.guard, record, record);
  }

  /** Leaves all storages to the collector, for an asynchronous body, which still uses them. */
  handOver(): void {
    for (const storage of this.storages) storage.handToCollector(null);
    for (const storage of this.saved) storage.handToCollector(null);
  }
}

/**
 * The object that graph nodes made in the open scope must reference; `null` outside of scopes. See {@linkcode Storage}.
 */
export function graphGuard(): object | null {
  return current === null ? null : current.guard;
}

/** Notes that `storage` got a new history, for the scopes that it was made outside of. */
export function noteWrite(storage: Storage): void {
  for (let scope = current; scope !== null; scope = scope.parent) {
    if (scope.storages.lastIndexOf(storage) >= 0) return;
    scope.escaped = true;
  }
}

/**
 * Calls `visit` with every storage that can be reached from the values; returns whether some object may hold others
 * out of sight.
 */
export type Search = (values: unknown, visit: (storage: Storage) => void) => boolean;

/**
 * Runs `fn` as an ownership boundary. Of the storages made inside, those that can be reached from the result, or from
 * what `fn` may have stored tensors in, go to the enclosing scope or the user, those saved for backward live as long as
 * their graph, and the others are released. Where `fn` throws, what it made for the graph is released, too.
 *
 * @param fn the body; a promise hands everything to the collector, and so does an object that hides what it holds
 * @param search finds the storages in values
 * @param holders what `fn` may have stored tensors in
 */
export function runOwned<R>(fn: () => R, search: Search, holders?: readonly unknown[]): R {
  const parent = current;
  const scope = new Scope(parent);
  const mark = (storage: Storage) => {
    storage.mark = scope.id;
  };
  current = scope;
  try {
    const result = fn();
    current = parent;
    if (result instanceof Promise) scope.handOver();
    else if (scope.storages.length === 0) scope.close();
    else {
      // Mostly everything that was made is the result, and the holders need no search.
      let hidden = search(result, mark);
      if (holders !== undefined && scope.unmarked) hidden = search(holders, mark) || hidden;
      if (hidden) scope.handOver();
      else scope.close();
    }
    return result;
  } catch (error) {
    current = parent;
    let held = scope.escaped;
    const hidden = holders !== undefined && search(holders, (storage) => {
      mark(storage);
      held ||= scope.storages.includes(storage);
    });
    if (hidden) scope.handOver();
    else if (held) scope.close();
    else scope.abandon();
    throw error;
  }
}

/** Runs `fn` as if at top level: what it makes belongs to the user. */
export function outsideScopes<R>(fn: () => R): R {
  const saved = current;
  current = null;
  try {
    return fn();
  } finally {
    current = saved;
  }
}
