/**
 * PyTorch's recorded training runs: initial state, batches, first output and gradients, ten losses, final state. The
 * files are read with the tests' own reader and handed to the library as plain typed arrays.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import { type Golden, readGolden } from "../conformance/golden.ts";

/** What `models.json` says about one model, as far as the tests use it. */
export interface ModelEntry {
  name: string;
  losses: number[];
  float32_vs_float64: Record<string, { max_abs: number }>;
}

const FOLDER = new URL("../golden/models/", import.meta.url);

const DTYPES: Record<string, torch.DType> = { F32: torch.float32, I64: torch.int64, BOOL: torch.bool };

/** One recorded run. */
export class Fixture {
  readonly entry: ModelEntry;
  readonly #golden: Golden;

  constructor(entry: ModelEntry, golden: Golden) {
    this.entry = entry;
    this.#golden = golden;
  }

  /** Opens the run of the model called `name`. */
  static async open(name: string): Promise<Fixture> {
    const { models } = JSON.parse(await Deno.readTextFile(new URL("models.json", FOLDER)));
    const entry = (models as ModelEntry[]).find((model) => model.name === name)!;
    return new Fixture(entry, await readGolden(new URL(`${name}.safetensors.gz`, FOLDER)));
  }

  /** A recorded tensor. */
  tensor(key: string): torch.Tensor {
    return torch.fromData(this.#golden.raw(key), this.#golden.shape(key), { dtype: DTYPES[this.#golden.dtype(key)] });
  }

  /** All tensors below `prefix.`, by the rest of their key. */
  group(prefix: string): Record<string, torch.Tensor> {
    const keys = this.#golden.keys().filter((key) => key.startsWith(`${prefix}.`));
    return Object.fromEntries(keys.map((key) => [key.slice(prefix.length + 1), this.tensor(key)]));
  }

  /** Batch `k`. */
  batch(k: number): { x: torch.Tensor; y: torch.Tensor } {
    return { x: this.tensor(`batch.${k}.x`), y: this.tensor(`batch.${k}.y`) };
  }

  /** What the recording's README allows for `group`: ten times what float32 rounding alone moves it, at least 1e-5. */
  tolerance(group: string): { rtol: number; atol: number } {
    return { rtol: 1e-4, atol: Math.max(1e-5, 10 * this.entry.float32_vs_float64[group].max_abs) };
  }
}
