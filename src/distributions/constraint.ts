/**
 * What a constraint is: a region of values, and how many dimensions from the right make one event.
 *
 * `constraints.ts` lists the regions; each is a {@linkcode Region}, which checks what is common to all (the value is a
 * tensor and has the event's dimensions), so that an entry says only which values are valid.
 *
 * @module
 */

import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { checkAlive, type Tensor } from "../tensor/tensor.ts";

/**
 * A region in which a variable is valid. A user's constraint extends this class.
 *
 * Source: https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraints
 */
export abstract class Constraint {
  /** Whether the region is of separate points. */
  get isDiscrete(): boolean {
    return false;
  }

  /** How many dimensions from the right make one event; {@linkcode check} removes them. */
  get eventDim(): number {
    return 0;
  }

  /**
   * Which events are valid.
   *
   * @param value of shape `(*batch, *event)`
   * @returns a bool tensor of shape `(*batch)`
   */
  abstract check(value: Tensor): Tensor;

  /** The name and the bounds. */
  abstract toString(): string;
}

/** What a {@linkcode Region} is made of. */
export interface RegionOptions {
  /** The name in messages, with the bounds. */
  name: string;
  /** Which events of a value, of at least `eventDim` dimensions, are valid. */
  valid: (value: Tensor) => Tensor;
  /** As in {@linkcode Constraint}. */
  eventDim?: number;
  /** As in {@linkcode Constraint}. */
  isDiscrete?: boolean;
}

/** A constraint that is a predicate of tensors. */
export class Region extends Constraint {
  readonly #options: RegionOptions;

  /** A constraint of its parts. */
  constructor(options: RegionOptions) {
    super();
    this.#options = options;
  }

  override get isDiscrete(): boolean {
    return this.#options.isDiscrete ?? false;
  }

  override get eventDim(): number {
    return this.#options.eventDim ?? 0;
  }

  override check(value: Tensor): Tensor {
    const { name, valid } = this.#options;
    checkAlive(name, value);
    if (value.ndim < this.eventDim) {
      throw new ShapeError(
        `${name}: a value must have at least ${this.eventDim} dimensions, those of an event: ${show(value.shape)}`,
      );
    }
    return valid(value);
  }

  override toString(): string {
    return this.#options.name;
  }
}

/** Throws unless a value is a {@linkcode Constraint}. */
export function checkConstraint(op: string, name: string, value: unknown): asserts value is Constraint {
  if (value instanceof Constraint) return;
  throw new ArgumentError(`${op}(): ${name} must be a constraint: ${describe(value)}`);
}
