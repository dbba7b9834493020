/**
 * Good arguments for the constructor of every public class that has required ones, so that the fuzzer has instances whose
 * methods it can call, and good inputs for the layers among them. A class that is not listed is made without arguments.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import * as vision from "../../src/vision/mod.ts";

/** How to make an instance, and the shapes of the inputs that its `call` takes. */
export interface Recipe {
  /** The arguments of the constructor. */
  readonly args: () => unknown[];
  /** Shapes of the inputs of a layer; the default is one matrix. */
  readonly inputs?: readonly (readonly number[])[];
}

const { nn, optim } = torch;
const make = (args: unknown[], ...inputs: (readonly number[])[]): Recipe => ({ args: () => [...args], inputs });

/** Images of one, two or three dimensions, two of them with two channels. */
const image = (dims: number, side = 4): number[] => [2, 2, ...new Array(dims).fill(side)];

const DIMENSIONS = [1, 2, 3] as const;
const perDimension = (name: string, recipe: (dims: number) => Recipe): [string, Recipe][] =>
  DIMENSIONS.map((dims) => [`nn.${name}${dims}d`, recipe(dims)]);

const parameters = (): torch.Tensor[] => [
  new nn.Parameter(torch.ones([2, 3])),
  new nn.Parameter(torch.ones([3, 2])),
];

/** An optimizer whose parameters have gradients. */
export function optimizer(): torch.optim.Optimizer {
  const list = parameters();
  for (const p of list) p.grad = torch.ones(p.shape);
  return new optim.SGD(list, 0.1, { momentum: 0.5 });
}

