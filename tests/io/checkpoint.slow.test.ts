/**
 * What torch.save writes, read by the real PyTorch with `weights_only=True`, where Python has it: values, and a training that
 * goes on there as it does here. Large files: how much memory reading takes.
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";

const { nn, optim } = torch;

const PYTHON = await new Deno.Command("python3", { args: ["-c", "import torch"], stderr: "null" }).output()
  .then(({ success }) => success, () => false);

/** Reads the file, goes on training for five steps, and prints what it saw as JSON. */
const READER = `
import json, sys, torch
from torch import nn
c = torch.load(sys.argv[1], weights_only=True)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
model.load_state_dict(c["model"])
optimizer = torch.optim.AdamW(model.parameters(), lr=1)
optimizer.load_state_dict(c["optimizer"])
schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1)
schedule.load_state_dict(c["schedule"])
losses = []
for _ in range(5):
    loss = (model(c["x"]) - c["y"]).square().mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step(); schedule.step()
    losses.append(loss.item())
v = c["values"]
v["base"].fill_(3)
print(json.dumps({
    "losses": losses, "epoch": c["epoch"], "row": v["row"].tolist(), "turned": list(v["turned"].stride()),
    "dtypes": [str(v[k].dtype) for k in ("half", "brain", "tiny", "complex", "flags")],
    "kinds": [type(v[k]).__name__ for k in ("set", "big", "float", "bytes", "nothing", "keys", "parameter", "dtype")],
    "big": str(v["big"]), "keys": [repr(k) for k in v["keys"]], "bytes": list(v["bytes"]), "text": v["text"],
}))
`;

Deno.test("PyTorch reads what save() writes and goes on training as Cresset does", { ignore: !PYTHON }, async () => {
  torch.manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(4, 8), new nn.Tanh(), new nn.Linear(8, 1));
  const optimizer = new optim.AdamW(model.parameters(), { lr: 0.05, amsgrad: true });
  const schedule = new optim.lrScheduler.StepLR(optimizer, { stepSize: 2, gamma: 0.5 });
  const x = torch.randn(16, 4), y = x.sum(1, true).sin();
  const step = async () => {
    const loss = model.call(x).sub(y).square().mean();
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    schedule.step();
    return await loss.item();
  };
  for (let i = 0; i < 3; i++) await step();
  const base = torch.arange(12, { dtype: torch.float32 });
  const values = {
    ...{ base, row: base.view(3, 4).at(1), turned: base.view(3, 4).t(), half: torch.ones(3).half() },
    ...{
      brain: torch.ones(3).bfloat16(),
      tiny: torch.ones(2).to(torch.float8E4m3fn),
      flags: torch.tensor([true, false]),
    },
    ...{ complex: torch.complex(torch.ones(2), torch.zeros(2)), parameter: new nn.Parameter(torch.ones(2)) },
    ...{ set: new Set([1, 2]), big: 2n ** 70n, float: 0.5, bytes: new Uint8Array([0, 255]), nothing: null },
    ...{ keys: new Map<unknown, number>([[1, 1], ["a", 2], [[1, "b"], 3]]), dtype: torch.float16, text: "Grüße 🐍" },
  };
  const path = await Deno.makeTempFile({ suffix: ".pt" });
  const states = { model: model.stateDict(), optimizer: optimizer.stateDict(), schedule: schedule.stateDict() };
  await torch.save({ ...states, epoch: 3, x, y, values }, path);
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) losses.push(await step());
  const { stdout, stderr } = await new Deno.Command("python3", { args: ["-c", READER, path] }).output();
  const text = new TextDecoder().decode(stdout);
  assert(text.startsWith("{"), new TextDecoder().decode(stderr));
  const { losses: theirs, ...seen } = JSON.parse(text);
  for (const [i, loss] of losses.entries()) {
    assert(Math.abs(loss - theirs[i]) < 2e-6, `step ${i}: ${loss}, ${theirs[i]}`);
  }
  assertEquals(seen, {
    ...{ epoch: 3, row: [3, 3, 3, 3], turned: [1, 4], big: String(2n ** 70n), bytes: [0, 255], text: "Grüße 🐍" },
    dtypes: ["torch.float16", "torch.bfloat16", "torch.float8_e4m3fn", "torch.complex64", "torch.bool"],
    kinds: ["set", "int", "float", "bytes", "NoneType", "dict", "Parameter", "dtype"],
    keys: ["1", "'a'", "(1, 'b')"],
  });
  await Deno.remove(path);
});

Deno.test("a large file needs little more memory than its tensors, one tensor of it a few megabytes", async () => {
  const path = await Deno.makeTempFile({ suffix: ".pt" }), megabytes = 256;
  const child = async (code: string) => {
    const args = ["run", "-A", "--no-check", "--ext=ts", "-"];
    const process = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(
      `import * as torch from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};\n` +
        `const path = ${
          JSON.stringify(path)
        };\nlet most = 0;\nconst look = () => most = Math.max(most, Deno.memoryUsage().rss);\n` +
        `look();\nconst before = most;\nconst timer = setInterval(look, 5);\n${code}\nlook();\nclearInterval(timer);\n` +
        `console.log((most - before) / 2 ** 20);`,
    ));
    await writer.close();
    return Number(new TextDecoder().decode((await process.output()).stdout));
  };
  await child(`await torch.save({ large: torch.zeros(${megabytes}, 2 ** 18), small: torch.ones(4) }, path);`);
  const whole = await child("const x = await torch.load(path);");
  assert(whole < 1.3 * megabytes + 40, `${whole} MB for ${megabytes}`);
  const one = await child('const x = await torch.load(path, { only: "small" });');
  assert(one < 40, `${one} MB for one tensor`);
  await Deno.remove(path);
});
