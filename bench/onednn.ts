/**
 * oneDNN's own matmul, called directly: what the native library's is compared with.
 *
 * @module
 */

import type { Prepared } from "./workloads.ts";

const NAMES = ["libdnnl.so", "libdnnl.so.3", "libdnnl.so.2"];
const N = "N".charCodeAt(0);

/** `dnnl_sgemm` as Deno calls it. */
const SYMBOLS = {
  // dnnl_status_t dnnl_sgemm(char transa, char transb, dim_t M, dim_t N, dim_t K, float alpha,
  //   const float *A, dim_t lda, const float *B, dim_t ldb, float beta, float *C, dim_t ldc)
  dnnl_sgemm: {
    parameters: ["i8", "i8", "i64", "i64", "i64", "f32", "buffer", "i64", "buffer", "i64", "f32", "buffer", "i64"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

function open(): Deno.DynamicLibrary<typeof SYMBOLS> {
  for (const name of NAMES) {
    try {
      return Deno.dlopen(name, SYMBOLS);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  throw new Error(`oneDNN is not installed (looked for ${NAMES.join(", ")}; on Debian: apt-get install libdnnl-dev)`);
}

function matmul(dnnl: Deno.DynamicLibrary<typeof SYMBOLS>, n: number): Prepared {
  const a = Float32Array.from({ length: n * n }, (_, i) => Math.sin(i));
  const b = Float32Array.from({ length: n * n }, (_, i) => Math.cos(3 * i));
  const c = new Float32Array(n * n);
  const size = BigInt(n);
  const run = () => {
    dnnl.symbols.dnnl_sgemm(N, N, size, size, size, 1, a, size, b, size, 0, c, size);
  };
  return {
    run,
    check() {
      run();
      for (const at of [0, n + 1, n * n - 1]) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += a[Math.floor(at / n) * n + k] * b[k * n + at % n];
        if (Math.abs(sum - c[at]) > 1e-2) {
          return Promise.reject(new Error(`element ${at}: got ${c[at]}, expected ${sum}`));
        }
      }
      return Promise.resolve();
    },
  };
}

/** The workloads that oneDNN has. Throws where it is not installed. */
export function oneDnnWorkloads(): { info: string; find: (name: string) => Prepared | null } {
  const dnnl = open();
  return {
    info: "dnnl_sgemm",
    find(name) {
      const size = /^matmul (\d+)$/.exec(name)?.[1];
      return size ? matmul(dnnl, Number(size)) : null;
    },
  };
}
