/**
 * Recurrent layers: RNN, LSTM, GRU, and their single steps (cells).
 *
 * The input projection of all steps is one matmul; the recurrent part of a step is a matmul and one fused kernel per
 * state. Parameters carry PyTorch's names: `weight_ih_l0`, `bias_hh_l1_reverse`.
 *
 * @module
 */

import { autocasted, autocasting, autocastLists } from "../../autograd/autocast.ts";
import { type Args, call } from "../../base/call.ts";
import { checkCount, MOST_LAYERS } from "../../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { expression } from "../../ops/core/expression.ts";
import { cat, stack } from "../../ops/shape/join.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, checkTensors, type Tensor } from "../../tensor/tensor.ts";
import { checkSizes, emptyParameter, FactoryArgs } from "../module/factory.ts";
import * as F from "../functional.ts";
import { uniform_ } from "../init.ts";
import { Module } from "../module/module.ts";
import type { Parameter } from "../module/parameter.ts";
import { python } from "../module/repr.ts";

const tanhStep = expression("rnnTanh", ([x, h]) => x!.add(h!).tanh());
const reluStep = expression("rnnRelu", ([x, h]) => {
  const sum = x!.add(h!);
  return sum.gt(0).where(sum, 0);
});
const lstmCell = expression("lstmCell", ([i, f, g, c]) => f!.sigmoid().mul(c!).add(i!.sigmoid().mul(g!.tanh())));
const lstmHidden = expression("lstmHidden", ([o, c]) => o!.sigmoid().mul(c!.tanh()));
const gruHidden = expression("gruHidden", ([xr, xz, xn, hr, hz, hn, h]) => {
  const reset = xr!.add(hr!).sigmoid();
  const keep = xz!.add(hz!).sigmoid();
  const fresh = xn!.add(reset.mul(hn!)).tanh();
  return fresh.add(keep.mul(h!.sub(fresh)));
});

/** One step in time: from the projected input and the state to the new state, `[h]`, or `[h, c]` for LSTM. */
export type RecurrentStep = (x: Tensor, state: readonly Tensor[], weights: RecurrentWeights) => Tensor[];

/** The parameters of one layer and direction. */
export interface RecurrentWeights {
  /** The input weight, `(gates · hiddenSize, inputSize)`. */
  readonly ih: Tensor;
  /** The recurrent weight, `(gates · hiddenSize, hiddenSize)`. */
  readonly hh: Tensor;
  /** The bias of the input projection, `(gates · hiddenSize)`. */
  readonly biasIh: Tensor | null;
  /** The bias of the recurrent projection, `(gates · hiddenSize)`. */
  readonly biasHh: Tensor | null;
  /** The output projection of an LSTM, `(projSize, hiddenSize)`. */
  readonly hr: Tensor | null;
}

/** A kind of recurrent layer: RNN, LSTM or GRU. */
export interface RecurrentKind {
  /** The number of gates of a cell. */
  readonly gates: number;
  /** The number of states of a cell: hidden state, or hidden and cell state. */
  readonly states: 1 | 2;
  /** Computes one step in time. */
  readonly step: RecurrentStep;
}

function simple(step: (tensors: Tensor[], numbers: number[]) => Tensor): RecurrentStep {
  return (x, [h], w) => [step([x, F.linear(h, w.hh, w.biasHh)], [])];
}

function lstmStep(x: Tensor, [h, c]: readonly Tensor[], w: RecurrentWeights): Tensor[] {
  const [i, f, g, o] = x.add(F.linear(h, w.hh, w.biasHh)).chunk(4, -1);
  const cell = lstmCell([i, f, g, c], []);
  const hidden = lstmHidden([o, cell], []);
  return [w.hr ? F.linear(hidden, w.hr) : hidden, cell];
}

function gruStep(x: Tensor, [h]: readonly Tensor[], w: RecurrentWeights): Tensor[] {
  return [gruHidden([...x.chunk(3, -1), ...F.linear(h, w.hh, w.biasHh).chunk(3, -1), h], [])];
}

