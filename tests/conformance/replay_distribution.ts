/**
 * Replays distributions: shapes, moments, log-probabilities, cdf, entropy, icdf, support, and KL divergences of pairs.
 *
 * @module
 */

import { compare, comparison } from "./compare.ts";
import { Absent, type Entry, makeInputs, type ReplayOptions, Tally } from "./entry.ts";
import type { Golden, Json } from "./golden.ts";
import { type Api, Decoder, isTensorNode, type TensorLike } from "./values.ts";

interface DistributionSample {
  name: string;
  kwargs: Json;
  batchShape: number[];
  eventShape: number[];
  hasRsample: boolean;
  props: Record<string, Json>;
  value: Json;
  logProb?: Json;
  cdf?: Json;
  icdf?: [Json, Json];
  enumerateSupport?: Json;
}

interface Manifest {
  samples: DistributionSample[];
  kl: [number, number, Json][];
}

type Member = ((...args: unknown[]) => unknown) | TensorLike | undefined;
type DistributionLike = Record<string, Member> & { batchShape: number[]; eventShape: number[]; hasRsample: boolean };
type DistributionClass = new (options: Record<string, unknown>) => DistributionLike;

interface Context {
  golden: Golden;
  api: Api;
  options: ReplayOptions;
}

/** Replays `distributions.safetensors`: a row per distribution, and one per KL pair of classes. */
export async function replayDistributions(golden: Golden, api: Api, options: ReplayOptions): Promise<Entry[]> {
  const { samples, kl } = golden.manifest as unknown as Manifest;
  const context = { golden, api, options };
  const entries: Entry[] = [];
  for (const name of new Set(samples.map((s) => s.name))) {
    const tally = new Tally(options);
    for (const [k, sample] of samples.filter((s) => s.name === name).entries()) {
      await tally.sample(`#${k}`, () => replaySample(sample, context));
    }
    entries.push(tally.entry({ kind: "distribution", name, variant: "", dtype: "float32" }));
  }
  const pairs = kl.map(([i, j, node]) => ({ variant: `${samples[i].name}|${samples[j].name}`, i, j, node }));
  for (const variant of new Set(pairs.map((p) => p.variant))) {
    const tally = new Tally(options);
    for (const { i, j, node } of pairs.filter((p) => p.variant === variant)) {
      await tally.sample(`${i}, ${j}`, () => replayDivergence(samples[i], samples[j], node, context));
    }
    entries.push(tally.entry({ kind: "distribution", name: "kl_divergence", variant, dtype: "float32" }));
  }
  return entries;
}

/** Constructs the distribution with a decoder that knows the sample's tensors. */
function construct(sample: DistributionSample, { golden, api, options }: Context): [DistributionLike, Decoder] {
  const decoder = new Decoder(golden, api, { device: options.device });
  const Distribution = decoder.path(`distributions.${sample.name}`) as DistributionClass | undefined;
  if (typeof Distribution !== "function") throw new Absent(`torch.distributions.${sample.name}`);
  return [new Distribution(makeInputs(options.device, () => decoder.options(sample.kwargs))), decoder];
}

async function replaySample(sample: DistributionSample, context: Context): Promise<string | null> {
  const [distribution, decoder] = construct(sample, context);
  const expected = comparison(context.golden, `distributions.${sample.name}`);
  for (const node of Object.values(sample.kwargs as Record<string, Json>)) {
    if (node !== null && isTensorNode(node)) expected.ids.set(node.id!, node);
  }
  for (const key of ["batchShape", "eventShape"] as const) {
    if (`${distribution[key]}` !== `${sample[key]}`) return `${key} [${distribution[key]}], expected [${sample[key]}]`;
  }
  if (distribution.hasRsample !== sample.hasRsample) return `hasRsample ${distribution.hasRsample}`;
  if (isTensorNode(sample.value)) expected.ids.set(sample.value.id!, sample.value);
  const value = decoder.value(sample.value);
  const checks: [string, unknown[], Json | undefined][] = [
    ["logProb", [value], sample.logProb],
    ["cdf", [value], sample.cdf],
    ...Object.entries(sample.props).map(([name, node]): [string, unknown[], Json] => [name, [], node]),
    ["icdf", [sample.icdf && decoder.value(sample.icdf[0])], sample.icdf?.[1]],
    ["enumerateSupport", [], sample.enumerateSupport],
  ];
  for (const [name, args, node] of checks) {
    if (node === undefined) continue;
    const member = distribution[name];
    const actual = typeof member === "function" ? await member.apply(distribution, args) : member;
    const difference = await compare(actual, node, expected, name);
    if (difference) return difference;
  }
  return null;
}

async function replayDivergence(
  p: DistributionSample,
  q: DistributionSample,
  node: Json,
  context: Context,
): Promise<string | null> {
  const decoder = new Decoder(context.golden, context.api, { device: context.options.device });
  const divergence = decoder.path("distributions.klDivergence") as ((p: unknown, q: unknown) => unknown) | undefined;
  if (typeof divergence !== "function") throw new Absent("torch.distributions.klDivergence");
  const actual = await divergence(construct(p, context)[0], construct(q, context)[0]);
  return await compare(actual, node, comparison(context.golden, "distributions.kl_divergence"));
}
