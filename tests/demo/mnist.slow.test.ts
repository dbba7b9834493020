/** The digits example as a user runs it: output, files, options, and mistakes told in one line. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Run {
  code: number;
  out: string;
  err: string;
}

async function demo(...args: string[]): Promise<Run> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${ROOT}examples/mnist.ts`, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

async function temporary(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("demo trains, reports, saves and reads back", async () => {
  await temporary(async (folder) => {
    const { code, out, err } = await demo("--out", `${folder}/new/run`);
    assertEquals(code, 0, err);
    assertMatch(out, /^device: cpu, kernels: \S/m);
    assertStringIncludes(out, "digits: 1500 to train on, 297 to test with");
    assertMatch(
      out,
      /^epoch {2}1\/15 {2}train loss \d\.\d{4} {2}test loss \d\.\d{4} {2}test accuracy 0\.\d{4} {2}\d+ images\/s$/m,
    );
    assertMatch(out, /^epoch 15\/15 /m);
    assertStringIncludes(
      out,
      `${folder}/new/run/mnist.safetensors, read back into a fresh model: identical predictions`,
    );
    const accuracy = Number(/^test accuracy: (0\.\d{4})$/.exec(out.trimEnd().split("\n").at(-1)!)?.[1]);
    assert(accuracy >= 0.97, `${accuracy}`);
    const html = await Deno.readTextFile(`${folder}/new/run/report.html`);
    assertEquals(html.match(/<img /g)?.length, 297);
    assertStringIncludes(html, `test accuracy ${accuracy.toFixed(4)}`);
    assertEquals([...Deno.readDirSync(`${folder}/new/run`)].map((f) => f.name).sort(), [
      "mnist.safetensors",
      "report.html",
    ]);
  });
});

Deno.test("demo gives the same numbers for the same seed", async () => {
  await temporary(async (folder) => {
    const losses = async (seed: string) => {
      const { out } = await demo("--epochs", "1", "--seed", seed, "--out", folder);
      return /train loss \S+ {2}test loss \S+/.exec(out)?.[0];
    };
    const [first, again, other] = [await losses("5"), await losses("5"), await losses("6")];
    assert(first !== undefined);
    assertEquals(again, first);
    assert(other !== first, "another seed, another run");
  });
});

Deno.test("demo --help explains every option and trains nothing", async () => {
  const { code, out } = await demo("--help");
  assertEquals(code, 0);
  for (const option of ["--epochs", "--device", "--lr", "--seed", "--out", "--help"]) assertStringIncludes(out, option);
  assertEquals(out.includes("epoch 1"), false);
});

const MISTAKES: [string[], string][] = [
  [["--epochs", "zero"], 'mnist: --epochs must be a whole number from 1 to 1000: "zero"'],
  [["--epochs", "-1"], 'mnist: --epochs must be a whole number from 1 to 1000: "-1"'],
  [["--lr", "fast"], 'mnist: --lr must be a number above 0, at most 10: "fast"'],
  [["--seed", "1.5"], 'mnist: --seed must be a whole number from 0 to 9007199254740991: "1.5"'],
  [["--device", "tpu"], 'mnist: device(): unknown device: "tpu"'],
  [["--epoch", "3"], 'mnist: unknown argument: "--epoch"; did you mean --epochs? --help lists what there is'],
  [["digits"], 'mnist: unknown argument: "digits"; --help lists what there is'],
  [["--out", "/dev/null/here"], 'mnist: --out must be a folder that can be written: "/dev/null/here"'],
];

for (const [args, message] of MISTAKES) {
  Deno.test(`demo ${args.join(" ")} gives one clear line`, async () => {
    const { code, out, err } = await demo(...args);
    assertEquals([code, out], [1, ""]);
    assertEquals(err.trimEnd().split("\n").length, 1, err);
    assertStringIncludes(err, message);
  });
}