const LOSSES = ["BCELoss", "BCEWithLogitsLoss", "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss"];
const MORE_LOSSES = ["MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "PoissonNLLLoss", "SmoothL1Loss"];

const LAYERS: [string, Recipe][] = [
  ["nn.Linear", make([3, 4], [2, 3])],
  ["nn.Bilinear", make([3, 2, 4], [2, 3], [2, 2])],
  ["nn.Embedding", make([5, 3], [2, 3])],
  ["nn.EmbeddingBag", make([5, 3], [2, 3])],
  ["nn.LayerNorm", make([[3]], [2, 3])],
  ["nn.RMSNorm", make([[3]], [2, 3])],
  ["nn.GroupNorm", make([1, 2], [2, 2, 3])],
  ["nn.LocalResponseNorm", make([2], [2, 2, 3])],
  ["nn.MultiheadAttention", make([4, 2], [2, 3, 4], [2, 3, 4], [2, 3, 4])],
  ["nn.TransformerEncoderLayer", make([4, 2, 8], [2, 3, 4])],
  ["nn.TransformerDecoderLayer", make([4, 2, 8], [2, 3, 4], [2, 3, 4])],
  ["nn.Transformer", make([4, 2, 1, 1, 8], [2, 3, 4], [2, 3, 4])],
  ["nn.TransformerEncoder", { args: () => [new nn.TransformerEncoderLayer(4, 2, 8), 1], inputs: [[2, 3, 4]] }],
  ["nn.TransformerDecoder", {
    args: () => [new nn.TransformerDecoderLayer(4, 2, 8), 1],
    inputs: [[2, 3, 4], [2, 3, 4]],
  }],
  ["nn.RNN", make([3, 2], [2, 3, 3])],
  ["nn.LSTM", make([3, 2], [2, 3, 3])],
  ["nn.GRU", make([3, 2], [2, 3, 3])],
  ["nn.RNNCell", make([3, 2], [2, 3])],
  ["nn.LSTMCell", make([3, 2], [2, 3])],
  ["nn.GRUCell", make([3, 2], [2, 3])],
  ["nn.Threshold", make([0.1, 1])],
  ["nn.Unflatten", make([1, [1, 3]], [2, 3])],
  ["nn.PixelShuffle", make([1], [1, 2, 4, 4])],
  ["nn.PixelUnshuffle", make([2], [1, 2, 4, 4])],
  ["nn.ChannelShuffle", make([2], [1, 2, 4, 4])],
  ["nn.Fold", make([[4, 4], 2], [1, 4, 9])],
  ["nn.Unfold", make([2], [1, 1, 4, 4])],
  ["nn.Upsample", make([{ scaleFactor: 2 }], [1, 1, 4, 4])],
  ["nn.UpsamplingNearest2d", make([{ scaleFactor: 2 }], [1, 1, 4, 4])],
  ["nn.UpsamplingBilinear2d", make([{ scaleFactor: 2 }], [1, 1, 4, 4])],
  ["nn.Softmax2d", make([], [1, 2, 3, 3])],
  ["nn.Sequential", { args: () => [new nn.Linear(3, 4), new nn.ReLU()], inputs: [[2, 3]] }],
  ["nn.ModuleList", { args: () => [[new nn.Linear(3, 4), new nn.ReLU()]] }],
  ["nn.ModuleDict", { args: () => [{ a: new nn.Linear(3, 4), b: new nn.ReLU() }] }],
  ["nn.ParameterList", { args: () => [parameters()] }],
  ["nn.ParameterDict", { args: () => [{ a: parameters()[0] }] }],
  ["nn.Parameter", { args: () => [torch.ones([2, 3])] }],
  ["nn.Buffer", { args: () => [torch.ones([2, 3])] }],
  ["nn.IncompatibleKeys", make([[], []])],
  ["nn.CosineSimilarity", make([], [2, 3], [2, 3])],
  ["nn.PairwiseDistance", make([], [2, 3], [2, 3])],
  ["nn.CTCLoss", make([], [3, 2, 4], [2, 2], [2], [2])],
  ["nn.CrossEntropyLoss", make([], [2, 3], [2, 3])],
  ["nn.NLLLoss", make([], [2, 3], [2])],
  ["nn.MultiMarginLoss", make([], [2, 3], [2])],
  ["nn.GaussianNLLLoss", make([], [2, 3], [2, 3], [2, 3])],
  ["nn.CosineEmbeddingLoss", make([], [2, 3], [2, 3], [2])],
  ["nn.MarginRankingLoss", make([], [2, 3], [2, 3], [2, 3])],
  ["nn.TripletMarginLoss", make([], [2, 3], [2, 3], [2, 3])],
  ["nn.TripletMarginWithDistanceLoss", make([], [2, 3], [2, 3], [2, 3])],
  ...[...LOSSES, ...MORE_LOSSES, "SoftMarginLoss"].map((name): [string, Recipe] => [
    `nn.${name}`,
    make([], [2, 3], [2, 3]),
  ]),
  ...perDimension("Conv", (dims) => make([2, 3, 2], image(dims))),
  ...perDimension("ConvTranspose", (dims) => make([2, 3, 2], image(dims))),
  ...perDimension("BatchNorm", (dims) => make([2], image(dims))),
  ...perDimension("InstanceNorm", (dims) => make([2], image(dims))),
  ...perDimension("Dropout", (dims) => make([], image(dims))),
  ...["MaxPool", "AvgPool"].flatMap((name) => perDimension(name, (dims) => make([2], image(dims)))),
  ...perDimension("LPPool", (dims) => make([2, 2], image(dims))),
  ...perDimension("MaxUnpool", (dims) => make([2], image(dims, 2), image(dims, 2))),
  ...["AdaptiveAvgPool", "AdaptiveMaxPool"].flatMap((name) => perDimension(name, (dims) => make([2], image(dims)))),
  ...["CircularPad", "ReflectionPad", "ReplicationPad", "ZeroPad"].flatMap((name) =>
    perDimension(name, (dims) => make([1], image(dims)))
  ),
  ...perDimension("ConstantPad", (dims) => make([1, 0.5], image(dims))),
];

const OPTIMIZERS = ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam"];
const MORE_OPTIMIZERS = ["RAdam", "RMSprop", "Rprop", "SGD"];

/** A schedule's recipe: the optimizer, then its own numbers. */
const schedule = (name: string, ...rest: unknown[]): [string, Recipe] => [
  `optim.lrScheduler.${name}`,
  { args: () => [optimizer(), ...rest] },
];

const half = (): number => 0.5;

const TRAINING: [string, Recipe][] = [
  ...[...OPTIMIZERS, ...MORE_OPTIMIZERS].map((name): [string, Recipe] => [
    `optim.${name}`,
    { args: () => [parameters(), ...(name === "LBFGS" ? [] : [0.1])] },
  ]),
  schedule("ConstantLR"),
  schedule("CosineAnnealingLR", 5),
  schedule("CosineAnnealingWarmRestarts", 5),
  schedule("CyclicLR", 0.1, 0.2),
  schedule("ExponentialLR", 0.5),
  schedule("LambdaLR", half),
  schedule("LinearLR"),
  schedule("MultiStepLR", [1, 2]),
  schedule("MultiplicativeLR", half),
  schedule("OneCycleLR", 0.2, 10),
  schedule("PolynomialLR"),
  schedule("ReduceLROnPlateau"),
  schedule("StepLR", 2),
  ["optim.lrScheduler.SequentialLR", {
    args: () => {
      const one = optimizer();
      return [one, [new optim.lrScheduler.ConstantLR(one), new optim.lrScheduler.ExponentialLR(one, 0.5)], [2]];
    },
  }],
  ["optim.lrScheduler.ChainedScheduler", { args: () => [[new optim.lrScheduler.ConstantLR(optimizer())]] }],
  ["optim.swaUtils.SWALR", { args: () => [optimizer(), 0.1] }],
  ["optim.swaUtils.AveragedModel", { args: () => [new nn.Linear(3, 4)], inputs: [[2, 3]] }],
  ["amp.GradScaler", make([])],
];

const dataset = (): torch.utils.data.TensorDataset<[torch.Tensor]> =>
  new torch.utils.data.TensorDataset(torch.ones([4, 3]));

const DATA: [string, Recipe][] = [
  ["utils.data.TensorDataset", { args: () => [torch.ones([4, 3]), torch.ones([4])] }],
  ["utils.data.Subset", { args: () => [dataset(), [0, 2]] }],
  ["utils.data.ConcatDataset", { args: () => [[dataset(), dataset()]] }],
  ["utils.data.ChainDataset", make([[[1, 2], [3]]])],
  ["utils.data.DataLoader", { args: () => [dataset(), 2] }],
  ["utils.data.SequentialSampler", { args: () => [dataset()] }],
  ["utils.data.RandomSampler", { args: () => [dataset()] }],
  ["utils.data.SubsetRandomSampler", make([[0, 2]])],
  ["utils.data.WeightedRandomSampler", make([[0.5, 0.5], 3])],
  ["utils.data.BatchSampler", make([[0, 1, 2], 2])],
  ["utils.metrics.MulticlassAccuracy", make([])],
  ["vision.transforms.Compose", { args: () => [[new vision.transforms.ToTensor()]] }],
  ["vision.transforms.Lambda", make([(x: unknown) => x])],
  ["vision.transforms.Normalize", make([[0.5], [0.5]])],
  ["vision.transforms.RandomAffine", make([10])],
  ["vision.models.BasicBlock", make([2, 2], image(2))],
  ["vision.models.Bottleneck", make([8, 2], [1, 8, 4, 4])],
  ["Device", make(["cpu"])],
  ["Scalar", make([1, 0, "integer"])],
  ["Slice", make([0, 2, null])],
];

/** Recipes by the name of the class. */
export const RECIPES: ReadonlyMap<string, Recipe> = new Map([...LAYERS, ...TRAINING, ...DATA]);
