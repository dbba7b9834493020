/**
 * Packs the part of the recorded results that the repository's own tests replay: every P0 op, the modules of the first
 * layers, the optimizers and the schedulers, each file gzipped into `tests/golden/conformance`.
 *
 * `deno run -A tests/conformance/pack.ts FOLDER`, FOLDER being the full recording (`../shared/conformance`). Tensors are
 * stored once per content in each file already; files above the size limit are left out, and named.
 *
 * @module
 */

import { entryName, openFolder, readPriorities } from "./folder.ts";
import { gzip } from "./golden.ts";

/** Where the packed files go. */
const OUT = new URL("../golden/conformance/", import.meta.url);

/** A file larger than this (packed, in bytes) is not worth its place in the repository. */
const LIMIT = 200_000;

/** Modules of the foundation; the others come with their own milestones. */
const MODULES =
  /^nn\.(Linear|Identity|Flatten|Unflatten|Conv[12]d|(Max|Avg)Pool[12]d|AdaptiveAvgPool[12]d|BatchNorm[12]d|(Layer|RMS|Group)Norm|Dropout|Embedding|ReLU|LeakyReLU|GELU|SiLU|Sigmoid|Tanh|Softmax|LogSoftmax|ELU|Softplus|MSELoss|L1Loss|SmoothL1Loss|NLLLoss|CrossEntropyLoss|BCELoss|BCEWithLogitsLoss|KLDivLoss)$/;

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
    const wanted = job.kind === "op"
      ? rank === "P0"
      : job.kind === "module"
      ? MODULES.test(job.name)
      : job.kind === "optim"
      ? /^(SGD|AdamW?)$/.test(job.name)
      : job.kind === "schedulers";
    if (!wanted) continue;
    const packed = await gzip(await Deno.readFile(job.path));
    if (packed.length > LIMIT) {
      console.log(`left out, ${packed.length} bytes: ${entryName(job)}`);
      continue;
    }
    const name = `${job.path.slice(folder.replace(/\/$/, "").length + 1)}.gz`;
    await Deno.mkdir(new URL(".", new URL(name, OUT)), { recursive: true });
    await Deno.writeFile(new URL(name, OUT), packed);
    total += packed.length;
  }
  console.log(`${(total / 2 ** 20).toFixed(2)} MiB`);
}
