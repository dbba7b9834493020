/**
 * Post-processing of results that are unique only up to sign, phase or permutation (svd, eigh, lu, …), as PyTorch's
 * samples do it before they compare: the manifest carries the Python source, this file the same functions here.
 *
 * @module
 */

import { type TensorLike, Unsupported } from "./values.ts";

/** The tensor members that the functions below use. */
interface Linear extends TensorLike {
  abs(): Linear;
  narrow(dim: number, start: number, length: number): Linear;
  matmul(other: Linear): Linear;
  toDense(): Linear;
  readonly mH: Linear;
}

/** The first k columns of U, S, and the first k rows of Vh, k being the number of singular values. */
function uniformize([u, s, v]: Linear[], name: string): [Linear, Linear, Linear] {
  const k = s.shape.at(-1)!;
  const vh = name === "linalg.svd" ? v : v.mH;
  return [u.narrow(-1, 0, k), s, vh.narrow(-2, 0, k)];
}

/** From a mark in the recorded source to the function. */
const PROCESS: [RegExp, (output: unknown, name: string) => unknown][] = [
  [/def fn_U\(/, (usv, name) => uniformize([...usv as Iterable<Linear>], name)[0].abs()],
  [/def fn_S\(/, (usv, name) => uniformize([...usv as Iterable<Linear>], name)[1]],
  [/def fn_Vh\(/, (usv, name) => {
    const [, s, vh] = uniformize([...usv as Iterable<Linear>], name);
    return [s, vh.abs()];
  }],
  [/def fn_UVh\(/, (usv, name) => {
    const [u, s, vh] = uniformize([...usv as Iterable<Linear>], name);
    return [u.matmul(vh), s];
  }],
  [/U @ V\.mH, S/, (usv) => {
    const [u, s, v] = [...usv as Iterable<Linear>];
    return [u.matmul(v.mH), s];
  }],
  [/eigh function/, (output, name) => {
    if (name.endsWith("eigvalsh")) return output;
    const [values, vectors] = [...output as Iterable<Linear>];
    return [values, vectors.abs()];
  }],
  [/output\[0\], abs\(output\[1\]\)/, (output) => {
    const [values, vectors] = [...output as Iterable<Linear>];
    return [values, vectors.abs()];
  }],
  [
    /op_info\.name == "linalg\.lu"/,
    (output, name) => name === "linalg.lu" ? [...output as Iterable<unknown>].slice(1) : output,
  ],
  [/return output\[1\], output\[2\]/, (output) => [...output as Iterable<unknown>].slice(1)],
  [/x\.to_dense\(\)/, (output) => (output as Linear).toDense()],
];

/** Applies the recorded post-processing to the output of the op called `name`. */
export function postprocess(source: string, output: unknown, name: string): unknown {
  const found = PROCESS.find(([mark]) => mark.test(source));
  if (!found) throw new Unsupported(`the post-processing ${source.slice(0, 60)}`);
  return found[1](output, name);
}
