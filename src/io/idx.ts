/**
 * IDX files (MNIST's format) as tensors.
 *
 * @module
 */

import "../ops/attach.ts";
import type { Device } from "../base/device.ts";
import { fromBytes } from "../ops/creation.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { readBytes, type Source } from "./files.ts";
import { type IdxArray, parseIdx } from "./idx_format.ts";

/**
 * Reads an IDX file, gzipped or not, into memory of JavaScript.
 *
 * @param filename a path, or a `file:`, `http:` or `https:` URL
 * @throws {FormatError} if the file is truncated or malformed
 */
export async function readFile(filename: Source): Promise<IdxArray> {
  const bytes = await readBytes("readFile", filename);
  return await parseIdx("readFile", `"${filename}"`, bytes);
}

/**
 * Reads an IDX file, gzipped or not, as a tensor.
 *
 * @param filename a path, or a `file:`, `http:` or `https:` URL
 * @param device where the tensor goes
 * @throws {FormatError} if the file is truncated or malformed
 */
export async function loadFile(filename: Source, device: string | Device = "cpu"): Promise<Tensor> {
  const file = await readBytes("loadFile", filename);
  const { bytes, shape, dtype } = await parseIdx("loadFile", `"${filename}"`, file);
  return fromBytes(bytes, shape, dtype, { device });
}

export type { IdxArray } from "./idx_format.ts";
