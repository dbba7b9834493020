/**
 * Files are replaced whole: what is kept of the previous file, what is refused, and what a killed process leaves.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import * as torch from "../../mod.ts";
import { writeBytes } from "../../src/io/write.ts";

const { loadFile, saveFile } = torch.io.safetensors;
const WINDOWS = Deno.build.os === "windows";
const one = { a: torch.ones(2) };

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test(
  "saveFile() keeps the mode and the owner of the file that it replaces",
  { ignore: WINDOWS },
  () =>
    inFolder(async (folder) => {
      const path = `${folder}/weights`;
      await saveFile(one, path);
      await Deno.chmod(path, 0o600);
      const before = await Deno.stat(path);
      await saveFile(one, path);
      const after = await Deno.stat(path);
      assertEquals([after.mode! & 0o777, after.uid, after.gid], [0o600, before.uid, before.gid]);
    }),
);

Deno.test("saveFile() takes file: URLs, and names of 255 bytes", () =>
  inFolder(async (folder) => {
    const long = "n".repeat(255);
    await saveFile(one, new URL(`file://${folder}/a%20b`));
    await saveFile(one, `file://${folder}/text`);
    await saveFile(one, `${folder}/${long}`);
    assertEquals(names(folder), ["a b", long, "text"]);
    assertEquals(Object.keys(await loadFile(`${folder}/${long}`)), ["a"]);
  }));

Deno.test("saveFile() refuses what is no file", { ignore: WINDOWS }, () =>
  inFolder(async (folder) => {
    await assertRejects(() => saveFile(one, folder), Deno.errors.IsADirectory, "the path is a folder");
    const { success } = await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
    assert(success);
    await assertRejects(() => saveFile(one, `${folder}/pipe`), torch.ArgumentError, "is a device or a pipe, no file");
    await assertRejects(() => saveFile(one, "https://example.com/x"), torch.ArgumentError, "on this machine only");
    await assertRejects(
      () => saveFile(one, `${folder}/x`, "abc" as never),
      torch.ArgumentError,
      "metadata must be an object",
    );
    assertEquals(names(folder), ["pipe"]);
  }));

Deno.test(
  "saveFile() writes through symbolic links, also to a file that is not there yet",
  { ignore: WINDOWS },
  () =>
    inFolder(async (folder) => {
      await Deno.mkdir(`${folder}/deep`);
      await Deno.symlink("deep/target", `${folder}/second`);
      await Deno.symlink(`${folder}/second`, `${folder}/first`);
      for (let i = 0; i < 2; i++) await saveFile(one, `${folder}/first`);
      assertEquals(names(`${folder}/deep`), ["target"]);
      assert((await Deno.lstat(`${folder}/first`)).isSymlink && (await Deno.lstat(`${folder}/second`)).isSymlink);
      await Deno.symlink("round", `${folder}/round`);
      await assertRejects(() => saveFile(one, `${folder}/round`), Error, "saveFile(): cannot write");
    }),
);

Deno.test(
  "a write removes what a killed one left, and not what another is writing",
  { ignore: WINDOWS },
  () =>
    inFolder(async (folder) => {
      const path = `${folder}/weights`;
      const program = `import { writeBytes } from ${
        JSON.stringify(new URL("../../src/io/write.ts", import.meta.url).href)
      };
      function* parts() { yield new Uint8Array(9); Deno.kill(Deno.pid, "SIGKILL"); yield new Uint8Array(9); }
      await writeBytes("test", ${JSON.stringify(path)}, parts());`;
      await new Deno.Command(Deno.execPath(), { args: ["eval", "--no-check", program], stderr: "null" }).output();
      assertEquals(names(folder).map((name) => name.endsWith(".tmp")), [true]);
      await Promise.all(Array.from({ length: 5 }, (_, i) => writeBytes("test", path, [new Uint8Array(1000 + i)])));
      assertEquals(names(folder), ["weights"]);
    }),
);

Deno.test(
  "what replaces a private file is private while it is written, too",
  { ignore: WINDOWS },
  () =>
    inFolder(async (folder) => {
      const path = `${folder}/secret`, modes: number[] = [];
      function* parts() {
        for (const name of names(folder)) modes.push(Deno.statSync(`${folder}/${name}`).mode! & 0o777);
        yield new Uint8Array(9);
      }
      await Deno.writeFile(path, new Uint8Array(1), { mode: 0o600 });
      await writeBytes("test", path, parts());
      assertEquals(modes, [0o600, 0o600]);
    }),
);

Deno.test("processes that write one file at the same time do not disturb each other", () =>
  inFolder(async (folder) => {
    const program = `import { writeBytes } from ${
      JSON.stringify(new URL("../../src/io/write.ts", import.meta.url).href)
    };
    for (let i = 0; i < 200; i++) await writeBytes("test", ${
      JSON.stringify(`${folder}/weights`)
    }, [new Uint8Array(9)]);`;
    const one = () => new Deno.Command(Deno.execPath(), { args: ["eval", "--no-check", program] }).output();
    const results = await Promise.all([one(), one(), one()]);
    assertEquals(results.map(({ success, stderr }) => success ? "" : new TextDecoder().decode(stderr)), ["", "", ""]);
    assertEquals(names(folder), ["weights"]);
  }));

Deno.test("loadFile() reads checkpoints in several files, none of which leaves the folder", () =>
  inFolder(async (folder) => {
    await saveFile({ a: torch.ones(1), b: torch.ones(2) }, `${folder}/model-1.safetensors`);
    await saveFile({ c: torch.ones(3) }, `${folder}/model-2.safetensors`);
    const index = `${folder}/model.safetensors.index.json`;
    const write = (map: unknown) => Deno.writeTextFile(index, JSON.stringify({ weight_map: map }));
    await write({ a: "model-1.safetensors", c: "model-2.safetensors" });
    for (const source of [folder, `${folder}/`, index, new URL(`file://${index}`)]) {
      const { a, c, ...others } = await loadFile(source);
      assertEquals([a.shape, c.shape, Object.keys(others)], [[1], [3], []]);
    }
    for (const file of ["../model", "/etc/passwd", "a\\b", "..", "", 3]) {
      await write({ a: file });
      await assertRejects(() => loadFile(folder), torch.FormatError, "names a file that is not beside it");
    }
    await write({ z: "model-1.safetensors" });
    await assertRejects(() => loadFile(folder), torch.ArgumentError, "has no tensor of that name");
    await Deno.writeTextFile(index, "{");
    await assertRejects(() => loadFile(folder), torch.FormatError, "it is not JSON");
    await Deno.remove(index);
    await assertRejects(() => loadFile(folder), torch.FormatError, "name the file");
    await Deno.remove(`${folder}/model-2.safetensors`);
    assertEquals(Object.keys(await loadFile(folder)), ["a", "b"]);
  }));

Deno.test("loadFile() says what a file of torch.save is, and reads headers with millions of escapes", () =>
  inFolder(async (folder) => {
    const path = `${folder}/model.pt`;
    await Deno.writeFile(path, new Uint8Array([0x50, 0x4b, 3, 4, ...new Array(60).fill(0)]));
    await assertRejects(() => loadFile(path), torch.FormatError, "it is a zip archive, which torch.save writes");
    await Deno.writeFile(path, new Uint8Array([0x80, 2, 0x8a, 10, ...new Array(60).fill(0)]));
    await assertRejects(() => loadFile(path), torch.FormatError, "it is a pickle");
    const header = new TextEncoder().encode(`{"__metadata__":{"a":"${"\\n".repeat(4_000_000)}","a":""}}`);
    const bytes = new Uint8Array(8 + header.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(header, 8);
    await Deno.writeFile(path, bytes);
    await assertRejects(() => loadFile(path), torch.FormatError, 'the name "a" appears twice');
  }));
