/**
 * Bytes that a caller gives, in any of JavaScript's types for them.
 *
 * `length` counts elements and `byteLength` bytes, a view may begin inside its buffer, and a buffer may be shared with
 * other threads, change its size or be detached. Everything below this file meets one plain `Uint8Array` of exactly the
 * bytes given.
 *
 * @module
 */

import { ArgumentError, describe } from "./errors.ts";

/** A buffer with the properties that only newer engines have. */
type AnyBuffer = (ArrayBuffer | SharedArrayBuffer) & { readonly detached?: boolean; readonly resizable?: boolean };

/**
 * The bytes of a typed array, a DataView or a buffer: a view where the memory is an ordinary `ArrayBuffer`, else a
 * copy.
 *
 * @throws {ArgumentError} if the value holds no bytes, or its buffer is detached or became too short for the view
 */
export function bytesOf(op: string, name: string, value: unknown): Uint8Array<ArrayBuffer> {
  const view = ArrayBuffer.isView(value) ? value : null;
  if (view === null && !(value instanceof ArrayBuffer) && !isShared(value)) {
    throw new ArgumentError(
      `${op}(): ${name} must be a Uint8Array, another view of a buffer, or a buffer: ${describe(value)}`,
    );
  }
  const buffer = (view === null ? value : view.buffer) as AnyBuffer;
  if (buffer.detached) {
    throw new ArgumentError(`${op}(): the buffer of ${name} is detached: it was transferred; pass a copy of it`);
  }
  let bytes: Uint8Array;
  try {
    bytes = view === null ? new Uint8Array(buffer) : new Uint8Array(buffer, view.byteOffset, view.byteLength);
  } catch (cause) {
    throw new ArgumentError(`${op}(): the buffer of ${name} is shorter than its view: ${describe(value)}`, { cause });
  }
  // Another thread may write shared memory while it is read, and the owner of a resizable buffer may shrink it: only a
  // copy keeps the values.
  const plain = !isShared(buffer) && !buffer.resizable;
  return plain ? bytes as Uint8Array<ArrayBuffer> : new Uint8Array(bytes);
}

function isShared(value: unknown): boolean {
  return typeof SharedArrayBuffer !== "undefined" && value instanceof SharedArrayBuffer;
}

/** Bytes as the characters of these codes, ISO 8859-1; the decoder that JavaScript calls latin1 is Windows-1252. */
export function latin1Of(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** The bytes that {@linkcode latin1Of} made `text` of. */
export function fromLatin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
