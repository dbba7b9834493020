/**
 * PyTorch beside us: `cuda_torch.py` in a process of its own, which answers over lines of JSON.
 *
 * @module
 */

/** What a question is answered with. */
export interface Answer {
  /** Seconds of a run. */
  readonly seconds?: number;
  /** Why there is none. */
  readonly error?: string;
  /** The version and the card. */
  readonly info?: string;
}

/** The process. */
export class Torch {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #pending = "";
  #ended = false;

  /** Starts it; it loads while we prepare. */
  constructor(small: boolean) {
    const script = new URL("cuda_torch.py", import.meta.url).pathname;
    const args = [script, ...(small ? ["--small"] : [])];
    this.#process = new Deno.Command("python3", { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Asks and waits; a process that ended answers with an error. */
  async ask(question: Record<string, unknown>): Promise<Answer> {
    if (this.#ended) return { error: "the process has ended" };
    try {
      await this.#writer.write(new TextEncoder().encode(JSON.stringify(question) + "\n"));
      return JSON.parse(await this.#line()) as Answer;
    } catch (error) {
      this.#ended = true;
      return { error: (error as Error).message };
    }
  }

  async #line(): Promise<string> {
    while (true) {
      const end = this.#pending.indexOf("\n");
      if (end >= 0) {
        const line = this.#pending.slice(0, end);
        this.#pending = this.#pending.slice(end + 1);
        // What libraries print there is no answer.
        if (line.startsWith("{")) return line;
        continue;
      }
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("python3 ended");
      this.#pending += value;
    }
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#process.status;
  }
}

/** PyTorch, or `null` and why it cannot be had. */
export async function startTorch(small: boolean): Promise<{ peer: Torch | null; info: string }> {
  let peer: Torch;
  try {
    peer = new Torch(small);
  } catch (error) {
    return { peer: null, info: `PyTorch left out: ${(error as Error).message}` };
  }
  const { info, error } = await peer.ask({ workload: "info" });
  if (info !== undefined) return { peer, info: `PyTorch ${info}` };
  await peer.stop();
  return { peer: null, info: `PyTorch left out: ${error}` };
}
