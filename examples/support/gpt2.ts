/**
 * GPT-2 as Hugging Face's `GPT2LMHeadModel` has it: same numbers, same state dict, so its checkpoints load with
 * `model.loadStateDict(gpt2State(await loadFile("model.safetensors")))`.
 *
 * That model keeps the weights of its linear layers transposed. Here they lie as everywhere else, which lets a device
 * compute a product, its bias and its activation as one kernel, and are turned over where state dicts are read and made.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";

import nn = torch.nn;
import F = torch.nn.functional;

/** The sizes of a model; the defaults are those of GPT-2 with 124 million parameters. */
export interface GPT2Config {
  /** Tokens. */
  vocabSize: number;
  /** The longest sequence. */
  nPositions: number;
  /** Width. */
  nEmbd: number;
  /** Blocks. */
  nLayer: number;
  /** Heads of each block. */
  nHead: number;
  /** What is dropped, in training, of embeddings, attention and the results of blocks. */
  dropout: number;
}

/** GPT-2 with 124 million parameters, as published. */
export const GPT2: GPT2Config = { vocabSize: 50257, nPositions: 1024, nEmbd: 768, nLayer: 12, nHead: 12, dropout: 0.1 };

/** Turns the weights of the named layers over in a state dict that is read or made. */
function transposes(module: torch.nn.Module, layers: readonly string[]): void {
  const turn = (_module: unknown, state: Record<string, Tensor>, prefix: string): void => {
    for (const key of layers.map((name) => `${prefix}${name}.weight`)) if (key in state) state[key] = state[key].t();
  };
  module.registerLoadStateDictPreHook(turn);
  module.registerStateDictPostHook(turn);
}

class Attention extends nn.Module {
  c_attn: torch.nn.Linear;
  c_proj: torch.nn.Linear;
  resid_dropout: torch.nn.Dropout;
  readonly #heads: number;
  readonly #dropout: number;

  constructor({ nEmbd, nHead, dropout }: GPT2Config) {
    super();
    this.c_attn = new nn.Linear(nEmbd, 3 * nEmbd);
    this.c_proj = new nn.Linear(nEmbd, nEmbd);
    this.resid_dropout = new nn.Dropout(dropout);
    this.#heads = nHead;
    this.#dropout = dropout;
    transposes(this, ["c_attn", "c_proj"]);
  }

  override forward(x: Tensor): Tensor {
    const [batch, length, width] = x.shape;
    const [q, k, v] = this.c_attn.call(x).split(width, 2)
      .map((part) => part.view(batch, length, this.#heads, width / this.#heads).transpose(1, 2));
    const dropoutP = this.training ? this.#dropout : 0;
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true, dropoutP });
    return this.resid_dropout.call(this.c_proj.call(y.transpose(1, 2).reshape(batch, length, width)));
  }
}

class MLP extends nn.Module {
  c_fc: torch.nn.Linear;
  c_proj: torch.nn.Linear;
  dropout: torch.nn.Dropout;
  /** The same layers, called in turn: not a child of its own, so not in the state dict. */
  readonly #chain: torch.nn.Sequential;

  constructor({ nEmbd, dropout }: GPT2Config) {
    super();
    this.c_fc = new nn.Linear(nEmbd, 4 * nEmbd);
    this.c_proj = new nn.Linear(4 * nEmbd, nEmbd);
    this.dropout = new nn.Dropout(dropout);
    this.#chain = new nn.Sequential(this.c_fc, new nn.GELU({ approximate: "tanh" }), this.c_proj);
    transposes(this, ["c_fc", "c_proj"]);
  }

  override forward(x: Tensor): Tensor {
    return this.dropout.call(this.#chain.call(x) as Tensor);
  }
}

class Block extends nn.Module {
  ln_1: torch.nn.LayerNorm;
  attn: Attention;
  ln_2: torch.nn.LayerNorm;
  mlp: MLP;

  constructor(config: GPT2Config) {
    super();
    this.ln_1 = new nn.LayerNorm(config.nEmbd);
    this.attn = new Attention(config);
    this.ln_2 = new nn.LayerNorm(config.nEmbd);
    this.mlp = new MLP(config);
  }

