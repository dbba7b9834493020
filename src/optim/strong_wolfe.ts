/**
 * Line search for the strong Wolfe conditions: pure arithmetic over an objective along a line.
 *
 * First a bracket is found by growing steps, then it is narrowed by cubic interpolation. It is a generator, which stops
 * where numbers are read from tensors: whoever runs it reads them at once or awaits them.
 *
 * @see Nocedal and Wright, "Numerical Optimization", algorithms 3.5 and 3.6
 * @module
 */

import type { Tensor } from "../tensor/tensor.ts";

/** A computation that yields lists of single-element tensors and continues with their values. */
export type Reading<T> = Generator<readonly Tensor[], T, readonly number[]>;

/** The objective at one step along the line. */
export interface Point {
  /** The step size t. */
  readonly t: number;
  /** The value of the objective. */
  readonly loss: number;
  /** The gradient of the objective, as one vector. */
  readonly grad: Tensor;
  /** The slope of the objective along the line: the gradient times the direction. */
  readonly slope: number;
}

/** The constants of the Wolfe conditions: c₁ of the sufficient decrease, c₂ of the curvature. */
const DECREASE = 1e-4;
const CURVATURE = 0.9;

/** The minimum of the cubic through two points with their slopes, within bounds. */
function cubicMinimum(a: Point, b: Point, bounds?: readonly [number, number]): number {
  const [low, high] = bounds ?? (a.t <= b.t ? [a.t, b.t] : [b.t, a.t]);
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t);
  const square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const d2 = Math.sqrt(square);
  const [near, far] = a.t <= b.t ? [a, b] : [b, a];
  const minimum = far.t - (far.t - near.t) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2));
  return Math.min(Math.max(minimum, low), high);
}

/** The state of the search: the bracket, whether a point in it is accepted, and the number of iterations. */
interface Bracket {
  points: [Point, Point] | [Point];
  done: boolean;
  iterations: number;
}

function* findBracket(
  at: (t: number) => Reading<Point>,
  first: Point,
  start: Point,
  most: number,
): Reading<Bracket & { evals: number }> {
  let before = start, now = first, evals = 1;
  for (let i = 0; i < most; i++) {
    if (now.loss > start.loss + DECREASE * now.t * start.slope || (i > 1 && now.loss >= before.loss)) {
      return { points: [before, now], done: false, iterations: i, evals };
    }
    if (Math.abs(now.slope) <= -CURVATURE * start.slope) return { points: [now], done: true, iterations: i, evals };
    if (now.slope >= 0) return { points: [before, now], done: false, iterations: i, evals };
    const t = cubicMinimum(before, now, [now.t + 0.01 * (now.t - before.t), now.t * 10]);
    before = now;
    now = yield* at(t);
    evals++;
  }
  return { points: [start, now], done: false, iterations: most, evals };
}

/** A trial step inside the bracket, moved away from its ends when progress is too small. */
function trialStep(points: readonly [Point, Point], stalled: boolean): { t: number; stalled: boolean } {
  const [low, high] = points[0].t <= points[1].t ? [points[0].t, points[1].t] : [points[1].t, points[0].t];
  const t = cubicMinimum(points[0], points[1]);
  const margin = 0.1 * (high - low);
  if (Math.min(high - t, t - low) >= margin) return { t, stalled: false };
  if (!stalled && t < high && t > low) return { t, stalled: true };
  return { t: Math.abs(t - high) < Math.abs(t - low) ? high - margin : low + margin, stalled: false };
}

/**
 * Searches for a step that satisfies the strong Wolfe conditions.
 *
 * @param at evaluates the objective at a step
 * @param t the first step that is tried
 * @param size the largest element of the direction
 * @param start the objective at step 0
 * @param tolerance stops when the bracket is smaller
 * @param most how many iterations at most
 */
export function* strongWolfe(
  at: (t: number) => Reading<Point>,
  t: number,
  size: number,
  start: Point,
  tolerance = 1e-9,
  most = 25,
): Reading<{ point: Point; evals: number }> {
  const found = yield* findBracket(at, yield* at(t), start, most);
  let { evals } = found;
  if (found.points.length === 1) return { point: found.points[0], evals };
  const points: [Point, Point] = [...found.points];
  const lower = () => points[0].loss <= points[1].loss ? 0 : 1;
  let low = lower();
  let { done } = found;
  let stalled = false;
  for (let i = found.iterations; !done && i < most; i++) {
    if (Math.abs(points[1].t - points[0].t) * size < tolerance) break;
    const trial = trialStep(points, stalled);
    stalled = trial.stalled;
    const now = yield* at(trial.t);
    evals++;
    if (now.loss > start.loss + DECREASE * now.t * start.slope || now.loss >= points[low].loss) {
      points[1 - low] = now;
      low = lower();
      continue;
    }
    if (Math.abs(now.slope) <= -CURVATURE * start.slope) done = true;
    else if (now.slope * (points[1 - low].t - points[low].t) >= 0) points[1 - low] = points[low];
    points[low] = now;
  }
  return { point: points[low], evals };
}
