/**
 * IDX files (MNIST's format) as tensors.
 *
 * @module
 */

import "../ops/attach.ts";
import { type Args, call } from "../base/call.ts";
import type { Device } from "../base/device.ts";
import { fromBytes } from "../ops/create/creation.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { readBytes, type Source } from "./files.ts";
import { type IdxArray, parseIdx } from "./idx_format.ts";

/** The parameters of {@linkcode readFile}. */
export class ReadFileArgs {
  constructor(
    /** A path, or a `file:`, `http:` or `https:` URL. */
    public filename: Source,
  ) {}
}

/** The parameters of {@linkcode loadFile}. */
export class LoadIdxFileArgs {
  constructor(
    /** A path, or a `file:`, `http:` or `https:` URL. */
    public filename: Source,
    /** The device of the tensor. */
    public device: string | Device = "cpu",
  ) {}
}

const readFileArgs = call("readFile", ReadFileArgs);
const loadFileArgs = call("loadFile", LoadIdxFileArgs);

/**
 * Reads an IDX file, gzipped or not, into a JavaScript array.
 *
 * @throws {FormatError} if the file is truncated or malformed
 */
export async function readFile(...args: Args<typeof ReadFileArgs>): Promise<IdxArray> {
  const { filename } = readFileArgs(args);
  const bytes = await readBytes("readFile", filename);
  return await parseIdx("readFile", `"${filename}"`, bytes);
}

/**
 * Reads an IDX file, gzipped or not, as a tensor.
 *
 * @throws {FormatError} if the file is truncated or malformed
 */
export async function loadFile(...args: Args<typeof LoadIdxFileArgs>): Promise<Tensor> {
  const { filename, device } = loadFileArgs(args);
  const file = await readBytes("loadFile", filename);
  const { bytes, shape, dtype } = await parseIdx("loadFile", `"${filename}"`, file);
  return fromBytes(bytes, shape, dtype, { device });
}

export type { IdxArray } from "./idx_format.ts";
