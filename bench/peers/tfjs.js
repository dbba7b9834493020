/**
 * TensorFlow.js's WebGPU backend as a contestant of bench/webgpu_peers.ts.
 *
 * @module
 */

import { CONV, FLAT, labels, MLP, NAMES, numbers, SIDE } from "./inputs.js";

// By variables, so that the packages are resolved in this process alone and are no dependencies of the project.
const PACKAGE = "npm:@tensorflow/tfjs@4.22.0", BACKEND = "npm:@tensorflow/tfjs-backend-webgpu@4.22.0";
const { default: tf } = await import(PACKAGE);
await import(BACKEND);
await tf.setBackend("webgpu");
await tf.ready();

/** What runs. */
export const info = `TensorFlow.js ${tf.version_core} on ${tf.getBackend()}`;

function mlp() {
  const x = tf.tensor(numbers(MLP.batch * MLP.sizes[0], 9), [MLP.batch, MLP.sizes[0]]);
  const y = tf.cast(tf.oneHot(tf.tensor1d(labels(), "int32"), MLP.sizes[3]), "float32");
  const optimizer = tf.train.adam(MLP.learningRate);
  const params = [0, 1, 2].map((i) => {
    const [from, to] = MLP.sizes.slice(i, i + 2);
    return {
      w: tf.variable(tf.tensor(numbers(from * to, i, from ** -0.5), [from, to])),
      b: tf.variable(tf.zeros([to])),
    };
  });
  const loss = () => {
    let h = x;
    params.forEach(({ w, b }, i) => {
      h = tf.add(tf.matMul(h, w), b);
      if (i < 2) h = tf.relu(h);
    });
    return tf.losses.softmaxCrossEntropy(y, h);
  };
  return () => optimizer.minimize(loss, true);
}

function conv() {
  const { n, c, o, size, kernel } = CONV;
  // Its layout is channels last; so the same numbers are moved there once.
  const x = tf.transpose(tf.tensor(numbers(n * c * size * size, 1), [n, c, size, size]), [0, 2, 3, 1]);
  const w = tf.transpose(tf.tensor(numbers(o * c * kernel * kernel, 2), [o, c, kernel, kernel]), [2, 3, 1, 0]);
  const both = tf.grads((x, w) => tf.mul(tf.sum(tf.square(tf.conv2d(x, w, 1, "same"))), 0.5));
  return () =>
    tf.tidy(() => {
      const [, gw] = both([x, w]);
      return gw;
    });
}

/** Workload by name: prepares the operands and gives what runs once. */
export const workloads = {
  [NAMES[0]]: () => {
    const a = tf.tensor(numbers(SIDE * SIDE, 1), [SIDE, SIDE]), b = tf.tensor(numbers(SIDE * SIDE, 2), [SIDE, SIDE]);
    return () => tf.matMul(a, b);
  },
  [NAMES[1]]: () => {
    const x = tf.tensor(numbers(FLAT, 1), [FLAT]);
    return () => tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)));
  },
  [NAMES[2]]: mlp,
  [NAMES[3]]: conv,
};

/** Gives a result back. */
export function release(result) {
  result.dispose();
}

/** Waits for a result: its first number. */
export async function first(result) {
  const one = tf.slice(tf.reshape(result, [-1]), [0], [1]);
  const [value] = await one.data();
  one.dispose();
  return value;
}
