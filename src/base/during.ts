/**
 * Settings that change for a while, as by `noGrad(() => …)` and `using _ = noGrad()`.
 *
 * A {@linkcode Setting} has one value outside of all callbacks, and one for each callback that changes it. While no
 * asynchronous callback is pending, a field holds the running callback's value. While an asynchronous callback waits,
 * other tasks run between its steps, and the platform's asynchronous context tells which callback the running code
 * belongs to. On a platform without such a context only one asynchronous callback per setting may be pending, and
 * everything that runs meanwhile sees its value.
 *
 * @module
 */

import { AutogradError } from "./errors.ts";
import { type ContextStorage, contextStorage } from "./platform.ts";

/** The number of pending asynchronous callbacks, where the platform tells tasks apart. */
let pending = 0;

/** The settings whose value is mirrored in a field for hot paths. */
const watched: Setting<unknown>[] = [];

/**
 * The asynchronous context, which gives the frame of the running task; `null` where the platform has none, `undefined`
 * before it is first needed.
 */
let storage: ContextStorage<Frame> | null | undefined;

/** A change of a setting that lasts as long as its handle. */
interface Held<T> {
  change(before: T): T;
  /** The name of the function that made the handle, as the user wrote it. */
  readonly name: string;
  /** Whether the handle was bound by `using` (or its dispose method was read), so that it will be disposed. */
  kept: boolean;
  /** Whether the handle was collected undisposed, so that the change stays for good. */
  permanent: boolean;
}

/** The value of a setting for one callback, or outside all of them. */
class Cell<T> {
  /** The value before the changes of the handles. */
  base: T;
  /** The present value: the base with the changes of all handles applied. */
  value: T;
  /** The changes of handles, in order; `null` before the first. */
  held: Held<T>[] | null = null;

  constructor(value: T) {
    this.base = this.value = value;
  }

  /** Computes the value again after a handle was disposed. */
  refresh(): void {
    let value = this.base;
    for (const held of this.held!) value = held.change(value);
    this.value = value;
  }

  /** Merges permanent changes into the base, up to the first change whose handle can still be disposed. */
  settle(): void {
    const held = this.held!;
    while (held.length > 0 && held[0].permanent) this.base = held.shift()!.change(this.base);
  }
}

/** A stack frame of {@linkcode during}: a running callback and the cells of the settings that it changed. */
class Frame {
  readonly parent: Frame | null;
  readonly settings: readonly Setting<unknown>[];
  readonly cells: readonly Cell<unknown>[];
  open = true;

  constructor(parent: Frame | null, settings: readonly Setting<unknown>[], cells: readonly Cell<unknown>[]) {
    this.parent = parent;
    this.settings = settings;
    this.cells = cells;
  }
}

/**
 * The innermost open frame of the running task. A timer that was set inside a callback may run when the callback's
 * frame is closed already.
 */
function openFrame(frame: Frame | null | undefined): Frame | null {
  while (frame && !frame.open) frame = frame.parent;
  return frame ?? null;
}

/** A setting: a value that callbacks and handles change for a while. */
export class Setting<T> {
  /** The name in error messages. */
  readonly name: string;
  readonly #root: Cell<T>;
  /** The cell of the innermost callback on the call stack, or the root where there is none. */
  #cell: Cell<T>;
  /** Where tasks cannot be told apart: whether an asynchronous callback that changes this setting is pending. */
  #alone = false;
  #watch: ((value: T, certain: boolean) => void) | null = null;

  /** Makes a setting with a value that holds outside all callbacks. */
  constructor(name: string, value: T) {
    this.name = name;
    this.#cell = this.#root = new Cell(value);
  }

  /** The value for the running task. */
  get value(): T {
    return this.#here().value;
  }

  /**
   * Registers a watch, which mirrors the value in a field for hot paths: it is called with every new value. `certain`
   * is false while asynchronous callbacks are pending, when only {@linkcode Setting.value} gives the running task's
   * value.
   */
  watch(watch: (value: T, certain: boolean) => void): void {
    this.#watch = watch;
    watched.push(this as Setting<unknown>);
    this.tell();
  }

