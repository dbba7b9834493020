/**
 * Prints the kernel library that runs.
 *
 * @module
 */

import * as torch from "../../mod.ts";

console.log(torch.info().kernels);
