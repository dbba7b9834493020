/**
 * Who owns a tensor: what a module call returns, stores in a field, hands to a hook or saves for backward lives on; all
 * else that it made is released when it returns, and touching that is a clear error.
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";
import { assertAllclose, assertUserError } from "../support/assert.ts";

const { nn } = torch;

/** The number of live blocks that `body` leaves behind. */
function blocksLeft(body: () => void): number {
  const before = torch.memoryStats().liveBlocks;
  body();
  return torch.memoryStats().liveBlocks - before;
}

/** A module given as a function. */
class Lambda extends nn.Module {
  readonly body: (x: Tensor, self: Lambda) => unknown;
  cache: Tensor | null = null;

  constructor(body: (x: Tensor, self: Lambda) => unknown) {
    super();
    this.body = body;
  }

  forward(x: Tensor): unknown {
    return this.body(x, this);
  }
}

Deno.test("a module call releases what it made and nothing keeps", () => {
  const x = torch.ones([8]);
  const net = new Lambda((x) => x.add(1).mul(2).sub(3));
  const left = torch.noGrad(() => blocksLeft(() => void net.call(x)));
  assertEquals(left, 1, "only the result stays");
});

Deno.test("a tensor used after its release says who made it and how to keep it", async () => {
  let leaked: Tensor | undefined;
  const net = new Lambda((x) => {
    leaked = x.add(1);
    return leaked.mul(2);
  });
  torch.noGrad(() => net.call(torch.ones([2])));
  assert(leaked!.isReleased);
  const error = await assertUserError(() => leaked!.mul(2), torch.ReleasedError, "made by add()");
  for (const remedy of ["return it", "field", "keep()"]) assert(error.message.includes(remedy), error.message);
  await assertUserError(() => leaked!.read(), torch.ReleasedError, "released");
});

Deno.test("keep() exempts a tensor from the call it was made in", async () => {
  let kept: Tensor | undefined;
  const net = new Lambda((x) => {
    kept = torch.keep(x.add(1));
    return kept.mul(2);
  });
  torch.noGrad(() => net.call(torch.ones([2])));
  await assertAllclose(kept!, [2, 2]);
});

Deno.test("a KV cache in a field lives as long as the field holds it", async () => {
  const net = new Lambda((x, self) => {
    self.cache = self.cache ? torch.cat([self.cache, x.mul(1)], 0) : x.mul(1);
    return self.cache.sum();
  });
  await torch.noGrad(async () => {
    for (let step = 1; step <= 5; step++) {
      const total = net.call(torch.ones([1, 3]).mul(step)) as Tensor;
      assertEquals(await total.item(), 3 * step * (step + 1) / 2);
    }
  });
  assertEquals(net.cache!.shape, [5, 3]);
});

Deno.test("what a hook captures lives on", async () => {
  const captured: Tensor[] = [];
  const inner = new Lambda((x) => x.mul(3));
  class Outer extends nn.Module {
    inner = inner;
    forward(x: Tensor): Tensor {
      return (this.inner.call(x) as Tensor).add(1);
    }
  }
  inner.registerForwardHook((_module, _args, output) => void captured.push(output as Tensor));
  const net = new Outer();
  torch.noGrad(() => net.call(torch.ones([2])));
  await assertAllclose(captured[0], [3, 3]);
});

Deno.test("a returned view keeps its base", async () => {
  const net = new Lambda((x) => x.add(1).at(torch.slice(1, 3)));
  const view = torch.noGrad(() => net.call(torch.tensor([1, 2, 3, 4])) as Tensor);
  await assertAllclose(view, [3, 4]);
});

Deno.test("results in nested arrays, objects and maps live on", async () => {
  const net = new Lambda((x) => ({ list: [x.add(1), { deep: x.add(2) }], map: new Map([["k", x.add(3)]]) }));
  const out = torch.noGrad(() => net.call(torch.ones([1]))) as {
    list: [Tensor, { deep: Tensor }];
    map: Map<string, Tensor>;
  };
  await assertAllclose(out.list[0], [2]);
  await assertAllclose(out.list[1].deep, [3]);
  await assertAllclose(out.map.get("k")!, [4]);
});

