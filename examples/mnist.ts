/**
 * Handwritten digits, after PyTorch's own example: https://github.com/pytorch/examples/blob/main/mnist/main.py
 *
 * Trains a small convolutional network on 1,500 real digits of 8 x 8 pixels (examples/data), tests it on 297 others after
 * every epoch, saves it, and writes a report. `deno task demo` runs it; `deno task demo --help` lists the options.
 *
 * @module
 */

import * as torch from "../mod.ts";
import { datasets, transforms } from "../src/vision/mod.ts";
import { helpText, integer, parseOptions, positive, text, UsageError, writableFolder } from "./support/options.ts";
import { EpochBar } from "./support/progress.ts";
import { confusionOf, confusionText, type EpochResult, type Prediction, reportHtml } from "./support/report.ts";

import nn = torch.nn;
import F = torch.nn.functional;
const { optim, io } = torch;
const { DataLoader } = torch.utils.data;
const { Mean } = torch.utils.metrics;

const DATA = new URL("./data/", import.meta.url);

class Net extends nn.Module {
  conv1 = new nn.Conv2d(1, 32, 3, { padding: 1 });
  bn1 = new nn.BatchNorm2d(32);
  conv2 = new nn.Conv2d(32, 64, 3, { padding: 1 });
  bn2 = new nn.BatchNorm2d(64);
  dropout1 = new nn.Dropout(0.1);
  dropout2 = new nn.Dropout(0.25);
  fc1 = new nn.Linear(1024, 128);
  fc2 = new nn.Linear(128, 10);

  override forward(x: torch.Tensor): torch.Tensor {
    x = F.relu(this.bn1.call(this.conv1.call(x))); // (N, 32, 8, 8)
    x = F.relu(this.bn2.call(this.conv2.call(x))); // (N, 64, 8, 8)
    x = F.maxPool2d(x, 2); // (N, 64, 4, 4)
    x = this.dropout1.call(x);
    x = torch.flatten(x, 1); // (N, 1024)
    x = F.relu(this.fc1.call(x)); // (N, 128)
    x = this.dropout2.call(x);
    x = this.fc2.call(x); // (N, 10)
    return F.logSoftmax(x, 1);
  }
}

type Loader = torch.utils.data.DataLoader<[torch.Tensor, number], [torch.Tensor, torch.Tensor]>;

async function train(
  model: Net,
  device: torch.Device,
  trainLoader: Loader,
  optimizer: torch.optim.Optimizer,
  bar: EpochBar,
): Promise<void> {
  model.train();
  for await (const [images, labels] of trainLoader) {
    const data = images.to(device), target = labels.to(device);
    optimizer.zeroGrad();
    const output = model.call(data);
    const loss = F.nllLoss(output, target);
    loss.backward();
    optimizer.step();
    await bar.advance(data.size(0), loss);
  }
  await bar.read();
}

async function test(
  model: Net,
  device: torch.Device,
  testLoader: Loader,
): Promise<{ loss: number; answers: number[] }> {
  model.eval();
  const testLoss = new Mean(), answers: Promise<number[]>[] = [];
  using _ = torch.noGrad();
  for await (const [images, labels] of testLoader) {
    const data = images.to(device), target = labels.to(device);
    const output = model.call(data);
    testLoss.update(F.nllLoss(output, target), data.size(0)); // mean over all batches
    const pred = output.argmax(1); // get the index of the max log-probability
    answers.push(pred.tolist<number[]>()); // a read waits for the device, so it is awaited at the end
  }
  return { loss: await testLoss.compute(), answers: (await Promise.all(answers)).flat() };
}

const OPTIONS = {
  epochs: integer(15, "How often to go through the training digits", 1, 1000),
  device: text("cpu", "NAME", 'Where to compute: "cpu", "cuda", "webgpu"'),
  lr: positive(2e-3, "Learning rate at the start", 10),
  seed: integer(1, "Seed of everything random", 0, Number.MAX_SAFE_INTEGER),
  out: text("out/mnist", "FOLDER", "Where the report and the checkpoint go"),
};

