/**
 * Fills memory to its end, frees it in different ways and asks for large pieces: what an allocator over memory that only
 * grows must recover. Prints what failed.
 *
 * @module
 */

import * as torch from "../../mod.ts";

const MIB = 2 ** 20;
const bytes = (mib: number) => torch.empty([mib * MIB], { dtype: torch.uint8 });

/** Tensors of `mib` MiB until memory ends; gives them and the last message. */
function fill(mib: number): { all: torch.Tensor[]; message: string } {
  const all: torch.Tensor[] = [];
  for (;;) {
    try {
      all.push(bytes(mib));
    } catch (error) {
      if (!(error instanceof torch.OutOfMemoryError)) throw error;
      return { all, message: error.message };
    }
  }
}

function holds(what: string, mib: number): void {
  try {
    bytes(mib).dispose();
  } catch (error) {
    console.log(`${what}: ${mib} MiB: ${(error as Error).message}`);
  }
}

// Scratch memory and programs come to lie above what is freed.
const warm = torch.ones([64, 64]);
for (const mib of [64, 3, 20]) {
  const { all, message } = fill(mib);
  if (all.length * mib < 3900) console.log(`only ${all.length} of ${mib} MiB fit: ${message}`);
  if (!/bytes asked for, \d+ in use in \d+ blocks, \d+ reserved, \d+ in the largest free piece/.test(message)) {
    console.log(`unclear: ${message}`);
  }
  all.splice(all.length - 3, 3).forEach((x) => x.dispose());
  // Small blocks at the top, which stay.
  const kilobyte = torch.empty([1024], { dtype: torch.uint8 });
  const more = torch.scope(() => warm.matmul(warm).add(1));
  for (const x of all) x.dispose();
  holds(`a live kilobyte after filling by ${mib}`, 256);
  holds(`a live kilobyte after filling by ${mib}`, 2600);
  const sum = more.sum();
  if (await sum.item() !== 64 * 64 * 65) console.log("a live tensor was overwritten");
  sum.dispose();
  kilobyte.dispose();
  more.dispose();
  holds(`everything freed after filling by ${mib}`, 3000);
}
// Every other one: nothing large is left, and the message says how much.
const { all } = fill(64);
for (let i = 0; i < all.length; i += 2) all[i].dispose();
try {
  bytes(256);
  console.log("256 MiB fitted between live tensors");
} catch (error) {
  const left = Number(/(\d+) in the largest free piece/.exec((error as Error).message)?.[1]);
  if (!(left >= 64 * MIB && left < 256 * MIB)) console.log(`the largest piece is said to be ${left} bytes`);
}
const other = bytes(60);
for (const x of [...all, other]) x.dispose();
holds("all freed again", 3000);
console.log("done");
