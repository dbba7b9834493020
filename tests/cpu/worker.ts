/** A worker of workers.test.ts: adds arrays with the native library while the others do the same. */

import { float32 } from "../../src/base/dtype.ts";
import { loadNative } from "../../src/backend/cpu/lib.ts";
import { CpuBackend } from "../../src/backend/cpu/mod.ts";
import { empty, get, programOf, put } from "./support.ts";

const scope = self as unknown as { onmessage: (event: MessageEvent) => void; postMessage(message: unknown): void };

scope.onmessage = ({ data }) => {
  const backend = new CpuBackend(loadNative()!);
  const add = programOf([float32, float32], float32, ([a, b]) => a.add(b));
  let wrong = 0;
  for (let round = 0; round < 200; round++) {
    const n = round % 10 === 0 ? 200_000 : 100 + round;
    const x = put(backend, new Array(n).fill(data), float32), out = empty(backend, [n], float32);
    backend.pointwise(add, [n], [x, x], [], [out]);
    wrong += get(backend, out).filter((v) => v !== 2 * data).length;
    backend.free(x.storage.block);
    backend.free(out.storage.block);
  }
  scope.postMessage(wrong);
};
scope.postMessage(0);
