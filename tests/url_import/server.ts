/**
 * A static server of the repository with the content types that Deno needs for remote modules.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url);

/** Deno takes a remote module for what its content type says. */
const TYPES: Record<string, string> = {
  ts: "application/typescript",
  js: "application/javascript",
  json: "application/json",
  wasm: "application/wasm",
};

/** Serves the repository on a free port of localhost; `requested` collects the paths asked for. */
export function serveRepository(requested: Set<string>): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "localhost", port: 0, onListen: () => {} }, async (request) => {
    const path = new URL(request.url).pathname;
    requested.add(path);
    // Only modules: not the repository's history, nor anything outside it.
    const type = TYPES[path.split(".").at(-1)!];
    if (!type || path.includes("..") || path.startsWith("/.")) return new Response("not found", { status: 404 });
    try {
      return new Response(await Deno.readFile(new URL(`.${path}`, ROOT)), { headers: { "content-type": type } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
}
