/** What a newcomer's mistakes with layers, losses, optimizers, data, files and devices get. */

import { inFolder, newcomers, torch } from "../support/newcomer.ts";
import { gpuTest } from "../webgpu/support.ts";
import { assertThrows } from "@std/assert";

const { nn } = torch, F = nn.functional;
const { DataLoader, TensorDataset } = torch.utils.data;

newcomers([
  ["model(x)", () => {
    const model = new nn.Linear(2, 2);
    return model(torch.ones(2));
  }, {
    javascript: "model is not a function",
    why: "what can be called is a function, and a module is an object with fields; the message names it",
  }],
  [
    "Linear shape mismatch",
    () => new nn.Linear(784, 10).call(torch.randn(32, 28, 28)),
    "ShapeError: linear(): the input's last size must be the weight's: input [32, 28, 28], weight [10, 784] ([out, in])",
  ],
  [
    "Linear dtype",
    () => new nn.Linear(4, 10).call(torch.ones([2, 4], { dtype: torch.int64 })),
    "DTypeError: linear(): operands must have one dtype: torch.int64 and torch.float32 and torch.float32; convert with .to(dtype)",
  ],
  [
    "Linear uint8",
    () => new nn.Linear(4, 10).call(torch.tensor(new Uint8Array(8)).reshape(2, 4)),
    "DTypeError: linear(): operands must have one dtype: torch.uint8 and torch.float32 and torch.float32; convert with .to(dtype)",
  ],
  [
    "Linear float64",
    () => new nn.Linear(4, 10).call(torch.tensor(new Float64Array(8)).reshape(2, 4)),
    "DTypeError: linear(): operands must have one dtype: torch.float64 and torch.float32 and torch.float32; convert with .to(dtype)",
  ],
  [
    "conv channels",
    () => new nn.Conv2d(1, 10, 3).call(torch.ones(2, 3, 28, 28)),
    "ShapeError: conv2d(): the input must have 1 channels (weight [10, 1, 3, 3], 1 groups): [2, 3, 28, 28]",
  ],
  [
    "conv no batch HWC",
    () => new nn.Conv2d(3, 10, 3).call(torch.ones(28, 28, 3)),
    "ShapeError: conv2d(): the input must have 3 channels (weight [10, 3, 3, 3], 1 groups): [28, 28, 3]; channels come before sizes, so use permute() first",
  ],
  [
    "conv too small",
    () => new nn.Conv2d(3, 10, 5).call(torch.ones(1, 3, 4, 4)),
    "ShapeError: conv2d(): the kernel is larger than the padded input: kernel [5, 5], dilation [1, 1], padding [0, 0], input [1, 3, 4, 4]",
  ],
  [
    "crossEntropy float labels",
    () => F.crossEntropy(torch.randn(4, 3), torch.tensor([0, 1, 2, 0])),
    "DTypeError: crossEntropy(): targets must be class numbers of an integer dtype: torch.float32; use .long()",
  ],
  [
    "crossEntropy [N,1] labels",
    () => F.crossEntropy(torch.randn(4, 3), torch.tensor([[0n], [1n], [2n], [0n]])),
    "ShapeError: crossEntropy(): the target's shape must be the input's without its classes: expected [4], got [4, 1]; remove the dimension of 1 with squeeze()",
  ],
  [
    "crossEntropy label out of range",
    () => F.crossEntropy(torch.randn(4, 3), torch.tensor([0n, 1n, 3n, 0n])),
    "IndexError: crossEntropy(): index out of range: 3 along dimension 1 of size 3",
  ],
  [
    "crossEntropy batch mismatch",
    () => F.crossEntropy(torch.randn(4, 3), torch.tensor([0n, 1n])),
    "ShapeError: crossEntropy(): the target's shape must be the input's without its classes: expected [4], got [2]",
  ],
  [
    "crossEntropy array labels",
    () => F.crossEntropy(torch.randn(4, 3), [0, 1, 2, 0]),
    "ArgumentError: crossEntropy(): target must be a Tensor: Array; make one of it: torch.tensor(…)",
  ],
  [
    "crossEntropy args swapped",
    () => F.crossEntropy(torch.tensor([0n, 1n, 2n, 0n]), torch.randn(4, 3)),
    "DTypeError: crossEntropy(): input and target are swapped: the input is torch.int64 [4], the target torch.float32 [4, 3]; give the numbers per class first, then the class numbers",
  ],
  ["bce target int", () => F.binaryCrossEntropyWithLogits(torch.zeros(4), torch.tensor([0n, 1n, 0n, 1n])), {
    value: "tensor(0.6931)",
  }],
  [
    "bce shape",
    () => F.binaryCrossEntropyWithLogits(torch.randn(4, 1), torch.tensor([0, 1, 0, 1])),
    "ShapeError: binaryCrossEntropyWithLogits(): target and input must have the same shape: [4] != [4, 1]; use reshape() or unsqueeze()",
  ],
  ["mse shape [N,1] vs [N]", () => F.mseLoss(torch.zeros(4, 1), torch.ones(4)), {
    value: "tensor(1.)",
    warns:
      "mseLoss(): the target's shape is not the input's, and broadcasting probably gives a wrong loss: [4] and [4, 1]; make them",
  }],
  [
    "Linear.call(array)",
    () => new nn.Linear(2, 1).call([1, 2]),
    "ArgumentError: Linear(): input must be a Tensor: Array; make one of it: torch.tensor(…)",
  ],
  [
    "F.relu(number)",
    () => F.relu(3),
    "ArgumentError: relu(): input must be a Tensor: 3; make one of it: torch.tensor(…)",
  ],
  [
    "optimizer no params",
    () => new torch.optim.Adam([]),
    "ArgumentError: Adam(): optimizer got an empty parameter list; layers are found where they are fields of the module, or in an nn.ModuleList",
  ],
  [
    "optimizer with model",
    () => new torch.optim.Adam(new nn.Linear(1, 1)),
    "ArgumentError: Adam(): params must be an iterable of tensors or groups: Linear; pass model.parameters()",
  ],
  ["optimizer lr positional", () => new torch.optim.SGD(new nn.Linear(1, 1).parameters(), 0.1), { value: "lr: 0.1" }],
  [
    "optimizer learningRate",
    () => new torch.optim.SGD(new nn.Linear(1, 1).parameters(), { learningRate: 0.1 }),
    'ArgumentError: SGD(): unknown argument: "learningRate"; did you mean "lr"? expected one of params, lr, momentum, dampening, weightDecay, nesterov, maximize, foreach, fused, capturable, differentiable',
  ],
  [
    "optimizer negative lr",
    () => new torch.optim.SGD(new nn.Linear(1, 1).parameters(), { lr: -1 }),
    "ArgumentError: SGD(): Invalid learning rate value: -1; it must be at least 0",
  ],
  [
    "optimizer a learning rate per parameter",
    () => new torch.optim.Adam(new nn.Linear(1, 1).parameters(), { lr: torch.tensor([0.1, 0.2]) }),
    "ArgumentError: Adam(): lr: a tensor must have one element: a tensor of shape [2]",
  ],
  [
    "LBFGS negative lr",
    () => new torch.optim.LBFGS(new nn.Linear(1, 1).parameters(), { lr: -1 }),
    "ArgumentError: LBFGS(): Invalid learning rate value: -1; it must be at least 0",
  ],
  ["optimizer SGD no lr", () => {
    new torch.optim.SGD(new nn.Linear(1, 1).parameters());
    return "ok";
  }, { value: "ok" }],
  [
    "device unopened webgpu",
    () => torch.ones(2).to("webgpu"),
    'DeviceError: to(): device("webgpu:0"): the GPU is not open yet; call await openDevice("webgpu:0") once before using it',
  ],
  [
    "model.to(unopened)",
    () => new nn.Linear(2, 2).to("webgpu"),
    'DeviceError: Module.to(): device("webgpu:0"): the GPU is not open yet; call await openDevice("webgpu:0") once',
  ],
  [
    "model.to promise",
    () => new nn.Linear(2, 2).to(torch.openDevice("cpu")),
    "ArgumentError: Module.to(): device must be a device or a dtype: Promise; await it first",
  ],
  [
    "device mps",
    () => torch.device("mps"),
    'DeviceError: device(): unknown device: "mps"; expected "cpu", "cuda", "cuda:N", "webgpu" or "webgpu:N"',
  ],
  [
    "cuda not available",
    () => torch.openDevice("cuda").then(String),
    torch.cuda.isAvailable()
      ? { value: "cuda:0" }
      : /^DeviceError: device\("cuda(:0)?"\): the (NVIDIA driver|CUDA shim) /,
  ],
  [
    "save missing folder",
    () => torch.io.safetensors.saveFile(new nn.Linear(1, 1).stateDict(), "./nope-nope/x.safetensors"),
    'NotFound: saveFile(): cannot write: "./nope-nope/x.safetensors"; no such file or folder',
  ],
  [
    "save model rather than stateDict",
    () => torch.io.safetensors.saveFile(new nn.Linear(1, 1), "./nope-x.safetensors"),
    "ArgumentError: saveFile(): expected a state dict: Linear; of a module, give module.stateDict()",
  ],
  [
    "load missing",
    () => torch.io.safetensors.loadFile("./nope-nope.safetensors"),
    'NotFound: loadFile(): cannot read: "./nope-nope.safetensors"; no such file or folder',
  ],
  ["load .pt", () =>
    inFolder(async (path) => {
      await Deno.writeFile(path("x.pt"), new Uint8Array([0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0]));
      await torch.io.safetensors.loadFile(path("x.pt"));
    }), 'FormatError: loadFile(): "'],
  ["torch.save", () =>
    inFolder(async (path) => {
      await torch.save({ a: 1 }, path("x.pt"));
      return JSON.stringify(await torch.load(path("x.pt")));
    }), { value: '{"a":1}' }],
  ["torch.load", () =>
    inFolder(async (path) => {
      await Deno.writeTextFile(path("x.pt"), "hello");
      await torch.load(path("x.pt"));
    }), 'FormatError: load(): "'],
  ["loadStateDict forgot await", () =>
    inFolder(async (path) => {
      const model = new nn.Linear(1, 1), file = path("x.safetensors");
      await torch.io.safetensors.saveFile(model.stateDict(), file);
      const promise = torch.io.safetensors.loadFile(file);
      try {
        model.loadStateDict(promise);
      } finally {
        await promise;
      }
    }), "ArgumentError: loadStateDict(): expected state_dict to be dict-like: Promise; await it first"],
  [
    "loadStateDict mismatched keys",
    () =>
      inFolder(async (path) => {
        await torch.io.safetensors.saveFile({ scale: torch.ones(1) }, path("x.safetensors"));
        new nn.Linear(1, 1).loadStateDict(await torch.io.safetensors.loadFile(path("x.safetensors")));
      }),
    'ArgumentError: loadStateDict(): Error(s) in loading state_dict for Linear:\n\tMissing key(s) in state_dict: "weight", "bias". \n\tUnexpected key(s) in state_dict: "scale".',
  ],
  [
    "loadStateDict mismatched shape",
    () => new nn.Linear(1, 1).loadStateDict(new nn.Linear(2, 1).stateDict()),
    "ArgumentError: loadStateDict(): Error(s) in loading state_dict for Linear:\n\tsize mismatch for weight: copying a param with shape torch.Size([1, 2]) from checkpoint, the shape in current model is torch.Size([1, 1]).",
  ],
  ["loader sync for of", () => {
    for (const b of new DataLoader(new TensorDataset(torch.ones(4, 1)), { batchSize: 2 })) return b;
  }, "ArgumentError: DataLoader(): batches come asynchronously; write for await (const batch of loader)"],
  ["loader positional opts", () => new DataLoader(new TensorDataset(torch.ones(4, 1)), 2, true).length, { value: "2" }],
  [
    "loader batch_size",
    () => new DataLoader(new TensorDataset(torch.ones(4, 1)), { batch_size: 2 }),
    'ArgumentError: DataLoader(): unknown argument: "batch_size"; did you mean "batchSize"? expected one of batchSize, shuffle, sampler, batchSampler, numWorkers, collateFn, pinMemory, dropLast, timeout, generator, prefetchFactor, persistentWorkers',
  ],
  ["loader array dataset", async () => {
    for await (const b of new DataLoader([[torch.ones(1), 1], [torch.ones(1), 2]], { batchSize: 2 })) return b;
  }, { value: "tensor([1, 2])" }],
  [
    "loader ragged",
    async () => {
      for await (const b of new DataLoader([torch.ones(1), torch.ones(2)], { batchSize: 2 })) return b;
    },
    "ShapeError: defaultCollate(): sample: tensors differ in shape: [1] and [2]; pad them in the dataset, or give DataLoader a collateFn of your own",
  ],
  ["loader of strings", async () => {
    for await (const b of new DataLoader(["a", "b"], { batchSize: 2 })) return b;
  }, { value: '[ "a", "b" ]' }],
  [
    "loader of undefined",
    async () => {
      for await (const b of new DataLoader([undefined, 1], { batchSize: 2 })) return b;
    },
    "ArgumentError: defaultCollate(): sample: expected tensors, numbers, texts, arrays or plain objects: undefined; give DataLoader a collateFn of your own",
  ],
  [
    "TensorDataset mismatch",
    () => new TensorDataset(torch.ones(4), torch.ones(3)),
    "ShapeError: TensorDataset(): the sizes of dimension 0 differ: [4], [3]",
  ],
  ["numWorkers", () => new DataLoader(new TensorDataset(torch.ones(4)), { numWorkers: 4 }).numWorkers, { value: "4" }],
  ["class without super fields: layers in array", () => {
    class N extends nn.Module {
      layers = [new nn.Linear(1, 1)];
      forward(x: unknown) {
        return this.layers[0].call(x);
      }
    }
    return [...new N().parameters()].length;
  }, {
    value: "0",
    warns:
      "parameters(): N.layers holds a Module that is not registered, so it is not trained, moved or saved: Linear; use new nn.ModuleList(…)",
  }],
  ["forward missing", () => {
    class N extends nn.Module {}
    return new N().call(torch.ones(1));
  }, "ArgumentError: N(): the module has no forward(); write one, `forward(x) { return … }`, in its class"],
  ["forward returns nothing", () => {
    class N extends nn.Module {
      forward() {}
    }
    return new N().call(torch.ones(1)).sum();
  }, {
    javascript: "Cannot read properties of undefined (reading 'sum')",
    why: "a module may return what it likes, and nothing is something; the engine names what was read",
  }],
  ["model.forward(x) directly", () => new nn.Linear(1, 1).forward(torch.ones(1)).shape, { value: "[ 1 ]" }],
  ["nn.Linear without new", () => nn.Linear(1, 1), {
    javascript: "Class constructor Linear cannot be invoked without 'new'",
    why: "the engine checks that before the class can, and its message says what to do",
  }],
  [
    "nn.Sequential array",
    () => new nn.Sequential([new nn.Linear(1, 1)]).call(torch.ones(1)),
    "ArgumentError: Sequential(): expected a Module as item 0, got Array",
  ],
  [
    "nn.Sequential w/ functions",
    () => new nn.Sequential(new nn.Linear(1, 1), F.relu).call(torch.ones(1)),
    "ArgumentError: Sequential(): expected a Module as item 1, got function relu; a function is no module: use its layer, as new nn.ReLU() for relu, or a class of your own",
  ],
  [
    "nn.ReLU class (not instance)",
    () => new nn.Sequential(new nn.Linear(1, 1), nn.ReLU).call(torch.ones(1)),
    "ArgumentError: Sequential(): expected a Module as item 1, got class ReLU; make one: new ReLU(…)",
  ],
  ["nn.Linear('3')", () => new nn.Linear("3", 1), 'ArgumentError: Linear(): inFeatures must be an integer: "3"'],
  ["nn.Linear(3)", () => new nn.Linear(3), 'ArgumentError: Linear(): missing argument: "outFeatures"'],
  ["Linear({inFeatures})", () => new nn.Linear({ inFeatures: 3, outFeatures: 2 }).weight.shape, { value: "[ 2, 3 ]" }],
  [
    "BatchNorm train batch1",
    () => new nn.BatchNorm1d(3).call(torch.ones(1, 3)),
    "ShapeError: batchNorm(): expected more than 1 value per channel when training, got input size [1, 3]",
  ],
  [
    "Embedding float idx",
    () => new nn.Embedding(10, 3).call(torch.tensor([1, 2])),
    "DTypeError: embedding(): the index must be int64 or int32: torch.float32; use .long()",
  ],
  [
    "Embedding out of range",
    () => new nn.Embedding(10, 3).call(torch.tensor([1n, 12n])),
    "IndexError: embedding(): index out of range: 12 along dimension 0 of size 10",
  ],
  [
    "x.cuda()",
    () => String(torch.ones(2).cuda().device),
    torch.cuda.isAvailable()
      ? { value: "cuda:0" }
      : /^DeviceError: cuda\(\): device\("cuda(:0)?"\): the (NVIDIA driver|CUDA shim) /,
  ],
  [
    "module inner escapes",
    () => {
      let h = torch.ones(1);
      class N extends nn.Module {
        fc = new nn.Linear(1, 1);
        forward(x: unknown) {
          h = this.fc.call(x);
          return h.add(1);
        }
      }
      const n = new N();
      torch.noGrad(() => n.call(torch.ones(1)));
      return h.add(1);
    },
    "ReleasedError: add(): the tensor was released: it was made by linear() inside a module call, scope or backward that has ended, or disposed; to keep a tensor, return it, store it in a field of the module, or pass it to keep()",
  ],
  ["softmax no dim", () => F.softmax(torch.ones(2, 3)), {
    value: "0.3333",
    warns: "softmax(): no dim is given, so dimension 1 of 2 is taken, by an old rule; give dim, often -1",
  }],
  ["dropout p 1.5", () => new nn.Dropout(1.5), "ArgumentError: Dropout(): p must be between 0 and 1: 1.5"],
  [
    "scheduler before optimizer",
    () => new torch.optim.lrScheduler.StepLR(0.1, 1),
    "ArgumentError: StepLR(): optimizer must be an Optimizer: 0.1",
  ],
  [
    "maxPool2d on 2d",
    () => F.maxPool2d(torch.ones(2, 2), 2),
    "ShapeError: maxPool2d(): the input must have 4 dimensions, or 3 unbatched, none but the batch empty: [2, 2]",
  ],
  [
    "lstm wrong",
    () => new nn.LSTM(10, 20).call(torch.ones(5, 3, 11)),
    "ShapeError: LSTM(): the input's last size must be inputSize: [5, 3, 11], inputSize 10",
  ],
  [
    "mha wrong heads",
    () => new nn.MultiheadAttention(10, 3),
    "ArgumentError: MultiheadAttention(): embedDim must be divisible by numHeads: 10 % 3",
  ],
  [
    "a misspelt option of a layer",
    () => new nn.ReLU({ inplac: true }),
    'ArgumentError: ReLU(): unknown argument: "inplac"; did you mean "inplace"?',
  ],
  [
    "requiresGrad_ by name",
    () => torch.ones(2, { requiresGrad: true }).requiresGrad_({ requiresGrad: false }).requiresGrad,
    { value: "false" },
  ],
  [
    "the loss was not awaited in a text",
    () => `loss ${F.mseLoss(torch.ones(1), torch.ones(1)).item()}`,
    "ArgumentError: item(): a promise is used as if it were its value; write await ….item()",
  ],
  ["optimizer of layers in an array", () => {
    class N extends nn.Module {
      layers = [new nn.Linear(1, 1)];
    }
    return new torch.optim.SGD(new N().parameters());
  }, "ArgumentError: SGD(): optimizer got an empty parameter list; layers are found where they are fields"],
]);

gpuTest("newcomer: tensors of two devices, and a dtype that WebGPU lacks", () => {
  const x = torch.ones(2, { device: "webgpu" });
  const mixed = "tensors are on different devices: cpu and webgpu:0; move one with .to(device)";
  assertThrows(() => torch.ones(2).add(x), torch.DeviceError, `add(): ${mixed}`);
  assertThrows(() => new nn.Linear(2, 2).to("webgpu").call(torch.ones(3, 2)), torch.DeviceError, `linear(): ${mixed}`);
  const wide = () => torch.ones([2], { device: "webgpu", dtype: torch.float64 });
  assertThrows(wide, torch.DTypeError, "ones(): WebGPU has no torch.float64; use float32");
});