Deno.test("an asynchronous forward hands everything over to the collector", async () => {
  const net = new Lambda(async (x) => {
    const y = x.add(1);
    await Promise.resolve();
    const z = y.mul(2);
    await z.item();
    return z.add(y);
  });
  const out = await torch.noGrad(() => net.call(torch.ones([1]))) as Tensor;
  await assertAllclose(out, [6]);
});

Deno.test("an exception inside forward releases what the call had made", () => {
  const net = new Lambda((x) => {
    x.add(1).mul(2);
    throw new Error("the user's own");
  });
  const x = torch.ones([8]);
  let message = "";
  const left = torch.noGrad(() =>
    blocksLeft(() => {
      try {
        net.call(x);
      } catch (error) {
        message = (error as Error).message;
      }
    })
  );
  assertEquals(message, "the user's own");
  assertEquals(left, 0);
});

Deno.test("an exception inside forward leaves the library usable", async () => {
  const failing = new Lambda(() => {
    throw new Error("no");
  });
  try {
    failing.call(torch.ones([1]));
  } catch { /* what follows is the point */ }
  const y = torch.ones([2]).add(1);
  await assertAllclose(y, [2, 2]);
});

Deno.test("tensors saved for backward live until backward has used them", async () => {
  const net = new Lambda((x) => x.exp().mul(x.sin()).exp());
  const x = torch.tensor([0.5], { requiresGrad: true });
  const ones = torch.ones([1]);
  const out = net.call(x) as Tensor;
  const saved = torch.memoryStats().liveBlocks;
  out.backward(ones);
  // At least two saved tensors went, and the gradient came.
  assert(torch.memoryStats().liveBlocks < saved, "backward releases what was saved");
  const [e, s, c] = [Math.exp(0.5), Math.sin(0.5), Math.cos(0.5)];
  await assertAllclose(x.grad!, [Math.exp(e * s) * (e * s + e * c)]);
});

Deno.test("scope() keeps the result and frees the rest; using and dispose() free at once", async () => {
  const x = torch.ones([4]);
  let result: Tensor | undefined;
  const left = blocksLeft(() => {
    result = torch.scope(() => x.add(1).mul(2));
  });
  assertEquals(left, 1);
  await assertAllclose(result!, [4, 4, 4, 4]);
  const afterUsing = blocksLeft(() => {
    using y = x.add(1);
    y.mul(2).dispose();
  });
  assertEquals(afterUsing, 0);
  result!.dispose();
  await assertUserError(() => result!.add(1), torch.ReleasedError, "released");
  result!.dispose(); // Twice is not an error.
});

Deno.test("grad() of one output of several frees the gradients of the others at once", () => {
  const before = torch.memoryStats().liveBlocks;
  torch.scope(() => {
    const x = torch.ones([2, 3], { requiresGrad: true });
    const [a, b] = x.mul(2).split(1);
    torch.autograd.grad(a.mul(a).sum().add(b.mul(b).sum()), [a]);
  });
  assertEquals(torch.memoryStats().liveBlocks, before);
});

Deno.test("what forward stores in its arguments lives on", async () => {
  class Cache {
    readonly keys: Tensor[] = [];
    update(x: Tensor): Tensor {
      this.keys.push(x);
      return torch.cat(this.keys, 0);
    }
  }
  class Attend extends nn.Module {
    forward(x: Tensor, cache: Cache, record: Record<string, Tensor>): Tensor {
      record.doubled = x.mul(2);
      return cache.update(x.add(1)).sum();
    }
  }
  class Net extends nn.Module {
    inner = new Attend();
    forward(x: Tensor, cache: Cache, record: Record<string, Tensor>): Tensor {
      return this.inner.call(x.mul(3), cache, record).add(0);
    }
  }
  const net = new Net(), cache = new Cache(), record: Record<string, Tensor> = {};
  const total = torch.noGrad(() => [1, 2, 3].map((v) => net.call(torch.full([1], v), cache, record)));
  assertEquals(await Promise.all(total.map((x) => x.item())), [4, 11, 21]);
  await assertAllclose(cache.keys[0], [4]);
  await assertAllclose(record.doubled, [18]);
});

