/**
 * Packs the part of the recorded results that the repository's own tests replay: every P0 op, module and
 * optimizer, some Fourier transforms, and the schedulers, each file gzipped into `tests/golden/conformance`.
 *
 * `deno run -A tests/conformance/pack.ts FOLDER`, FOLDER being the full recording (`../shared/conformance`). Tensors are
 * stored once per content in each file already; files above the size limit are left out, and named.
 *
 * @module
 */

import { entryName, openFolder, packedName, readPriorities } from "./folder.ts";
import { gzip } from "./golden.ts";

/** Where the packed files go. */
const OUT = new URL("../golden/conformance/", import.meta.url);

/** Files larger than this (packed, in bytes) are not worth their place in the repository, by kind. */
const LIMIT: Record<string, number> = { op: 200_000, module: 60_000 };

/**
 * What is packed besides P0: all kinds of Fourier transforms, of one dimension or several, and the linear algebra that the
 * generic tests of ops take as it is (decompositions whose vectors are free to turn, and Hermitian input, need their own).
 */
const MORE = new RegExp(
  "^op (fft\\.(fft|irfft|rfftn|hfftn|fftshift)|linalg\\.(cond|det|diagonal|eigvals|inv|inv_ex|lu_factor|lu_factor_ex|" +
    "lu_solve|matrix_norm|matrix_power|matrix_rank|norm|pinv|pinv.singular|qr|slogdet|solve|solve_ex|solve_triangular|" +
    "svd|svdvals|vecdot|vector_norm))$",
);

if (import.meta.main) {
  const [folder] = Deno.args;
  const { jobs } = await openFolder(folder);
  const priority = await readPriorities();
  await Deno.remove(OUT, { recursive: true }).catch(() => {});
  let total = 0;
  for (const job of jobs) {
    const rank = priority({
      ...job,
      priority: "",
      dtype: "",
      status: "skipped",
      samples: 0,
      failedSamples: 0,
      first: null,
    });
    const wanted = /^(op|module|optim)$/.test(job.kind)
      ? rank === "P0" || MORE.test(entryName(job))
      : job.kind === "schedulers";
    if (!wanted) continue;
    const packed = await gzip(await Deno.readFile(job.path));
    if (packed.length > (LIMIT[job.kind] ?? Infinity)) {
      console.log(`left out, ${packed.length} bytes: ${entryName(job)}`);
      continue;
    }
    const name = packedName(job.path.slice(folder.replace(/\/$/, "").length + 1));
    await Deno.mkdir(new URL(".", new URL(name, OUT)), { recursive: true });
    await Deno.writeFile(new URL(name, OUT), packed);
    total += packed.length;
  }
  console.log(`${(total / 2 ** 20).toFixed(2)} MiB`);
}
