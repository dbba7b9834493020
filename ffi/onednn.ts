/**
 * The search for oneDNN: which file the native CPU library may open, under Deno's permissions.
 *
 * The variable `CRESSET_ONEDNN` names it by its full path, or is `0` for none; without it the system's folders are
 * looked through. The file needs the permission to be loaded (`--allow-ffi`, or `--allow-ffi=PATH` that covers it), as
 * the native library itself does.
 *
 * @module
 */

import { NativeError } from "../src/base/errors.ts";
import { environment } from "../src/base/platform.ts";
import { mayOpen, systemFolders } from "./permissions.ts";

/** The names of the library's file, newest version first. */
function fileNames(): readonly string[] {
  return Deno.build.os === "darwin" ? ["libdnnl.3.dylib", "libdnnl.2.dylib"] : ["libdnnl.so.3", "libdnnl.so.2"];
}

/**
 * The full paths to try, in order.
 *
 * @throws {NativeError} if `CRESSET_ONEDNN` is no full path
 */
export function oneDnnPaths(): string[] {
  const named = environment("CRESSET_ONEDNN");
  if (named === "" || named === "0") return [];
  if (named !== undefined) {
    if (!named.startsWith("/")) {
      throw new NativeError(`cpu(): CRESSET_ONEDNN must be the full path of a library, or 0 for none: ${named}`, -1);
    }
    return [named].filter(mayOpen);
  }
  const folders = systemFolders();
  return fileNames().flatMap((name) => folders.map((folder) => `${folder}/${name}`)).filter(mayOpen);
}

/** Whether the user has set how OpenMP's threads wait, by an environment variable. */
export function waitIsSet(): boolean {
  return environment("OMP_WAIT_POLICY") !== undefined;
}