const RNN_TANH: RecurrentKind = { gates: 1, states: 1, step: simple(tanhStep) };
const RNN_RELU: RecurrentKind = { gates: 1, states: 1, step: simple(reluStep) };
const LSTM_KIND: RecurrentKind = { gates: 4, states: 2, step: lstmStep };
const GRU_KIND: RecurrentKind = { gates: 3, states: 1, step: gruStep };

/** The parameters of {@linkcode RNN}. */
export class RNNArgs extends FactoryArgs {
  constructor(
    /** The number of input features. */
    public inputSize: number,
    /** The number of features of the hidden state. */
    public hiddenSize: number,
    /** The number of stacked layers. */
    public numLayers = 1,
    /** The activation of the hidden state. */
    public nonlinearity: "tanh" | "relu" = "tanh",
    /** Whether the layers have learned biases. */
    public bias = true,
    /** Whether the batch is the first dimension: input and output are `(N, L, *)`, not `(L, N, *)`. */
    public batchFirst = false,
    /** The dropout probability of the outputs between stacked layers. */
    public dropout = 0,
    /** Whether the layers are bidirectional: a second pass goes from the end of the sequence to its beginning. */
    public bidirectional = false,
  ) {
    super();
  }
}

/** The parameters of {@linkcode GRU}. */
export class GRUArgs extends FactoryArgs {
  constructor(
    /** The number of input features. */
    public inputSize: number,
    /** The number of features of the hidden state. */
    public hiddenSize: number,
    /** The number of stacked layers. */
    public numLayers = 1,
    /** Whether the layers have learned biases. */
    public bias = true,
    /** Whether the batch is the first dimension: input and output are `(N, L, *)`, not `(L, N, *)`. */
    public batchFirst = false,
    /** The dropout probability of the outputs between stacked layers. */
    public dropout = 0,
    /** Whether the layers are bidirectional: a second pass goes from the end of the sequence to its beginning. */
    public bidirectional = false,
  ) {
    super();
  }
}

/** The parameters of {@linkcode LSTM}. */
export class LSTMArgs extends FactoryArgs {
  constructor(
    /** The number of input features. */
    public inputSize: number,
    /** The number of features of the hidden state. */
    public hiddenSize: number,
    /** The number of stacked layers. */
    public numLayers = 1,
    /** Whether the layers have learned biases. */
    public bias = true,
    /** Whether the batch is the first dimension: input and output are `(N, L, *)`, not `(L, N, *)`. */
    public batchFirst = false,
    /** The dropout probability of the outputs between stacked layers. */
    public dropout = 0,
    /** Whether the layers are bidirectional: a second pass goes from the end of the sequence to its beginning. */
    public bidirectional = false,
    /** The number of features that outputs are projected to; 0: no projection. */
    public projSize = 0,
  ) {
    super();
  }
}

const rnnArgs = call("RNN", RNNArgs);
const lstmArgs = call("LSTM", LSTMArgs);
const gruArgs = call("GRU", GRUArgs);

/** Throws unless a state is given as a list of as many tensors as the kind has states. */
function checkStates(op: string, kind: RecurrentKind, states: unknown): void {
  checkTensors(op, "hx", states);
  if (states.length !== kind.states) {
    throw new ArgumentError(`${op}(): hx must be a list of ${kind.states} states: ${states.length} given`);
  }
}

/** The base of recurrent layers: parameters, the loops over layers, directions and steps, and printing. */
export abstract class RNNBase extends Module {
  /** The number of input features. */
  readonly inputSize: number;
  /** The number of features of the hidden state. */
  readonly hiddenSize: number;
  /** The number of stacked layers. */
  readonly numLayers: number;
  /** Whether the layers have learned biases. */
  readonly bias: boolean;
  /** Whether the batch is the first dimension of input and output. */
  readonly batchFirst: boolean;
  /** The dropout probability of the outputs between stacked layers. */
  readonly dropout: number;
  /** Whether the layers are bidirectional: a second pass goes from the end of the sequence to its beginning. */
  readonly bidirectional: boolean;
  /** The number of features that outputs are projected to; 0: no projection. */
  readonly projSize: number;

