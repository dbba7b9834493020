/**
 * jax-js as a contestant of bench/webgpu_peers.ts, jitted wherever that is how its users would write it.
 *
 * @module
 */

import { CONV, FLAT, labels, MLP, NAMES, numbers, SIDE } from "./inputs.js";

// By a variable, so that the package is resolved in this process alone and is no dependency of the project.
const PACKAGE = "npm:@jax-js/jax@0.1.25";
const jax = await import(PACKAGE);
const { jit, lax, nn, numpy: np, valueAndGrad } = jax;
await jax.init("webgpu");
jax.defaultDevice("webgpu");

/** What runs. */
export const info = "@jax-js/jax 0.1.25 on WebGPU";

function put(values, ...shape) {
  return np.array(values).reshape(shape);
}

function loss(params, x, y) {
  let h = x;
  params.forEach(({ w, b }, i) => {
    h = np.matmul(h, w).add(b);
    if (i < params.length - 1) h = nn.relu(h);
  });
  return nn.logSoftmax(h).mul(nn.oneHot(y, MLP.sizes[3])).sum().mul(-1 / MLP.batch);
}

/** Adam without its helper library, which the registry lacks: one jitted step over lists of arrays. */
function adam(list, grads, m, v, correction1, correction2) {
  const next = { list: [], m: [], v: [] };
  list.forEach((p, i) => {
    const m2 = m[i].mul(0.9).add(grads[i].ref.mul(0.1));
    const v2 = v[i].mul(0.999).add(grads[i].ref.mul(grads[i]).mul(0.001));
    const update = m2.ref.mul(correction1.ref).div(np.sqrt(v2.ref.mul(correction2.ref)).add(1e-8));
    next.list.push(p.sub(update.mul(MLP.learningRate)));
    next.m.push(m2);
    next.v.push(v2);
  });
  correction1.dispose();
  correction2.dispose();
  return next;
}

function mlp() {
  const x = put(numbers(MLP.batch * MLP.sizes[0], 9), MLP.batch, MLP.sizes[0]);
  const y = np.array(labels(), { dtype: np.int32 });
  let list = [], m = [], v = [], step = 0;
  for (let i = 0; i < 3; i++) {
    const [from, to] = MLP.sizes.slice(i, i + 2);
    list.push(put(numbers(from * to, i, from ** -0.5), from, to), np.zeros([to]));
  }
  m = list.map((p) => np.zeros(p.shape));
  v = list.map((p) => np.zeros(p.shape));
  const train = jit((list, m, v, x, y, c1, c2) => {
    const pack = (l) => [0, 2, 4].map((i) => ({ w: l[i], b: l[i + 1] }));
    const [value, g] = valueAndGrad((l, x, y) => loss(pack(l), x, y))(list.map((p) => p.ref), x, y);
    return { value, ...adam(list, g, m, v, c1, c2) };
  });
  return () => {
    step++;
    const c1 = np.array(1 / (1 - 0.9 ** step)), c2 = np.array(1 / (1 - 0.999 ** step));
    const out = train(list, m, v, x.ref, y.ref, c1, c2);
    ({ list, m, v } = out);
    return out.value;
  };
}

function conv() {
  const { n, c, o, size, kernel } = CONV;
  const x = put(numbers(n * c * size * size, 1), n, c, size, size);
  const w = put(numbers(o * c * kernel * kernel, 2), o, c, kernel, kernel);
  const f = ({ x, w }) => {
    const y = lax.convGeneralDilated(x, w, [1, 1], [[1, 1], [1, 1]]);
    return y.ref.mul(y).sum().mul(0.5);
  };
  const both = jit((x, w) => valueAndGrad(f)({ x, w }));
  return async () => {
    const [y, grads] = both(x.ref, w.ref);
    await release(y);
    await release(grads.x);
    return grads.w;
  };
}

/** Workload by name: prepares the operands and gives what runs once. */
export const workloads = {
  [NAMES[0]]: () => {
    const a = put(numbers(SIDE * SIDE, 1), SIDE, SIDE), b = put(numbers(SIDE * SIDE, 2), SIDE, SIDE);
    return () => np.matmul(a.ref, b.ref);
  },
  [NAMES[1]]: () => {
    const x = put(numbers(FLAT, 1), FLAT);
    const gelu = jit((x) => nn.gelu(x, { approximate: false }));
    return () => gelu(x.ref);
  },
  [NAMES[2]]: mlp,
  [NAMES[3]]: conv,
};

/** Gives a result back. Arrays are lazy, and one that nobody asks for is never computed, so its buffer is asked for. */
export async function release(result) {
  await result.gpuBuffer();
}

/** Waits for a result: its first number. */
export async function first(result) {
  return (await np.ravel(result).slice([0, 1]).data())[0];
}
