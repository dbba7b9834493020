/**
 * Ten lines: a line is fitted to points by gradient descent.
 *
 * @module
 */

import * as torch from "../mod.ts";

const x = torch.linspace(-1, 1, 100).reshape(100, 1);
const y = x.mul(3).add(0.5).add(torch.randn([100, 1]).mul(0.1));
const model = new torch.nn.Linear(1, 1);
const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1 });
for (let step = 0; step < 200; step++) {
  const loss = torch.nn.functional.mseLoss(model.call(x), y);
  optimizer.zeroGrad();
  loss.backward();
  optimizer.step();
}
console.log(model.weight, model.bias); // about 3 and 0.5