  /** Makes the layer `name` of parsed options. */
  constructor(name: string, kind: RecurrentKind, o: Readonly<GRUArgs>, projSize = 0) {
    super();
    if (typeof o !== "object" || o === null) {
      throw new ArgumentError("RNNBase(): an abstract class; use RNN, LSTM or GRU");
    }
    checkSizes(name, { inputSize: o.inputSize });
    this.inputSize = o.inputSize;
    this.hiddenSize = o.hiddenSize;
    this.numLayers = o.numLayers;
    this.bias = o.bias;
    this.batchFirst = o.batchFirst;
    this.dropout = o.dropout;
    this.bidirectional = o.bidirectional;
    this.projSize = projSize;
    this.check(name);
    for (const [layer, suffix] of this.passes()) {
      const width = layer === 0 ? this.inputSize : this.outSize * this.directions;
      const rows = kind.gates * this.hiddenSize;
      const add = (key: string, shape: number[]) => this.registerParameter(`${key}${suffix}`, emptyParameter(shape, o));
      add("weight_ih", [rows, width]);
      add("weight_hh", [rows, this.outSize]);
      if (this.bias) {
        add("bias_ih", [rows]);
        add("bias_hh", [rows]);
      }
      if (this.projSize > 0) add("weight_hr", [this.projSize, this.hiddenSize]);
    }
    this.resetParameters();
  }

  /** The outputs of all steps and the last state: the hidden states, or hidden and cell states. */
  abstract override forward(
    input: Tensor,
    hx?: Tensor | readonly [Tensor, Tensor] | null,
  ): [output: Tensor, state: Tensor | [hidden: Tensor, cell: Tensor]];

  /** Throws unless the options fit together. */
  private check(name: string): void {
    const { dropout, hiddenSize, numLayers, projSize } = this;
    if (!(dropout >= 0 && dropout <= 1)) {
      throw new ArgumentError(`${name}(): dropout should be a number in range [0, 1]: ${dropout}`);
    }
    if (!(Number.isInteger(hiddenSize) && hiddenSize > 0)) {
      throw new ArgumentError(`${name}(): hidden_size must be greater than zero: ${describe(hiddenSize)}`);
    }
    if (!(Number.isInteger(numLayers) && numLayers > 0)) {
      throw new ArgumentError(`${name}(): num_layers must be greater than zero: ${show(numLayers)}`);
    }
    checkCount(name, "num_layers", numLayers, 1, MOST_LAYERS);
    if (projSize < 0 || projSize >= hiddenSize) {
      throw new ArgumentError(`${name}(): proj_size has to be smaller than hidden_size: ${projSize} >= ${hiddenSize}`);
    }
  }

  /** The number of directions: 1, or 2 where bidirectional. */
  protected get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** The number of output features of one direction. */
  protected get outSize(): number {
    return this.projSize > 0 ? this.projSize : this.hiddenSize;
  }

  /** The layers and directions in order: the layer's index and the suffix of its parameters' names. */
  private *passes(): Generator<[layer: number, suffix: string]> {
    for (let layer = 0; layer < this.numLayers; layer++) {
      yield [layer, `_l${layer}`];
      if (this.bidirectional) yield [layer, `_l${layer}_reverse`];
    }
  }

