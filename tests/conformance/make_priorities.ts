/**
 * Writes `priorities.tsv`, the compact copy of the inventory that the report's totals need:
 * `deno run -A tests/conformance/make_priorities.ts INVENTORY_FOLDER`. Ops come from `opinfo_map.tsv`, the rest (modules,
 * optimizers, schedulers, distributions) from `api.tsv`.
 *
 * @module
 */

/** The rows of a tab-separated file with a heading, as objects. */
async function table(path: string): Promise<Record<string, string>[]> {
  const [head, ...rows] = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) => line.split("\t"));
  return rows.map((row) => Object.fromEntries(head.map((key, i) => [key, row[i] ?? ""])));
}

/** The kinds of entries that `api.tsv` ranks, by namespace. */
const KINDS: Record<string, [string, string]> = {
  "torch.nn": ["module", "nn."],
  "torch.optim": ["optim", ""],
  "torch.optim.lr_scheduler": ["scheduler", ""],
  "torch.optim.swa_utils": ["scheduler", ""],
  "torch.distributions": ["distribution", ""],
};

if (import.meta.main) {
  const [folder] = Deno.args;
  const lines = ["kind\tname\tvariant\tjsApi\tpriority"];
  for (const row of await table(`${folder}/opinfo_map.tsv`)) {
    lines.push(["op", row.opinfo, row.variant, row.jsApi, row.priority].join("\t"));
  }
  for (const row of await table(`${folder}/api.tsv`)) {
    const kind = KINDS[row.namespace];
    if (!kind || row.kind !== "class") continue;
    lines.push([kind[0], kind[1] + row.name, "", `${row.namespace}.${row.jsName}`, row.priority].join("\t"));
  }
  await Deno.writeTextFile(new URL("./priorities.tsv", import.meta.url), lines.join("\n") + "\n");
}
