/**
 * What a user's script looks like when the library is imported from a URL: the test replaces the path of
 * `mod.ts` by the server's address
 * and runs the file with no permission but the import.
 */

import * as torch from "../../mod.ts";

const { nn } = torch;

class Net extends nn.Module {
  hidden = new nn.Linear(2, 16);
  out = new nn.Linear(16, 2);

  forward(x: torch.Tensor): torch.Tensor {
    return this.out.call(torch.tanh(this.hidden.call(x)));
  }
}

torch.manualSeed(0);
const net = new Net();
const optimizer = new torch.optim.Adam(net.parameters(), { lr: 0.05 });
const x = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
const y = torch.tensor([0n, 1n, 1n, 0n]);
let first = NaN;
let last = NaN;
for (let step = 0; step < 100; step++) {
  optimizer.zeroGrad();
  const loss = nn.functional.crossEntropy(net.call(x), y);
  loss.backward();
  optimizer.step();
  last = Number(await loss.item());
  if (step === 0) first = last;
}

const granted: string[] = [];
for (const name of ["read", "write", "net", "env", "run", "ffi", "sys"] as const) {
  if ((await Deno.permissions.query({ name })).state === "granted") granted.push(name);
}
console.log(JSON.stringify({ first, last, granted, prediction: await net.call(x).argmax(1).tolist() }));