  /** Draws new parameters, uniform in ±1/√hiddenSize. */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const parameter of this.parameters()) uniform_(parameter, -bound, bound);
  }

  /** The parameters of one layer and direction. */
  private weights(suffix: string): RecurrentWeights {
    const own = this as unknown as Record<string, Parameter | undefined>;
    return {
      ih: own[`weight_ih${suffix}`]!,
      hh: own[`weight_hh${suffix}`]!,
      biasIh: own[`bias_ih${suffix}`] ?? null,
      biasHh: own[`bias_hh${suffix}`] ?? null,
      hr: own[`weight_hr${suffix}`] ?? null,
    };
  }

  /**
   * Computes all layers and directions over the whole sequence.
   *
   * @param initial the initial states, `(layers · directions, N, features)` each; `null`: zeros
   * @returns the output and the last states, batched or unbatched as the input is
   */
  protected runLayers(
    kind: RecurrentKind,
    input: Tensor,
    initial: readonly Tensor[] | null,
  ): [output: Tensor, states: Tensor[]] {
    if (initial !== null) checkStates(this._name(), kind, initial);
    const weights = Array.from(this.passes(), ([, suffix]) => this.weights(suffix));
    // The states are of the weights' dtype, so the layer is cast as one op; but on the CPU a GRU's are not, as in PyTorch.
    const whole = autocasting.active && (kind !== GRU_KIND || autocastLists[input.device.type] === "gpu");
    if (whole) return autocasted("lower", this.runWithWeights.bind(this), kind, input, initial, weights);
    return this.runWithWeights(kind, input, initial, weights);
  }

  /** {@linkcode RNNBase.runLayers}, given the parameters of all layers and directions. */
  private runWithWeights(
    kind: RecurrentKind,
    input: Tensor,
    initial: readonly Tensor[] | null,
    weights: readonly RecurrentWeights[],
  ): [output: Tensor, states: Tensor[]] {
    checkTensor(this._name(), "input", input);
    if (input.ndim !== 2 && input.ndim !== 3) {
      throw new ShapeError(`${this._name()}(): the input must have 2 or 3 dimensions: ${show(input.shape)}`);
    }
    if (input.shape[input.ndim - 1] !== this.inputSize) {
      throw new ShapeError(
        `${this._name()}(): the input's last size must be inputSize: ${show(input.shape)}, inputSize ${
          describe(this.inputSize)
        }`,
      );
    }
    const batched = input.ndim === 3;
    return scope(() => {
      let x = batched ? input : input.unsqueeze(1);
      if (batched && this.batchFirst) x = x.transpose(0, 1); // (L, N, inputSize)
      const states = this.initialStates(kind, x, initial, batched);
      const [output, last] = this.layers(kind, x, states, weights);
      if (!batched) return [output.squeeze(1), last.map((s) => s.squeeze(1))];
      return [this.batchFirst ? output.transpose(0, 1) : output, last];
    });
  }

  /** The initial states; zeros where none are given. */
  private initialStates(kind: RecurrentKind, x: Tensor, initial: readonly Tensor[] | null, batched: boolean): Tensor[] {
    const count = this.numLayers * this.directions;
    const sizes = [this.outSize, this.hiddenSize].slice(0, kind.states);
    if (kind.states === 1) sizes[0] = this.hiddenSize;
    if (initial === null) return sizes.map((size) => x.detach().newZeros([count, x.shape[1], size]));
    return initial.map((state, i) => {
      const expected = batched ? [count, x.shape[1], sizes[i]] : [count, sizes[i]];
      if (state.ndim !== expected.length || state.shape.some((size, d) => size !== expected[d])) {
        throw new ShapeError(
          `${this._name()}(): Expected hidden${i === 0 ? "" : "[1]"} size (${expected.join(", ")}), got ${
            show(state.shape)
          }`,
        );
      }
      return batched ? state : state.unsqueeze(1);
    });
  }

  /** Loops over layers and directions. */
  private layers(
    kind: RecurrentKind,
    x: Tensor,
    states: readonly Tensor[],
    weights: readonly RecurrentWeights[],
  ): [Tensor, Tensor[]] {
    const last: Tensor[][] = states.map(() => []);
    let pass = 0;
    for (let layer = 0; layer < this.numLayers; layer++) {
      const outputs: Tensor[] = [];
      for (let direction = 0; direction < this.directions; direction++, pass++) {
        const start = states.map((s) => s.select(0, pass));
        const [output, end] = sequence(this._name(), kind, x, start, weights[pass], direction === 1);
        outputs.push(output);
        end.forEach((s, i) => last[i].push(s));
      }
      x = outputs.length === 1 ? outputs[0] : cat(outputs, -1);
      if (this.dropout > 0 && layer < this.numLayers - 1) x = F.dropout(x, this.dropout, this.training);
    }
    return [x, last.map((list) => stack(list, 0))];
  }

  override extraRepr(): string {
    let text = `${this.inputSize}, ${this.hiddenSize}`;
    if (this.projSize !== 0) text += `, proj_size=${this.projSize}`;
    if (this.numLayers !== 1) text += `, num_layers=${this.numLayers}`;
    if (!this.bias) text += ", bias=False";
    if (this.batchFirst) text += ", batch_first=True";
    if (this.dropout !== 0) text += `, dropout=${python(this.dropout)}`;
    if (this.bidirectional) text += ", bidirectional=True";
    return text;
  }
}

