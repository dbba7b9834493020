/**
 * Deno's permissions for native code: every path that C code opens is checked here, as a full path.
 *
 * Nothing here prompts: files that may not be used yet count as absent.
 *
 * @module
 */

import { granted } from "../src/base/platform.ts";

/**
 * Whether a file exists at a path; true as well where permission to read is missing, since only opening it can tell
 * then.
 */
export function mayExist(path: string): boolean {
  if (!granted({ name: "read", path })) return true;
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Whether native code may be loaded from a full path, and a file may exist there. */
export function mayOpen(path: string): boolean {
  return path.startsWith("/") && granted({ name: "ffi", path }) && mayExist(path);
}

/** The names in a folder; none where it is missing or may not be read. */
export function folderEntries(path: string): string[] {
  if (!granted({ name: "read", path })) return [];
  try {
    return [...Deno.readDirSync(path)].map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** The folders that the dynamic loader's configuration (`/etc/ld.so.conf`) names. */
function configuredFolders(): string[] {
  const found: string[] = [], root = "/etc/ld.so.conf.d";
  for (const name of folderEntries(root).filter((entry) => entry.endsWith(".conf")).sort()) {
    try {
      const lines = Deno.readTextFileSync(`${root}/${name}`).split("\n").map((line) => line.trim());
      found.push(...lines.filter((line) => line.startsWith("/")));
    } catch { /* unreadable: it names nothing */ }
  }
  return found;
}

/** The system's library folders in the dynamic loader's order, as far as they can be known without the loader. */
export function systemFolders(): string[] {
  if (Deno.build.os === "darwin") return ["/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib"];
  const multiarch = `${Deno.build.arch}-linux-gnu`;
  return [
    ...new Set([
      ...configuredFolders(),
      ...["/usr/local/lib", `/usr/local/lib/${multiarch}`, "/usr/local/lib64"],
      ...[`/lib/${multiarch}`, `/usr/lib/${multiarch}`, "/lib64", "/usr/lib64", "/lib", "/usr/lib"],
    ]),
  ];
}
