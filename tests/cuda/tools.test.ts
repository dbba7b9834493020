/** What surrounds the CUDA kernels: the cache of compiled ones on disk, and `deno task doctor`. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { KernelCache } from "../../src/backend/cuda/device/cache.ts";
import { buildCudaDouble, buildShim, cudaDoubleFolder, cudaTest } from "../support/cuda_double/build.ts";
import { doubleEnvironment } from "../support/cuda_double/run.ts";

Deno.test("cuda: compiled kernels are found again by source and compiler, and damaged files are not used", async () => {
  const folder = await Deno.makeTempDir({ prefix: "cresset_cache_" });
  const before = Deno.env.get("XDG_CACHE_HOME");
  Deno.env.set("XDG_CACHE_HOME", folder);
  try {
    const code = new Uint8Array([1, 2, 3, 4]);
    const cache = new KernelCache("13.0 sm_90");
    assertEquals(cache.get("source"), null);
    cache.set("source", code);
    assertEquals(new KernelCache("13.0 sm_90").get("source"), code);
    assertEquals(cache.get("another source"), null);
    assertEquals(new KernelCache("13.0 sm_80").get("source"), null);
    const [entry] = [...Deno.readDirSync(`${folder}/cresset/cuda`)];
    const path = `${folder}/cresset/cuda/${entry.name}`, bytes = Deno.readFileSync(path);
    Deno.writeFileSync(path, bytes.slice(0, -1));
    assertEquals(cache.get("source"), null, "a torn file");
    Deno.removeSync(folder, { recursive: true });
    Deno.writeTextFileSync(folder, "no folder");
    cache.set("source", code); // says nothing
    assertEquals(cache.get("source"), null);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
    else Deno.env.set("XDG_CACHE_HOME", before);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("cuda: the folder of compiled kernels is its user's alone, or not used", async () => {
  const root = await Deno.makeTempDir({ prefix: "cresset_cache_" });
  const before = Deno.env.get("XDG_CACHE_HOME");
  const code = new Uint8Array([1, 2, 3, 4]);
  /** Whether a cache keeps something in a folder that `prepare` made. */
  const kept = async (name: string, prepare: (folder: string) => void): Promise<boolean> => {
    const base = `${root}/${name}`, folder = `${base}/cresset/cuda`;
    await Deno.mkdir(`${base}/cresset`, { recursive: true, mode: 0o700 });
    prepare(folder);
    Deno.env.set("XDG_CACHE_HOME", base);
    const cache = new KernelCache("13.0 sm_90");
    cache.set("source", code);
    return cache.get("source") !== null;
  };
  const make = (folder: string, mode: number) => {
    Deno.mkdirSync(folder);
    Deno.chmodSync(folder, mode);
  };
  try {
    assert(await kept("fresh", () => {}));
    assertEquals((Deno.statSync(`${root}/fresh/cresset/cuda`).mode ?? 0) & 0o777, 0o700);
    assertEquals([...Deno.readDirSync(`${root}/fresh/cresset/cuda`)].length, 1, "nothing else is left there");
    assert(await kept("readable", (folder) => make(folder, 0o755)), "an earlier version's folder is closed and used");
    assertEquals((Deno.statSync(`${root}/readable/cresset/cuda`).mode ?? 0) & 0o777, 0o700);
    assert(!await kept("writable", (folder) => make(folder, 0o777)));
    assert(
      !await kept("linked", (folder) => {
        make(`${root}/elsewhere`, 0o700);
        Deno.symlinkSync(`${root}/elsewhere`, folder);
      }),
    );
    assert(!await kept("open", () => Deno.chmodSync(`${root}/open/cresset`, 0o777)));
    assert(!await kept("replaceable", () => Deno.chmodSync(`${root}/replaceable`, 0o777)));
    if (Deno.uid() === 0) {
      assert(
        !await kept("foreign", (folder) => {
          make(folder, 0o700);
          Deno.chownSync(folder, 12345, 12345);
        }),
      );
    }
  } finally {
    if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
    else Deno.env.set("XDG_CACHE_HOME", before);
    await Deno.remove(root, { recursive: true });
  }
});

cudaTest("cuda: the doctor names what is there, what is missing and what that means", async () => {
  const folder = await Deno.makeTempDir({ prefix: "cresset_doctor_" });
  try {
    await buildCudaDouble(folder, { without: ["libcudnn.so.9"] });
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", new URL("../../ffi/doctor.ts", import.meta.url).pathname],
      env: { CRESSET_CUDA_LIBRARY: await buildShim(), LD_LIBRARY_PATH: folder, CUDA_PATH: folder, CUDA_HOME: "" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0);
    assertMatch(text, /^ok +driver +\S+libcuda\.so\.1 for CUDA 13\.0$/m);
    assertMatch(text, /^ok +cuda:0 +CUDA double 0, sm_90/m);
    assertMatch(text, /^ok +cuSOLVER +\S+libcusolver\.so\.12 12\.0\.4$/m);
    assertMatch(text, /^(ok|missing) +WebGPU/m);
    // Where a real cuDNN is installed, it is found behind the double's folder.
    assert(
      /^ok +cuDNN/m.test(text) || /^missing +cuDNN .*\n +so convolutions run on our own kernels$/m.test(text),
      text,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

cudaTest("cuda: the doctor tells a driver that is older than the libraries", async () => {
  const folder = await cudaDoubleFolder();
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("../../ffi/doctor.ts", import.meta.url).pathname],
    env: { ...await doubleEnvironment(folder), PATH: "/usr/bin:/bin", CUDA_DOUBLE_VERSION: "12040" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertMatch(text, /^ok +driver +\S+ for CUDA 12\.4$/m);
  assertMatch(
    text,
    /^missing +CUDA versions +the driver is for CUDA 12, NVRTC for CUDA 13\n +so the driver may refuse kernels/m,
  );
});