  override forward(x: Tensor): Tensor {
    x = x.add(this.attn.call(this.ln_1.call(x)));
    return x.add(this.mlp.call(this.ln_2.call(x)));
  }
}

class GPT2Body extends nn.Module {
  wte: torch.nn.Embedding;
  wpe: torch.nn.Embedding;
  drop: torch.nn.Dropout;
  h: torch.nn.ModuleList<Block>;
  ln_f: torch.nn.LayerNorm;

  constructor(config: GPT2Config) {
    super();
    this.wte = new nn.Embedding(config.vocabSize, config.nEmbd);
    this.wpe = new nn.Embedding(config.nPositions, config.nEmbd);
    this.drop = new nn.Dropout(config.dropout);
    this.h = new nn.ModuleList(Array.from({ length: config.nLayer }, () => new Block(config)));
    this.ln_f = new nn.LayerNorm(config.nEmbd);
  }

  override forward(ids: Tensor): Tensor {
    const positions = torch.arange(ids.shape[1], { dtype: torch.int64, device: ids.device });
    let x = this.drop.call(this.wte.call(ids).add(this.wpe.call(positions)));
    for (const block of this.h) x = block.call(x);
    return this.ln_f.call(x);
  }
}

/** The language model: token ids `[batch, length]` (int64) to scores `[batch, length, vocabSize]`. */
export class GPT2LMHeadModel extends nn.Module {
  transformer: GPT2Body;
  lm_head: torch.nn.Linear;
  /** The sizes. */
  readonly config: GPT2Config;

  /** A model with fresh weights, drawn as the original's were. */
  constructor(config: Partial<GPT2Config> = {}) {
    super();
    this.config = { ...GPT2, ...config };
    const { nEmbd, nLayer, vocabSize } = this.config;
    this.transformer = new GPT2Body(this.config);
    this.lm_head = new nn.Linear(nEmbd, vocabSize, false);
    this.lm_head.weight = this.transformer.wte.weight;
    for (const [name, parameter] of this.namedParameters()) {
      if (name.endsWith(".bias")) nn.init.zeros_(parameter);
      // The sum of the residual branches keeps its size in deep models.
      else if (name.endsWith("c_proj.weight")) nn.init.normal_(parameter, 0, 0.02 / Math.sqrt(2 * nLayer));
      else if (!/\bln_\w+\./.test(name)) nn.init.normal_(parameter, 0, 0.02);
    }
  }

  override forward(ids: Tensor): Tensor {
    return this.lm_head.call(this.transformer.call(ids));
  }
}

/** The mean cross entropy of each token given those before it; `targets` has the shape of `ids`. */
export function languageLoss(model: GPT2LMHeadModel, ids: Tensor, targets: Tensor): Tensor {
  return F.crossEntropy(model.call(ids).view(-1, model.config.vocabSize), targets.view(-1));
}

/** Continues `ids` `[batch, length]` by `count` tokens, drawn from the `topK` likeliest. */
export async function generate(
  model: GPT2LMHeadModel,
  ids: Tensor,
  count: number,
  { topK = 40, temperature = 1 } = {},
): Promise<Tensor> {
  using _ = torch.noGrad();
  const { nPositions, vocabSize } = model.config;
  for (let i = 0; i < count; i++) {
    const length = Math.min(ids.shape[1], nPositions);
    const scores = model.call(ids.narrow(1, ids.shape[1] - length, length)).select(1, -1).float().div(temperature);
    const { values, indices } = scores.topk(Math.min(topK, vocabSize));
    const drawn = await torch.multinomial(values.softmax(-1), 1);
    ids = torch.cat([ids, indices.gather(1, drawn)], 1);
  }
  return ids;
}

/** A checkpoint of Hugging Face's as the model's state dict: with its prefix, the tied head, and no constant masks. */
export function gpt2State(checkpoint: Record<string, Tensor>): Record<string, Tensor> {
  const state: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(checkpoint)) {
    if (/\battn\.(bias|masked_bias)$/.test(name)) continue;
    state[/^(transformer|lm_head)\./.test(name) ? name : `transformer.${name}`] = tensor;
  }
  state["lm_head.weight"] ??= state["transformer.wte.weight"];
  return state;
}