async function main(words: readonly string[]): Promise<void> {
  const args = parseOptions(words, OPTIONS);
  if (args === null) {
    return console.log(helpText("Trains a convolutional network on handwritten digits.", "deno task demo", OPTIONS));
  }
  const device = await torch.openDevice(args.device);
  const { device: name, kernels } = torch.info(device);
  await writableFolder(args.out);
  console.log(`device: ${name}, kernels: ${kernels}`);
  torch.manualSeed(args.seed);

  const toTensor = new transforms.Compose([new transforms.ToTensor(), new transforms.Normalize([0.3052], [0.3749])]);
  const augment = new transforms.RandomAffine(10, [0.1, 0.1], [0.9, 1.1], 10);
  const trainSet = await datasets.MNIST.load(DATA, true, new transforms.Compose([augment, toTensor]));
  const testSet = await datasets.MNIST.load(DATA, false, toTensor);
  const trainLoader = new DataLoader(trainSet, { batchSize: 32, shuffle: true });
  const testLoader = new DataLoader(testSet, { batchSize: 256 });
  console.log(`digits: ${trainSet.length} to train on, ${testSet.length} to test with`);

  const model = new Net().to(device);
  const optimizer = new optim.AdamW(model.parameters(), { lr: args.lr });
  const scheduler = new optim.lrScheduler.CosineAnnealingLR(optimizer, args.epochs);

  const epochs: EpochResult[] = [];
  let answers: number[] = [];
  for (let epoch = 1; epoch <= args.epochs; epoch++) {
    const title = `epoch ${String(epoch).padStart(String(args.epochs).length)}/${args.epochs}`;
    const bar = new EpochBar(title, trainSet.length);
    {
      using _ = bar;
      await train(model, device, trainLoader, optimizer, bar);
    }
    scheduler.step();
    const { loss: trainLoss, speed } = bar;
    const tested = await test(model, device, testLoader);
    answers = tested.answers;
    const accuracy = answers.filter((answer, i) => answer === testSet.targets[i]).length / testSet.length;
    epochs.push({ trainLoss, testLoss: tested.loss, accuracy, speed });
    console.log(
      `${title}  train loss ${trainLoss.toFixed(4)}  test loss ${tested.loss.toFixed(4)}  ` +
        `test accuracy ${accuracy.toFixed(4)}  ${speed.toFixed(0)} images/s`,
    );
  }

  const checkpoint = `${args.out}/mnist.safetensors`;
  await io.safetensors.saveFile(model.stateDict(), checkpoint, { format: "pt" });
  const fresh = new Net().to(device);
  fresh.loadStateDict(await io.safetensors.loadFile(checkpoint, { device }));
  const again = await test(fresh, device, testLoader);
  if (again.answers.some((answer, i) => answer !== answers[i])) {
    throw new Error("the model read back from the checkpoint gives other predictions");
  }
  console.log(`checkpoint: ${checkpoint}, read back into a fresh model: identical predictions`);

  const predictions: Prediction[] = answers.map((predicted, i) => (
    { image: testSet.image(i), target: testSet.targets[i], predicted }
  ));
  const { accuracy } = epochs[epochs.length - 1];
  const report = `${args.out}/report.html`;
  const how = `${args.epochs} epochs on ${name} (${kernels}), learning rate ${args.lr}, seed ${args.seed}: ` +
    `test accuracy ${accuracy.toFixed(4)}`;
  await Deno.writeTextFile(report, reportHtml("Handwritten digits", how, epochs, predictions));
  console.log(`report: ${report}`);
  console.log("\nwhat a digit is (row) and what it was taken for (column):");
  console.log(confusionText(confusionOf(predictions, 10)));
  console.log(`\ntest accuracy: ${accuracy.toFixed(4)}`);
}

/** Errors that a user can mend; any other is a bug and shows its stack. */
const EXPECTED = [UsageError, torch.DeviceError, torch.DTypeError, torch.FormatError, ...Object.values(Deno.errors)];

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    if (!EXPECTED.some((Class) => error instanceof Class)) throw error;
    console.error(`mnist: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