  /** Calls the watch with the present value. */
  tell(): void {
    if (this.#watch !== null) this.#watch(this.#cell.value, pending === 0);
  }

  /** The cell of the running task while asynchronous callbacks are pending. */
  #find(): Cell<T> {
    // A callback on the call stack is nested in the frames of the task, so it comes first.
    if (this.#cell !== this.#root) return this.#cell;
    for (let frame = storage!.getStore() ?? null; frame !== null; frame = frame.parent) {
      const at = frame.open ? frame.settings.indexOf(this as Setting<unknown>) : -1;
      if (at >= 0) return frame.cells[at] as Cell<T>;
    }
    return this.#root;
  }

  #here(): Cell<T> {
    return pending === 0 ? this.#cell : this.#find();
  }

  /** Changes the value until the calling callback ends; outside all callbacks, for good. */
  assign(change: (before: T) => T): void {
    const cell = this.#here(), last = cell.held?.at(-1);
    if (last === undefined) cell.base = change(cell.base);
    else {
      const { change: earlier } = last;
      last.change = (before) => change(earlier(before));
    }
    cell.value = change(cell.value);
    this.tell();
  }

  /** Runs a synchronous `fn` with another value: the cheapest form, which needs no asynchronous context. */
  within<R>(value: T, fn: () => R): R {
    const before = this.#cell;
    this.#use(new Cell(value));
    try {
      return fn();
    } finally {
      this.#use(before);
    }
  }

  #use(cell: Cell<T>): void {
    this.#cell = cell;
    this.tell();
  }

  /** Describes a change of this setting, for {@linkcode during} and {@linkcode hold}. */
  to(change: (before: T) => T): Change {
    return {
      setting: this as Setting<unknown>,
      enter: () => {
        const before = this.#cell, cell = new Cell(change(this.value));
        this.#use(cell);
        return { cell: cell as Cell<unknown>, leave: () => this.#use(before) };
      },
      hold: (name) => this.#hold(name, change),
      occupy: (taken) => {
        const before = this.#alone;
        if (taken && before) throw new AutogradError(overlapping(this.name));
        this.#alone = taken;
      },
    };
  }

  #hold(name: string, change: (before: T) => T): HeldChange {
    const cell = this.#here();
    const held: Held<T> = { change, name, kept: false, permanent: false };
    const list = cell.held ??= [];
    list.push(held);
    cell.value = change(cell.value);
    this.tell();
    return {
      held,
      deep: list.length > DEEP,
      drop: () => {
        const at = list.indexOf(held);
        if (at < 0) return;
        list.splice(at, 1);
        cell.settle();
        cell.refresh();
        this.tell();
      },
      stay: () => {
        held.permanent = true;
        cell.settle();
      },
    };
  }

  /**
   * The name of the function that made the latest handle, if that handle was never bound, as in `noGrad();` without
   * `using`; else `null`.
   */
  get dropped(): string | null {
    const last = this.#here().held?.at(-1);
    return last === undefined || last.kept ? null : last.name;
  }
}

function overlapping(name: string): string {
  return `${name}(): an asynchronous callback that changes this is pending already, and this platform cannot tell tasks ` +
    "apart (it has no AsyncLocalStorage); await the first one, or give a callback that returns no promise";
}

/** A change of a setting that {@linkcode during} makes for a callback and {@linkcode hold} for a handle. */
export interface Change {
  /** The setting that changes. */
  readonly setting: Setting<unknown>;
  /** Applies the change for the call stack, until `leave` is called. */
  enter(): { readonly cell: Cell<unknown>; leave(): void };
  /** Applies the change until the entry is dropped. */
  hold(name: string): HeldChange;
  /** Marks the setting as changed (or no longer) by a pending asynchronous callback, of which there can be only one. */
  occupy(taken: boolean): void;
}

/** A handle's change of one setting. */
interface HeldChange {
  readonly held: { kept: boolean };
  /** Whether so many handles are held that one was probably forgotten. */
  readonly deep: boolean;
  drop(): void;
  stay(): void;
}

/** Counts asynchronous callbacks that begin or end, and calls the watches. */
function count(more: 1 | -1): void {
  pending += more;
  for (const setting of watched) setting.tell();
}

const AsyncFunction: unknown = (async () => {}).constructor;

