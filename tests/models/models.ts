/**
 * Three reference models, line by line as in PyTorch's own definitions: a multilayer perceptron, LeNet-5 and a small
 * ResNet.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";

const { nn } = torch;
const F = torch.nn.functional;

/** Three linear layers with ReLU and Tanh. */
export class MLP extends nn.Module {
  net = new nn.Sequential(
    new nn.Linear(20, 48),
    new nn.ReLU(),
    new nn.Linear(48, 32),
    new nn.Tanh(),
    new nn.Linear(32, 5),
  );

  forward(x: Tensor): Tensor {
    return this.net.call(x) as Tensor;
  }
}

/** LeCun 1998, with 28x28 input padded to 32x32. */
export class LeNet5 extends nn.Module {
  conv1 = new nn.Conv2d(1, 6, 5, { padding: 2 });
  conv2 = new nn.Conv2d(6, 16, 5);
  fc1 = new nn.Linear(16 * 5 * 5, 120);
  fc2 = new nn.Linear(120, 84);
  fc3 = new nn.Linear(84, 10);

  forward(x: Tensor): Tensor {
    x = F.avgPool2d(torch.tanh(this.conv1.call(x)), 2);
    x = F.maxPool2d(F.relu(this.conv2.call(x)), 2);
    x = torch.flatten(x, 1);
    x = F.relu(this.fc1.call(x));
    x = F.relu(this.fc2.call(x));
    return F.logSoftmax(this.fc3.call(x), 1);
  }
}

/** Two 3x3 convolutions with batch norm and a shortcut. */
export class BasicBlock extends nn.Module {
  conv1: torch.nn.Conv2d;
  bn1: torch.nn.BatchNorm2d;
  conv2: torch.nn.Conv2d;
  bn2: torch.nn.BatchNorm2d;
  shortcut: torch.nn.Sequential;

  constructor(cin: number, cout: number, stride: number) {
    super();
    this.conv1 = new nn.Conv2d(cin, cout, 3, { stride, padding: 1, bias: false });
    this.bn1 = new nn.BatchNorm2d(cout);
    this.conv2 = new nn.Conv2d(cout, cout, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(cout);
    this.shortcut = stride !== 1 || cin !== cout
      ? new nn.Sequential(new nn.Conv2d(cin, cout, 1, { stride, bias: false }), new nn.BatchNorm2d(cout))
      : new nn.Sequential();
  }

  forward(x: Tensor): Tensor {
    let y = F.relu(this.bn1.call(this.conv1.call(x)));
    y = this.bn2.call(this.conv2.call(y));
    return F.relu(y.add(this.shortcut.call(x) as Tensor));
  }
}

/** CIFAR-style ResNet, one basic block per stage. */
export class ResNetSmall extends nn.Module {
  conv1: torch.nn.Conv2d;
  bn1: torch.nn.BatchNorm2d;
  layers: torch.nn.Sequential;
  fc: torch.nn.Linear;

  constructor(widths: number[] = [8, 16, 32], classes = 10) {
    super();
    this.conv1 = new nn.Conv2d(3, widths[0], 3, { padding: 1, bias: false });
    this.bn1 = new nn.BatchNorm2d(widths[0]);
    const blocks = widths.map((width, i) => new BasicBlock(i === 0 ? width : widths[i - 1], width, i === 0 ? 1 : 2));
    this.layers = new nn.Sequential(...blocks);
    this.fc = new nn.Linear(widths.at(-1)!, classes);
  }

  forward(x: Tensor): Tensor {
    x = F.relu(this.bn1.call(this.conv1.call(x)));
    x = this.layers.call(x) as Tensor;
    x = F.adaptiveAvgPool2d(x, 1).flatten(1);
    return this.fc.call(x);
  }
}
