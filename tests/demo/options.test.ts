/** Command lines of the examples: values, help, and one clear line for nonsense. */

import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  helpText,
  integer,
  parseOptions,
  positive,
  text,
  UsageError,
  writableFolder,
} from "../../examples/support/options.ts";

const OPTIONS = {
  epochs: integer(12, "How often", 1, 1000),
  lr: positive(0.1, "Learning rate", 10),
  out: text("out", "FOLDER", "Where to"),
};

Deno.test("parseOptions() gives defaults and values", () => {
  assertEquals(parseOptions([], OPTIONS), { epochs: 12, lr: 0.1, out: "out" });
  assertEquals(parseOptions(["--epochs", "3", "--lr=1e-3", "--out", "a b"], OPTIONS), {
    epochs: 3,
    lr: 1e-3,
    out: "a b",
  });
  assertEquals(parseOptions(["--help"], OPTIONS), null);
  assertEquals(parseOptions(["-h", "--epochs", "x"], OPTIONS), null);
});

const WRONG: [string[], string][] = [
  [["--epochs", "abc"], '--epochs must be a whole number from 1 to 1000: "abc"'],
  [["--epochs", "0"], '--epochs must be a whole number from 1 to 1000: "0"'],
  [["--epochs", "1.5"], '--epochs must be a whole number from 1 to 1000: "1.5"'],
  [["--epochs=-3"], '--epochs must be a whole number from 1 to 1000: "-3"'],
  [["--epochs", "1e99"], '--epochs must be a whole number from 1 to 1000: "1e99"'],
  [["--epochs"], '--epochs must be a whole number from 1 to 1000: ""'],
  [["--epochs", "-1"], '--epochs must be a whole number from 1 to 1000: "-1"'],
  [["--lr", "0"], '--lr must be a number above 0, at most 10: "0"'],
  [["--lr", "NaN"], '--lr must be a number above 0, at most 10: "NaN"'],
  [["--lr", "Infinity"], '--lr must be a number above 0, at most 10: "Infinity"'],
  [["--lr", " "], '--lr must be a number above 0, at most 10: " "'],
  [["--out="], '--out must be a text: ""'],
  [["--lr", "1", "--lr", "2"], "--lr is given 2 times"],
  [["--epoch", "3"], 'unknown argument: "--epoch"; did you mean --epochs? --help lists what there is'],
  [["-x"], 'unknown argument: "-x"; --help lists what there is'],
  [["3"], 'unknown argument: "3"; --help lists what there is'],
];

for (const [words, message] of WRONG) {
  Deno.test(`parseOptions() refuses ${JSON.stringify(words)}`, () => {
    assertThrows(() => parseOptions(words, OPTIONS), UsageError, message);
  });
}

Deno.test("helpText() lists every option with its default", () => {
  const help = helpText("Trains.", "deno task demo", OPTIONS);
  assertStringIncludes(help, "--epochs N");
  assertStringIncludes(help, "Learning rate (default: 0.1)");
  assertStringIncludes(help, "--help");
});

Deno.test("writableFolder() makes the folder and refuses one that cannot be", async () => {
  const root = await Deno.makeTempDir();
  try {
    await writableFolder(`${root}/a/b`);
    assertEquals([...Deno.readDirSync(`${root}/a/b`)], []);
    await Deno.writeTextFile(`${root}/file`, "");
    const error = await assertRejects(() => writableFolder(`${root}/file/below`), UsageError);
    assertStringIncludes(error.message, `--out must be a folder that can be written: "${root}/file/below"`);
    assertEquals(error.message.includes("\n"), false);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
