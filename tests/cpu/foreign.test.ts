/**
 * What native code the CPU library may open is decided by Deno's permissions: a library that the environment smuggles in,
 * by `CRESSET_ONEDNN` or on `LD_LIBRARY_PATH`, runs only where both reading the variable and loading the file are allowed.
 */

import { assert, assertEquals } from "@std/assert";
import { nativeBuilt } from "../support/kernels.ts";

const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname);
const LIBRARY = `${ROOT}native/cpu/build/libcresset_cpu.so`;
/** A product large enough for oneDNN, and what runs it. */
const SCRIPT = `
import * as torch from "${new URL("../../mod.ts", import.meta.url)}";
const x = torch.ones([256, 256]);
console.log(torch.info().kernels, await x.matmul(x).sum().item());
`;

/** A library that only says that it was loaded: its constructor writes a file. */
async function buildIntruder(path: string, mark: string): Promise<void> {
  const source = `#include <stdio.h>
__attribute__((constructor)) static void loaded(void) { fclose(fopen("${mark}", "w")); }
`;
  await Deno.writeTextFile(`${path}.c`, source);
  const { success, stderr } = await new Deno.Command(Deno.env.get("CC") ?? "cc", {
    args: ["-shared", "-fPIC", "-o", path, `${path}.c`],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** Runs the script with some permissions and the native kernels, whatever the variables of this run ask for. */
async function start(folder: string, permissions: string[], env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...permissions, `${folder}/script.ts`],
    env: { CRESSET_KERNELS: "native", ...env },
  }).output();
  return { code, text: new TextDecoder().decode(stdout), errors: new TextDecoder().decode(stderr) };
}

/** What the script printed, which must succeed. */
async function run(folder: string, permissions: string[], env: Record<string, string>): Promise<string> {
  const { code, text, errors } = await start(folder, ["--allow-read", ...permissions], env);
  assert(code === 0, errors);
  return text;
}

if (Deno.build.os === "linux" && await nativeBuilt()) {
  Deno.test("only what permissions cover is opened as oneDNN", async (t) => {
    const folder = await Deno.makeTempDir();
    const intruder = `${folder}/libdnnl.so.3`, mark = `${folder}/loaded`;
    await buildIntruder(intruder, mark);
    await Deno.writeTextFile(`${folder}/script.ts`, SCRIPT);
    const wasLoaded = async (permissions: string[], env: Record<string, string>): Promise<boolean> => {
      const text = await run(folder, permissions, env);
      // 256 products of ones for each of 256 · 256 elements.
      assert(text.startsWith("native") && text.trim().endsWith(` ${256 ** 3}`), text);
      const there = await Deno.stat(mark).then(() => true, () => false);
      if (there) await Deno.remove(mark);
      return there;
    };
    const named = { CRESSET_ONEDNN: intruder };
    const cases: [string, string[], Record<string, string>, boolean][] = [
      ["a name in the environment that may not be read", ["--allow-ffi"], named, false],
      ["a named file that may not be loaded", [`--allow-ffi=${LIBRARY}`, "--allow-env"], named, false],
      ["a named file that may be loaded", [`--allow-ffi=${LIBRARY},${intruder}`, "--allow-env"], named, true],
      ["a file on the loader's path", ["--allow-ffi", "--allow-env"], { LD_LIBRARY_PATH: folder }, false],
    ];
    try {
      for (const [what, permissions, env, expected] of cases) {
        await t.step(what, async () => assertEquals(await wasLoaded(permissions, env), expected));
      }
      await t.step("no oneDNN where only our own library may be loaded", async () => {
        const text = await run(folder, [`--allow-ffi=${LIBRARY}`], {});
        assert(text.startsWith("native") && !text.includes("oneDNN"), text);
      });
      await t.step("a name that is no full path is refused", async () => {
        const { code, errors } = await start(folder, ["-A"], {
          CRESSET_ONEDNN: "libdnnl.so.3",
          LD_LIBRARY_PATH: folder,
        });
        assert(code === 1);
        assert(errors.includes("CRESSET_ONEDNN must be the full path of a library"));
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
