/**
 * Lists of hooks: functions in order; registering one returns a handle that removes it.
 *
 * @module
 */

import type { RemovableHandle } from "../../autograd/node.ts";

/** An ordered list of hooks; adding and removing makes a new array, so a running loop is not disturbed. */
export class HookList<H> {
  #hooks: readonly H[] = [];

  /** The hooks in calling order. */
  get all(): readonly H[] {
    return this.#hooks;
  }

  /** Whether the list is empty. */
  get empty(): boolean {
    return this.#hooks.length === 0;
  }

  /**
   * Adds a hook at the end, or at the front.
   *
   * @param hook the hook; the same one may be added twice
   * @param prepend whether it runs before those already there
   */
  add(hook: H, prepend = false): RemovableHandle {
    this.#hooks = prepend ? [hook, ...this.#hooks] : [...this.#hooks, hook];
    let active = true;
    const remove = () => {
      const at = active ? this.#hooks.indexOf(hook) : -1;
      active = false;
      if (at >= 0) this.#hooks = this.#hooks.toSpliced(at, 1);
    };
    return { remove, [Symbol.dispose]: remove };
  }
}