/**
 * Makes changes that last while `fn` runs, until its promise settles, if it gives one; other tasks do not see them.
 *
 * @param ended is called once the changes have ended
 * @throws {AutogradError} if `fn` is asynchronous, another such one is pending and the platform cannot tell tasks apart
 */
export function during<R>(changes: readonly Change[], fn: () => R, ended?: () => void): R {
  if (storage === undefined) storage = contextStorage<Frame>();
  // An `async` function is refused before it runs; others only once they have returned a promise.
  if (storage === null && fn.constructor === AsyncFunction) occupyEach(changes, ended)();
  const entered: ReturnType<Change["enter"]>[] = [];
  const leave = () => {
    for (let i = entered.length - 1; i >= 0; i--) entered[i].leave();
  };
  let waits = false, frame: Frame | null = null;
  try {
    for (const change of changes) entered.push(change.enter());
    if (storage === null) {
      const result = fn();
      if (!(result instanceof Promise)) return result;
      const free = occupyEach(changes, undefined, result);
      waits = true;
      return result.finally(() => {
        leave();
        free();
        ended?.();
      }) as R;
    }
    const settings = changes.map((change) => change.setting);
    frame = new Frame(openFrame(storage.getStore()), settings, entered.map(({ cell }) => cell));
    const own = frame, result = storage.run(own, fn);
    if (!(result instanceof Promise)) return result;
    waits = true;
    leave();
    count(1);
    return result.finally(() => {
      own.open = false;
      count(-1);
      ended?.();
    }) as R;
  } finally {
    if (!waits) {
      leave();
      if (frame !== null) frame.open = false;
      ended?.();
    }
  }
}

/**
 * Marks the settings of the changes as occupied by a pending asynchronous callback, or throws. Returns a function that
 * frees them again.
 */
function occupyEach(
  changes: readonly Change[],
  ended: (() => void) | undefined,
  result?: Promise<unknown>,
): () => void {
  const free: (() => void)[] = [];
  const undo = () => free.forEach((f) => f());
  try {
    for (const change of changes) {
      change.occupy(true);
      free.push(() => change.occupy(false));
    }
  } catch (error) {
    undo();
    ended?.();
    // The callback began before it was known to be asynchronous; its own failure is dropped in favour of the error
    // thrown here.
    result?.catch(() => {});
    throw error;
  }
  return undo;
}

/**
 * More handles than this are seldom held at once. Further ones are registered with a finalizer, so that forgotten
 * handles do not pile up.
 */
const DEEP = 8;
const forgotten = new FinalizationRegistry<readonly HeldChange[]>((entries) => {
  for (let i = entries.length - 1; i >= 0; i--) entries[i].stay();
});

/** The handle that `using _ = noGrad()` binds. */
class Handle implements Disposable {
  #entries: readonly HeldChange[];
  #ended: (() => void) | undefined;

  constructor(entries: readonly HeldChange[], ended: (() => void) | undefined) {
    this.#entries = entries;
    this.#ended = ended;
  }

  /**
   * Ends the changes. `using` reads this method when it binds the handle, which shows that the handle will be disposed.
   */
  get [Symbol.dispose](): () => void {
    for (const { held } of this.#entries) held.kept = true;
    return this.#dispose;
  }

  #dispose(): void {
    const entries = this.#entries, ended = this.#ended;
    this.#entries = [];
    this.#ended = undefined;
    for (const entry of entries) entry.drop();
    ended?.();
  }
}

/**
 * Makes changes that last until the result is disposed, for everything that runs meanwhile in the same callback, or
 * outside of all callbacks: a task that runs during an `await` sees them as well. Handles may be disposed in any order.
 *
 * @param name the function that the user called, for messages
 * @param ended is called once the changes have ended
 */
export function hold(name: string, changes: readonly Change[], ended?: () => void): Disposable {
  const entries = changes.map((change) => change.hold(name));
  const handle = new Handle(entries, ended);
  if (entries.some(({ deep }) => deep)) forgotten.register(handle, entries);
  return handle;
}

/** Replaces the asynchronous context by another one, or by none (`null`). For tests. */
export function useContextStorage(next: (() => ContextStorage<unknown> | null) | null): void {
  if (pending > 0) throw new AutogradError("useContextStorage(): asynchronous callbacks are pending");
  storage = next === null ? undefined : next() as ContextStorage<Frame> | null;
}
