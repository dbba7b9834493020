/**
 * The real cuDNN plans our convolutions, where it is installed: no device is needed for that. Without one, nothing runs.
 *
 * `CRESSET_NVIDIA_LIBRARIES` may name folders with NVIDIA's libraries, by colons.
 */

import { assert, assertEquals } from "@std/assert";

/** Where pip's wheels put libraries, behind the folders that the environment names. */
async function libraryFolders(): Promise<string[]> {
  const found = (Deno.env.get("CRESSET_NVIDIA_LIBRARIES") ?? "").split(":").filter((path) => path !== "");
  const script = "import site; print('\\n'.join(site.getsitepackages() + [site.getusersitepackages()]))";
  try {
    const { stdout } = await new Deno.Command("python3", { args: ["-c", script], stderr: "null" }).output();
    for (const packages of new TextDecoder().decode(stdout).trim().split("\n")) {
      for (const part of ["cudnn", "cu13", "cublas", "cuda_nvrtc"]) found.push(`${packages}/nvidia/${part}/lib`);
    }
  } catch { /* no Python */ }
  return found;
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

Deno.test("cuDNN has a plan for every kind of convolution", async () => {
  const folders = await libraryFolders();
  const libraries = folders.map((folder) => `${folder}/libcudnn.so.9`);
  const library = libraries[(await Promise.all(libraries.map(isFile))).indexOf(true)];
  if (library === undefined) return console.log("cuDNN is not installed: nothing to plan with");
  const here = decodeURIComponent(new URL(".", import.meta.url).pathname), native = `${here}../../native/cuda`;
  const folder = await Deno.makeTempDir();
  try {
    const program = `${folder}/plans`;
    const args = ["-std=gnu11", "-O1", "-w", `-I${native}`, `${here}cudnn_plans.c`, `${native}/dnn.c`, "-o", program];
    const built = await new Deno.Command("cc", { args: [...args, "-ldl"], stderr: "piped" }).output();
    assert(built.success, new TextDecoder().decode(built.stderr));
    const env = { LD_LIBRARY_PATH: folders.join(":") };
    const ran = await new Deno.Command(program, { args: [library], env, stdout: "piped", stderr: "piped" }).output();
    const errors = new TextDecoder().decode(ran.stderr);
    if (ran.code === 2) return console.log(`this cuDNN cannot plan without a device: ${errors}`);
    assertEquals(ran.code, 0, errors);
    const lines = new TextDecoder().decode(ran.stdout).trim().split("\n");
    assert(lines.length > 200);
    // Half precision and TensorFloat-32 have plans that add the bias, but for some grouped convolutions.
    assertEquals(lines.filter((line) => line.endsWith("none") && !line.includes("bias")), []);
    console.log(
      `${lines.length} plans; without: ${lines.filter((line) => line.endsWith("none")).join("; ") || "none"}`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
