import * as torch from "../../mod.ts";
import nn = torch.nn;
import F = torch.nn.functional;
const { DataLoader, TensorDataset } = torch.utils.data;

class Net extends nn.Module {
  conv = new nn.Conv2d(1, 16, 3, { padding: 1 });
  dropout = new nn.Dropout(0.25);
  fc = new nn.Linear(16 * 4 * 4, 2);

  forward(x: torch.Tensor) {
    x = F.maxPool2d(F.relu(this.conv.call(x)), 2);
    x = this.dropout.call(torch.flatten(x, 1));
    return F.logSoftmax(this.fc.call(x), 1);
  }
}

torch.manualSeed(1);
const images = torch.randn(256, 1, 8, 8);
const labels = images.mean([1, 2, 3]).gt(0).long();
const data = new TensorDataset(images, labels);
const loader = new DataLoader(data, { batchSize: 32, shuffle: true });

const model = new Net();
const optimizer = new torch.optim.Adam(model.parameters(), { lr: 0.01 });
for (let epoch = 0; epoch < 5; epoch++) {
  let total = 0;
  for await (const [x, y] of loader) {
    optimizer.zeroGrad();
    const loss = F.nllLoss(model.call(x), y);
    loss.backward();
    optimizer.step();
    total += await loss.item();
  }
  console.log(epoch, total / loader.length);
}
