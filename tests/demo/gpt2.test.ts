// The GPT-2 of the examples and benches against Hugging Face's, recorded by tests/golden/make_gpt2.py.
import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { generate, GPT2LMHeadModel, gpt2State, languageLoss } from "../../examples/support/gpt2.ts";
import { assertAllclose } from "../support/assert.ts";

const SIZES = { vocabSize: 61, nPositions: 16, nEmbd: 24, nLayer: 2, nHead: 3, dropout: 0 };
const recorded = await torch.io.safetensors.loadFile(new URL("../golden/gpt2.safetensors", import.meta.url).pathname);
const limits = { rtol: 1e-4, atol: 1e-5 };

/** What was recorded under a prefix. */
function group(prefix: string): Record<string, torch.Tensor> {
  const list = Object.entries(recorded).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(list.map(([name, x]) => [name.slice(prefix.length), x]));
}

Deno.test("gpt2: Hugging Face's state dict loads, with its scores, loss, gradients and a step of AdamW", async () => {
  const model = new GPT2LMHeadModel(SIZES), { ids, targets } = recorded;
  model.loadStateDict(group("state."));
  const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 1e-2 });
  await assertAllclose(model.call(ids), recorded.logits, { ...limits, what: "scores" });
  const loss = languageLoss(model, ids, targets);
  await assertAllclose(loss, recorded.loss, { ...limits, what: "loss" });
  loss.backward();
  const gradients = group("grad."), parameters = new Map(model.namedParameters());
  assertEquals([...parameters.keys()].sort(), Object.keys(gradients).sort());
  for (const [name, expected] of Object.entries(gradients)) {
    const grad = parameters.get(name)!.grad!, turned = /\.c_\w+\.weight$/.test(name) ? grad.t() : grad;
    await assertAllclose(turned, expected, { ...limits, what: name });
  }
  optimizer.step();
  await assertAllclose(model.call(ids), recorded.after, {
    rtol: 1e-3,
    atol: 1e-3,
    what: "after a step",
  });
});

Deno.test("gpt2: its own state dict has Hugging Face's keys and shapes, and published checkpoints lack what is derived", () => {
  const model = new GPT2LMHeadModel(SIZES), state = model.stateDict(), expected = group("state.");
  const shapes = (x: Record<string, torch.Tensor>) =>
    Object.fromEntries(Object.entries(x).map(([k, t]) => [k, t.shape]));
  assertEquals(shapes(state), shapes(expected));
  const published = Object.fromEntries(
    Object.entries(expected).filter(([k]) => k !== "lm_head.weight").map((
      [k, t],
    ) => [k.replace("transformer.", ""), t]),
  );
  published["h.0.attn.bias"] = torch.ones(1, 1, 16, 16);
  model.loadStateDict(gpt2State(published));
  assertEquals([...model.parameters()].length, Object.keys(group("grad.")).length);
});

Deno.test("gpt2: continues a sequence beyond its longest", async () => {
  torch.manualSeed(0);
  const model = new GPT2LMHeadModel(SIZES).eval();
  const out = await generate(model, torch.zeros([2, 10], { dtype: torch.int64 }), 9, { topK: 5 });
  assertEquals(out.shape, [2, 19]);
  assert(await out.lt(61).all().item<boolean>());
});
