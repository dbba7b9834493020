/** Draws from every family and prints the values, for kernels.test.ts. */

import * as torch from "../../mod.ts";
import { numbers } from "./support.ts";

torch.manualSeed(2024);
const N = 3000;
const p = torch.linspace(0, 1, N);
const exact: Record<string, torch.Tensor> = {
  rand: torch.rand(N),
  "rand float64": torch.rand([N], { dtype: torch.float64 }),
  "rand float16": torch.rand([N], { dtype: torch.float16 }),
  randint: torch.randint(-5, 1000, [N]),
  "randint wide": torch.randint(0, 2 ** 50, [N]),
  randperm: torch.randperm(N),
  bernoulli: torch.bernoulli(p),
  dropout: torch.dropout(torch.ones(N), 0.3),
  "strided uniform_": torch.zeros(30, 100).transpose(0, 1).uniform_(-1, 1).contiguous(),
  multinomial: torch.multinomial(p.add(1), 100),
};
const close: Record<string, torch.Tensor> = {
  randn: torch.randn(N),
  "randn float64": torch.randn([N], { dtype: torch.float64 }),
  exponential_: torch.zeros(N).exponential_(),
  logNormal_: torch.zeros(N).logNormal_(),
};
const print = async (group: Record<string, torch.Tensor>) =>
  Object.fromEntries(await Promise.all(Object.entries(group).map(async ([name, x]) => [name, await numbers(x)])));
console.log(JSON.stringify({ exact: await print(exact), close: await print(close) }));