/** Computes one layer in one direction over a sequence `x` `(L, N, *)`. */
function sequence(
  name: string,
  kind: RecurrentKind,
  x: Tensor,
  start: readonly Tensor[],
  weights: RecurrentWeights,
  reverse: boolean,
): [output: Tensor, end: readonly Tensor[]] {
  const steps = F.linear(x, weights.ih, weights.biasIh).unbind(0); // L × (N, gates · hiddenSize)
  const outputs = new Array<Tensor>(steps.length);
  let state = start;
  for (let k = 0; k < steps.length; k++) {
    const t = reverse ? steps.length - 1 - k : k;
    state = kind.step(steps[t], state, weights);
    outputs[t] = state[0];
  }
  if (steps.length === 0) throw new ShapeError(`${name}(): the sequence must have at least one step: length 0`);
  return [stack(outputs, 0), state];
}

/**
 * Elman recurrent layer: `h ← tanh(W_ih x + b_ih + W_hh h + b_hh)`.
 *
 * Shape: `(L, N, inputSize)` (or `(N, L, *)`, or unbatched) to `(L, N, directions · hiddenSize)`.
 */
export class RNN extends RNNBase {
  /** The activation of the hidden state. */
  readonly nonlinearity: "tanh" | "relu";

  constructor(...args: Args<typeof RNNArgs>) {
    const o = rnnArgs(args);
    const { nonlinearity } = o;
    if (nonlinearity !== "tanh" && nonlinearity !== "relu") {
      throw new ArgumentError(`RNN(): nonlinearity must be "tanh" or "relu": ${describe(nonlinearity)}`);
    }
    super("RNN", RNN_TANH, o);
    this.nonlinearity = nonlinearity;
  }

  /** The outputs of all steps and the last states `(layers · directions, N, hiddenSize)`. */
  override forward(input: Tensor, hx: Tensor | null = null): [output: Tensor, hidden: Tensor] {
    const kind = this.nonlinearity === "tanh" ? RNN_TANH : RNN_RELU;
    const [output, [hidden]] = this.runLayers(kind, input, hx && [hx]);
    return [output, hidden];
  }
}

/**
 * Long short-term memory (LSTM).
 *
 * Shape: `(L, N, inputSize)` (or `(N, L, *)`, or unbatched) to `(L, N, directions · hiddenSize)`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const lstm = new torch.nn.LSTM(10, 20, 2);
 * const [output, [hidden, cell]] = lstm.call(torch.randn(5, 3, 10));
 * assertEquals(output.shape, [5, 3, 20]);
 * assertEquals([hidden.shape, cell.shape], [[2, 3, 20], [2, 3, 20]]);
 * ```
 *
 * @see https://doi.org/10.1162/neco.1997.9.8.1735
 */
export class LSTM extends RNNBase {
  constructor(...args: Args<typeof LSTMArgs>) {
    const o = lstmArgs(args);
    super("LSTM", LSTM_KIND, o, o.projSize);
  }

