/**
 * The ops as a table for generic tests: every packed op that agrees with PyTorch, with its recorded calls, which can be
 * repeated with other dtypes and layouts of the same values.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import { bindCall, type BoundCall, type Sample, scalarOptions } from "../conformance/call.ts";
import { tensorsIn } from "../conformance/compare.ts";
import { entryName, openFolder } from "../conformance/folder.ts";
import { type Golden, type Json, type Raw, readGolden } from "../conformance/golden.ts";
import { type Api, count, Decoder, type TensorLike, type TensorNode } from "../conformance/values.ts";

/** A recorded call of an op, as far as the generic tests look at it. */
export interface RecordedSample extends Sample {
  i: number;
  out: Json;
  grad?: { wrt: number[] };
  random?: boolean;
  uninitialised?: boolean;
  mutates?: number[];
}

/** One op of the table. */
export interface OpCase {
  /** `add`, `div.floor_rounding`. */
  readonly label: string;
  readonly name: string;
  readonly golden: Golden;
  /** Dtypes that PyTorch's op takes on the CPU. */
  readonly dtypes: readonly string[];
  /** PyTorch's class of the op: `UnaryUfuncInfo`, `ReductionOpInfo`, … */
  readonly kind: string;
  /** Whether results depend on the generator. */
  readonly random: boolean;
  /** Samples by dtype of the recording. */
  readonly groups: ReadonlyMap<string, readonly RecordedSample[]>;
}

/** The library as a plain object of names. */
export const api: Api = torch as unknown as Api;

/** How the tensors of a call are made. */
export type Adapt = (node: TensorNode, data: Raw) => { node: TensorNode; data: Raw };

/**
 * Reads the table: the entries of `passing.txt` among recorded ops.
 *
 * @param path the folder of the recording; the packed ops unless it says otherwise
 */
export async function opCases(
  path = new URL("../golden/conformance/ops", import.meta.url).pathname,
): Promise<OpCase[]> {
  const passing = await Deno.readTextFile(new URL("../conformance/passing.txt", import.meta.url));
  const names = new Set(passing.split("\n"));
  const folder = await openFolder(path);
  const cases: OpCase[] = [];
  for (const job of folder.jobs.filter((job) => names.has(entryName(job)))) {
    const golden = await readGolden(job.path);
    const { name, info, groups, flags } = golden.manifest as unknown as {
      name: string;
      flags: string[];
      info: { class: string; dtypes: string[] };
      groups: { dtype: string; samples: RecordedSample[] }[];
    };
    const label = job.variant ? `${name}.${job.variant}` : name;
    const samples = new Map(groups.map((g) => [g.dtype, g.samples]));
    const random = flags.includes("random");
    cases.push({ label, name, golden, dtypes: info.dtypes, kind: info.class, random, groups: samples });
  }
  return cases;
}

/** Binds the call of a sample. */
export function bind(op: OpCase, sample: RecordedSample): BoundCall {
  return bindCall(api, op.name, op.golden.manifest.call as { kind: string; path: string | null }, sample);
}

/** The decoder of a sample, with its arguments made. */
export function decode(op: OpCase, sample: RecordedSample, adapt?: Adapt): Decoder {
  const decoder = new Decoder(op.golden, api, { device: "cpu", adapt, ...scalarOptions(op.name) });
  decoder.list(sample.args);
  decoder.options(sample.kwargs);
  return decoder;
}

/** Performs a sample's call with adapted tensors. */
export function call(op: OpCase, sample: RecordedSample, adapt?: Adapt): unknown {
  return bind(op, sample).run(decode(op, sample, adapt), sample);
}

/** A function of the sample's differentiable tensors: everything else stays as recorded. */
export function asFunction(
  op: OpCase,
  sample: RecordedSample,
  adapt: Adapt,
): { fn: (...inputs: torch.Tensor[]) => torch.Tensor[]; inputs: torch.Tensor[] } {
  const bound = bind(op, sample);
  const ids = sample.grad!.wrt;
  const first = decode(op, sample, adapt);
  const fn = (...inputs: torch.Tensor[]): torch.Tensor[] => {
    const decoder = new Decoder(op.golden, api, { device: "cpu", adapt, ...scalarOptions(op.name) });
    ids.forEach((id, k) => decoder.tensors.set(id, inputs[k] as unknown as TensorLike));
    // A program refers to the sample's arguments: they must exist first.
    decoder.list(sample.args);
    const outputs = tensorsIn(bound.run(decoder, sample)) as unknown as torch.Tensor[];
    return outputs.filter((out) => out.dtype.isFloatingPoint || out.dtype.isComplex);
  };
  return { fn, inputs: ids.map((id) => first.tensors.get(id) as unknown as torch.Tensor) };
}

/** The number of elements of all tensors in a sample's arguments. */
export function inputElements(sample: Sample): number {
  let total = 0;
  const visit = (node: Json): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== "object" || node === null) return;
    if ("$t" in node) total += count(node.shape as number[]);
    else Object.values(node).forEach(visit);
  };
  visit(sample.args);
  visit(sample.kwargs);
  return total;
}

/** Whether a sample names a dtype, so that it cannot be repeated in another one. */
export function namesDtype(sample: Sample): boolean {
  return JSON.stringify([sample.args, sample.kwargs, sample.program ?? null]).includes('"$dtype"');
}