Deno.test("what a hook computes lives on: forward, backward, of tensors and of nodes", async () => {
  const made: Tensor[] = [];
  const inner = new nn.Linear(2, 2);
  inner.registerForwardPreHook((_module, [x]) => void made.push((x as Tensor).mul(2).add(1)));
  inner.registerForwardHook((_module, _args, output) => void made.push((output as Tensor).detach().clone()));
  inner.registerFullBackwardHook((_module, _in, [grad]) => void made.push(grad!.mul(2).add(1)));
  const net = new nn.Sequential(inner, new nn.ReLU());
  const x = torch.ones([1, 2], { requiresGrad: true });
  x.registerHook((grad) => void made.push(grad.mul(2).add(1)));
  inner.weight.registerPostAccumulateGradHook((leaf) => void made.push(leaf.grad!.mul(2).add(1)));
  const out = net.call(x).sum();
  out.gradFn!.registerPrehook(([grad]) => void made.push(grad!.mul(2).add(1)));
  out.gradFn!.registerHook(([grad]) => void made.push(grad!.mul(2).add(1)));
  out.backward();
  assertEquals(made.length, 7);
  for (const x of made) assert((await x.tolist()) !== null);
});

Deno.test("what private fields may hold is left to the collector", async () => {
  class Secret extends nn.Module {
    #last: Tensor | null = null;
    forward(x: Tensor): Tensor {
      const before = this.#last;
      this.#last = x.add(1);
      return before === null ? x.mul(1) : torch.cat([before, x]);
    }
  }
  class SecretCache {
    #held: Tensor[] = [];
    push(x: Tensor): Tensor {
      this.#held.push(x);
      return torch.cat(this.#held);
    }
  }
  class Net extends nn.Module {
    secret = new Secret();
    forward(x: Tensor, cache: SecretCache): Tensor {
      return this.secret.call(cache.push(x.mul(2))).sum();
    }
  }
  const net = new Net(), cache = new SecretCache();
  const totals = torch.noGrad(() => [1, 2, 3].map((v) => net.call(torch.full([1], v), cache)));
  await assertAllclose(totals[0].reshape(1), [2]);
  await assertAllclose(totals[2].reshape(1), [20]);
  await assertAllclose(cache.push(torch.zeros([1])), [2, 4, 6, 0]);
});

Deno.test("private methods hide nothing: what such a module made is released", () => {
  class Net extends nn.Module {
    forward(x: Tensor): Tensor {
      return this.#twice(x).add(1);
    }
    #twice(x: Tensor): Tensor {
      return x.mul(2);
    }
  }
  const net = new Net(), x = torch.ones([8]);
  assertEquals(torch.noGrad(() => blocksLeft(() => void net.call(x))), 1);
});

Deno.test("large containers of plain data are looked through once, until their size changes", async () => {
  let looks = 0;
  class Vocabulary extends Map<string, unknown> {
    override values(): MapIterator<unknown> {
      looks++;
      return super.values();
    }
  }
  class Net extends nn.Module {
    vocabulary = new Vocabulary(Array.from({ length: 1000 }, (_, i) => [String(i), i]));
    forward(x: Tensor, store: boolean): Tensor {
      const y = x.add(1);
      if (store) this.vocabulary.set("<cached>", y);
      return y.mul(2);
    }
  }
  const net = new Net(), x = torch.ones([2]);
  torch.noGrad(() => [1, 2, 3].forEach(() => net.call(x, false)));
  assertEquals(looks, 1);
  torch.noGrad(() => net.call(x, true));
  await assertAllclose(net.vocabulary.get("<cached>") as Tensor, [2, 2]);
});

Deno.test("an exception releases what the call saved for backward, unless something outside needs it", async () => {
  const x = torch.ones([8], { requiresGrad: true });
  const attempt = (net: Lambda) =>
    blocksLeft(() => {
      try {
        net.call(x);
      } catch { /* what is left is the point */ }
    });
  assertEquals(
    attempt(
      new Lambda((x) => {
        x.exp().sin().mul(x.exp());
        throw new Error("the user's own");
      }),
    ),
    0,
  );
  const base = x.mul(1);
  attempt(
    new Lambda((x) => {
      base.mul_(x.exp());
      throw new Error("the user's own");
    }),
  );
  base.sum().backward();
  await assertAllclose(x.grad!, Array(8).fill(2 * Math.E));
  x.grad = null;
  const field = new Lambda((x, self) => {
    self.cache = x.exp().sin();
    throw new Error("the user's own");
  });
  attempt(field);
  field.cache!.sum().backward();
  await assertAllclose(x.grad!, Array(8).fill(Math.cos(Math.E) * Math.E));
});