  /** The outputs of all steps, and the last hidden and cell states. */
  override forward(
    input: Tensor,
    hx: readonly [Tensor, Tensor] | null = null,
  ): [output: Tensor, state: [hidden: Tensor, cell: Tensor]] {
    const [output, [hidden, cell]] = this.runLayers(LSTM_KIND, input, hx);
    return [output, [hidden, cell]];
  }
}

/**
 * Gated recurrent unit (GRU).
 *
 * Shape: `(L, N, inputSize)` (or `(N, L, *)`, or unbatched) to `(L, N, directions · hiddenSize)`.
 *
 * @see https://arxiv.org/abs/1406.1078
 */
export class GRU extends RNNBase {
  constructor(...args: Args<typeof GRUArgs>) {
    super("GRU", GRU_KIND, gruArgs(args));
  }

  /** The outputs of all steps and the last states `(layers · directions, N, hiddenSize)`. */
  override forward(input: Tensor, hx: Tensor | null = null): [output: Tensor, hidden: Tensor] {
    const [output, [hidden]] = this.runLayers(GRU_KIND, input, hx && [hx]);
    return [output, hidden];
  }
}

/** The parameters of {@linkcode LSTMCell} and {@linkcode GRUCell}. */
export class CellArgs extends FactoryArgs {
  constructor(
    /** The number of input features. */
    public inputSize: number,
    /** The number of features of the hidden state. */
    public hiddenSize: number,
    /** Whether the layers have learned biases. */
    public bias = true,
  ) {
    super();
  }
}

/** The parameters of {@linkcode RNNCell}. */
export class RNNCellArgs extends FactoryArgs {
  constructor(
    /** The number of input features. */
    public inputSize: number,
    /** The number of features of the hidden state. */
    public hiddenSize: number,
    /** Whether the layers have learned biases. */
    public bias = true,
    /** The activation of the hidden state. */
    public nonlinearity: "tanh" | "relu" = "tanh",
  ) {
    super();
  }
}

const rnnCellArgs = call("RNNCell", RNNCellArgs);
const lstmCellArgs = call("LSTMCell", CellArgs);
const gruCellArgs = call("GRUCell", CellArgs);

/** The base of the cells, which compute one step of a recurrent layer. */
export abstract class RecurrentCell extends Module {
  /** The number of input features. */
  readonly inputSize: number;
  /** The number of features of the hidden state. */
  readonly hiddenSize: number;
  /** Whether the layers have learned biases. */
  readonly bias: boolean;
  /** The input weight, `(gates · hiddenSize, inputSize)`. */
  weight_ih: Parameter;
  /** The recurrent weight, `(gates · hiddenSize, hiddenSize)`. */
  weight_hh: Parameter;
  /** The bias of the input projection, `(gates · hiddenSize)`, or `null`. */
  bias_ih: Parameter | null;
  /** The bias of the recurrent projection, `(gates · hiddenSize)`, or `null`. */
  bias_hh: Parameter | null;

  /** Makes the layer `name` of parsed options. */
  constructor(name: string, kind: RecurrentKind, o: Readonly<CellArgs>) {
    super();
    checkSizes(name, { inputSize: o.inputSize, hiddenSize: o.hiddenSize });
    this.inputSize = o.inputSize;
    this.hiddenSize = o.hiddenSize;
    this.bias = o.bias;
    const rows = kind.gates * o.hiddenSize;
    this.weight_ih = emptyParameter([rows, o.inputSize], o);
    this.weight_hh = emptyParameter([rows, o.hiddenSize], o);
    this.bias_ih = this.bias ? emptyParameter([rows], o) : null;
    this.bias_hh = this.bias ? emptyParameter([rows], o) : null;
    this.resetParameters();
  }

