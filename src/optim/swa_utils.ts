/**
 * `optim.swaUtils`: stochastic weight averaging.
 *
 * @module
 */

export { SWALR } from "./lr_scheduler_cyclic.ts";