  /** Draws new parameters, uniform in ±1/√hiddenSize. */
  resetParameters(): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0;
    for (const parameter of this.parameters()) uniform_(parameter, -bound, bound);
  }

  /** Computes one step in time. */
  protected step(kind: RecurrentKind, input: Tensor, initial: readonly Tensor[] | null): Tensor[] {
    if (initial !== null) checkStates(this._name(), kind, initial);
    for (const x of [input, ...(initial ?? [])]) {
      checkTensor(this._name(), "input and states", x);
      if (x.ndim !== 1 && x.ndim !== 2) {
        throw new ShapeError(`${this._name()}(): input and states must have 1 or 2 dimensions: ${show(x.shape)}`);
      }
    }
    const { weight_ih, weight_hh, bias_ih, bias_hh } = this;
    const weights = { ih: weight_ih, hh: weight_hh, biasIh: bias_ih, biasHh: bias_hh, hr: null };
    // On the CPU only the products inside are cast, as in PyTorch.
    const whole = autocasting.active && autocastLists[input.device.type] === "gpu";
    if (whole) return autocasted("lower", this.stepWith.bind(this), kind, input, initial, weights);
    return this.stepWith(kind, input, initial, weights);
  }

  /** {@linkcode RecurrentCell.step}, given the parameters. */
  private stepWith(
    kind: RecurrentKind,
    input: Tensor,
    initial: readonly Tensor[] | null,
    weights: RecurrentWeights,
  ): Tensor[] {
    return scope(() => {
      const batched = input.ndim === 2;
      const rows = (x: Tensor) => batched ? x : x.unsqueeze(0);
      const x = rows(input);
      const zeros = () => x.detach().newZeros([x.shape[0], this.hiddenSize]);
      const state = initial ? initial.map(rows) : Array.from({ length: kind.states }, zeros);
      const next = kind.step(F.linear(x, weights.ih, weights.biasIh), state, weights);
      return batched ? next : next.map((s) => s.squeeze(0));
    });
  }

  override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}${this.bias ? "" : ", bias=False"}`;
  }
}

/** One step of {@linkcode RNN}: `(N, inputSize)` to `(N, hiddenSize)`. */
export class RNNCell extends RecurrentCell {
  /** The activation of the hidden state. */
  readonly nonlinearity: "tanh" | "relu";

  constructor(...args: Args<typeof RNNCellArgs>) {
    const o = rnnCellArgs(args);
    super("RNNCell", RNN_TANH, o);
    this.nonlinearity = o.nonlinearity;
  }

  /** The new hidden state, `(N, hiddenSize)`. */
  override forward(input: Tensor, hx: Tensor | null = null): Tensor {
    if (this.nonlinearity !== "tanh" && this.nonlinearity !== "relu") {
      throw new ArgumentError(`RNNCell(): nonlinearity must be "tanh" or "relu": ${describe(this.nonlinearity)}`);
    }
    return this.step(this.nonlinearity === "tanh" ? RNN_TANH : RNN_RELU, input, hx && [hx])[0];
  }

  override extraRepr(): string {
    return super.extraRepr() + (this.nonlinearity === "tanh" ? "" : `, nonlinearity=${this.nonlinearity}`);
  }
}

/** One step of {@linkcode LSTM}: `(N, inputSize)` to two of `(N, hiddenSize)`. */
export class LSTMCell extends RecurrentCell {
  constructor(...args: Args<typeof CellArgs>) {
    super("LSTMCell", LSTM_KIND, lstmCellArgs(args));
  }

  /** The new hidden and cell states, `(N, hiddenSize)` each. */
  override forward(input: Tensor, hx: readonly [Tensor, Tensor] | null = null): [hidden: Tensor, cell: Tensor] {
    const [hidden, cell] = this.step(LSTM_KIND, input, hx);
    return [hidden, cell];
  }
}

/** One step of {@linkcode GRU}: `(N, inputSize)` to `(N, hiddenSize)`. */
export class GRUCell extends RecurrentCell {
  constructor(...args: Args<typeof CellArgs>) {
    super("GRUCell", GRU_KIND, gruCellArgs(args));
  }

  /** The new hidden state, `(N, hiddenSize)`. */
  override forward(input: Tensor, hx: Tensor | null = null): Tensor {
    return this.step(GRU_KIND, input, hx && [hx])[0];
  }
}
