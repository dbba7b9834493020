/**
 * The table of dtypes: one row each, with a column for every target.
 *
 * A row says how a dtype is called, how large it is, what it can hold, which register it is computed in, and what it is in
 * C, CUDA C, WGSL and in files. Whatever depends on a dtype looks it up here, so that a new one is a row:
 * `native/cpu/dtypes.gen.h` is written from the column `c` by `native/build.ts`. A missing column does not compile.
 *
 * In the texts of C, CUDA C and WGSL `$x` is the value.
 *
 * @module
 */

/** The kind of a dtype, in promotion order. */
export type DTypeKind = "bool" | "integer" | "floating" | "complex";

/** Names of the dtypes, as PyTorch spells them. */
export type DTypeName =
  | "bool"
  | "uint8"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | "complex64"
  | "complex128"
  | "float8_e4m3fn"
  | "float8_e5m2"
  | "uint16"
  | "uint32"
  | "uint64";

/** The typed array that holds a dtype's values in JavaScript; halves and complex parts are given as floats. */
export type DataArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/** A typed array whose elements have the bytes of a dtype in memory. */
export type MemoryArray = DataArray | Float16Array<ArrayBuffer>;

/** What makes typed arrays of one type. */
export interface MemoryArrayClass {
  /** Zeros. */
  new (length: number): MemoryArray;
  /** A view of a buffer; its length counts elements. */
  new (buffer: ArrayBuffer, byteOffset: number, length: number): MemoryArray;
  /** Bytes of an element. */
  readonly BYTES_PER_ELEMENT: number;
}

/** The least and the largest value of an integer dtype. */
export interface IntegerLimits {
  /** The least value; 0 says that the dtype is unsigned. */
  readonly min: bigint;
  /** The largest value. */
  readonly max: bigint;
}

/** What follows from a floating dtype's bits. */
export interface FloatLimits {
  /** Stored bits of the significand. */
  readonly fraction: number;
  /** The exponent's bias. */
  readonly exponent: number;
  /** The largest value, where the format gives some of its codes up. */
  readonly max?: number;
}

/** A dtype in the C of `native/cpu`. */
export interface CColumn {
  /** The constant: `U8` is `DT_U8`. */
  readonly name: string;
  /** The type in memory. */
  readonly type: string;
  /** The register's value, given one from memory. */
  readonly load: string;
  /** The value for memory, given the register's; C converts it to `type`. */
  readonly store: string;
}

/** A dtype in CUDA C. */
export interface CudaColumn {
  /** The type in memory. */
  readonly type: string;
  /** The register's value, given one from memory. */
  readonly load: string;
  /** The value for memory, given the register's. */
  readonly store: string;
}

/** A dtype in WGSL, where an element is one word of 32 bits. */
export interface WgslColumn {
  /** The type of a loaded value. */
  readonly type: "bool" | "i32" | "u32" | "f32";
  /** The word that holds a value. */
  readonly word: string;
}

/** A row of the table. */
export interface DTypeRow {
  /** The code in kernels' arguments, stable across builds. */
  readonly code: number;
  /** Bytes per element. */
  readonly itemsize: number;
  /** The kind of number, which decides promotion. */
  readonly kind: DTypeKind;
  /** Whether only few ops take it, as in PyTorch: see `few_ops.ts`. */
  readonly ops: "all" | "few";
  /** The registers that kernels compute in; `null` for complex dtypes, which are pairs of real ones to them. */
  readonly register: "bool" | "i64" | "u64" | "f32" | "f64" | null;
  /** What an integer dtype holds; `null` for others. */
  readonly integer: IntegerLimits | null;
  /** The format of a floating dtype; `null` for others. */
  readonly float: FloatLimits | null;
  /** The typed array of the bytes in memory (of the parts of complex values); a function, as not every platform has each. */
  readonly array: () => MemoryArrayClass;
  /** PyTorch's word for tensors of the dtype: `Float` of `torch.FloatTensor`. */
  readonly tensorType: string;
  /** C; `null` where no kernel takes the dtype. */
  readonly c: CColumn | null;
  /** CUDA C; `null` where no kernel takes the dtype. */
  readonly cuda: CudaColumn | null;
  /** WGSL; `null` for parts of 64 bits, which WebGPU lacks. Complex dtypes have that of their parts. */
  readonly wgsl: WgslColumn | null;
  /** Whether collectives of NCCL combine it. */
  readonly nccl: boolean;
  /** The name in safetensors files; `null` if they cannot hold it. */
  readonly safetensors: string | null;
  /** The byte in IDX files; `null` if they cannot hold it. */
  readonly idx: number | null;
}

const ofFloats = (): MemoryArrayClass => Float32Array;
const ofDoubles = (): MemoryArrayClass => Float64Array;

/** Columns of dtypes of these kinds, spread into rows. */
const integers = { ops: "all", kind: "integer", register: "i64", float: null } as const;
const barebones = { ops: "few", kind: "integer", register: "u64", float: null, nccl: false, idx: null } as const;
const floats = { ops: "all", kind: "floating", register: "f32", integer: null } as const;
const pairs = { ops: "all", kind: "complex", register: null, integer: null, float: null, c: null, cuda: null } as const;
const eightBits = { itemsize: 1, nccl: false, safetensors: null, idx: null } as const;

const u32 = { type: "u32", word: "bitcast<u32>($x)" } as const;
const i32 = { type: "i32", word: "bitcast<u32>($x)" } as const;
const f32 = { type: "f32", word: "bitcast<u32>($x)" } as const;

/** What signed integers of some bits hold. */
function signed(bits: bigint): IntegerLimits {
  return { min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n };
}

/** What unsigned integers of some bits hold. */
function unsigned(bits: bigint): IntegerLimits {
  return { min: 0n, max: 2n ** bits - 1n };
}

/** Every dtype. */
export const DTYPE_TABLE: Readonly<Record<DTypeName, DTypeRow>> = {
  bool: {
    ...{ code: 0, itemsize: 1, ops: "all", kind: "bool", register: "bool", integer: null, float: null },
    array: () => Uint8Array,
    tensorType: "Bool",
    c: { name: "BOOL", type: "uint8_t", load: "$x != 0", store: "$x" },
    cuda: { type: "unsigned char", load: "$x != 0", store: "(unsigned char)$x" },
    wgsl: { type: "bool", word: "select(0u, 1u, $x)" },
    ...{ nccl: true, safetensors: "BOOL", idx: null },
  },
  uint8: {
    ...{ code: 1, itemsize: 1, ...integers, integer: unsigned(8n) },
    array: () => Uint8Array,
    tensorType: "Byte",
    c: { name: "U8", type: "uint8_t", load: "$x", store: "$x" },
    cuda: { type: "unsigned char", load: "(i64)$x", store: "(unsigned char)$x" },
    wgsl: { type: "i32", word: "(bitcast<u32>($x) & 0xffu)" },
    ...{ nccl: true, safetensors: "U8", idx: 0x08 },
  },
  int8: {
    ...{ code: 2, itemsize: 1, ...integers, integer: signed(8n) },
    array: () => Int8Array,
    tensorType: "Char",
    c: { name: "I8", type: "int8_t", load: "$x", store: "$x" },
    cuda: { type: "signed char", load: "(i64)$x", store: "(signed char)$x" },
    wgsl: { type: "i32", word: "bitcast<u32>((($x) << 24u) >> 24u)" },
    ...{ nccl: true, safetensors: "I8", idx: 0x09 },
  },
  int16: {
    ...{ code: 3, itemsize: 2, ...integers, integer: signed(16n) },
    array: () => Int16Array,
    tensorType: "Short",
    c: { name: "I16", type: "int16_t", load: "$x", store: "$x" },
    cuda: { type: "short", load: "(i64)$x", store: "(short)$x" },
    wgsl: { type: "i32", word: "bitcast<u32>((($x) << 16u) >> 16u)" },
    ...{ nccl: false, safetensors: "I16", idx: 0x0b },
  },
  int32: {
    ...{ code: 4, itemsize: 4, ...integers, integer: signed(32n) },
    array: () => Int32Array,
    tensorType: "Int",
    c: { name: "I32", type: "int32_t", load: "$x", store: "$x" },
    cuda: { type: "int", load: "(i64)$x", store: "(int)$x" },
    wgsl: i32,
    ...{ nccl: true, safetensors: "I32", idx: 0x0c },
  },
  int64: {
    ...{ code: 5, itemsize: 8, ...integers, integer: signed(64n) },
    array: () => BigInt64Array,
    tensorType: "Long",
    c: { name: "I64", type: "int64_t", load: "$x", store: "$x" },
    cuda: { type: "i64", load: "(i64)$x", store: "(i64)$x" },
    wgsl: i32,
    ...{ nccl: true, safetensors: "I64", idx: null },
  },
  float16: {
    ...{ code: 6, itemsize: 2, ...floats, float: { fraction: 10, exponent: 15 } },
    array: () => Float16Array,
    tensorType: "Half",
    c: { name: "F16", type: "uint16_t", load: "f16_to_f32($x)", store: "f32_to_f16($x)" },
    cuda: { type: "u16", load: "crFromHalf($x)", store: "crToHalf($x)" },
    wgsl: { type: "f32", word: "bitcast<u32>(unpack2x16float(pack2x16float(vec2<f32>($x, 0.0))).x)" },
    ...{ nccl: true, safetensors: "F16", idx: null },
  },
  bfloat16: {
    ...{ code: 7, itemsize: 2, ...floats, float: { fraction: 7, exponent: 127 } },
    array: () => Uint16Array,
    tensorType: "BFloat16",
    c: { name: "BF16", type: "uint16_t", load: "bf16_to_f32($x)", store: "f32_to_bf16($x)" },
    cuda: { type: "u16", load: "crFromBfloat($x)", store: "crToBfloat($x)" },
    wgsl: { type: "f32", word: "bf16_word($x)" },
    ...{ nccl: true, safetensors: "BF16", idx: null },
  },
  float32: {
    ...{ code: 8, itemsize: 4, ...floats, float: { fraction: 23, exponent: 127 } },
    array: ofFloats,
    tensorType: "Float",
    c: { name: "F32", type: "float", load: "$x", store: "$x" },
    cuda: { type: "float", load: "(float)$x", store: "(float)$x" },
    wgsl: f32,
    ...{ nccl: true, safetensors: "F32", idx: 0x0d },
  },
  float64: {
    ...{ code: 9, itemsize: 8, ...floats, register: "f64", float: { fraction: 52, exponent: 1023 } },
    array: ofDoubles,
    tensorType: "Double",
    c: { name: "F64", type: "double", load: "$x", store: "$x" },
    cuda: { type: "double", load: "(double)$x", store: "(double)$x" },
    wgsl: null,
    ...{ nccl: true, safetensors: "F64", idx: 0x0e },
  },
  complex64: {
    ...{ code: 10, itemsize: 8, ...pairs },
    array: ofFloats,
    tensorType: "ComplexFloat",
    wgsl: f32,
    ...{ nccl: false, safetensors: "C64", idx: null },
  },
  complex128: {
    ...{ code: 11, itemsize: 16, ...pairs },
    array: ofDoubles,
    tensorType: "ComplexDouble",
    wgsl: null,
    ...{ nccl: false, safetensors: null, idx: null },
  },
  float8_e4m3fn: {
    ...{ code: 12, ...eightBits, ...floats, float: { fraction: 3, exponent: 7, max: 448 } },
    array: () => Uint8Array,
    tensorType: "Float8_e4m3fn",
    c: { name: "E4M3", type: "uint8_t", load: "e4m3_to_f32($x)", store: "f32_to_e4m3($x)" },
    cuda: { type: "unsigned char", load: "crFromE4m3($x)", store: "crToE4m3($x)" },
    wgsl: { type: "f32", word: "float8_word($x, 20u, 0x43e00000u, 512.0, 0x3c800000u)" },
    safetensors: "F8_E4M3",
  },
  float8_e5m2: {
    ...{ code: 13, ...eightBits, ...floats, float: { fraction: 2, exponent: 15 } },
    array: () => Uint8Array,
    tensorType: "Float8_e5m2",
    c: { name: "E5M2", type: "uint8_t", load: "e5m2_to_f32($x)", store: "f32_to_e5m2($x)" },
    cuda: { type: "unsigned char", load: "crFromE5m2($x)", store: "crToE5m2($x)" },
    wgsl: { type: "f32", word: "float8_word($x, 21u, 0x47800000u, 65536.0, 0x38800000u)" },
    safetensors: "F8_E5M2",
  },
  uint16: {
    ...{ code: 14, itemsize: 2, ...barebones, integer: unsigned(16n) },
    array: () => Uint16Array,
    tensorType: "UInt16",
    c: { name: "U16", type: "uint16_t", load: "$x", store: "$x" },
    cuda: { type: "u16", load: "(u64)$x", store: "(u16)$x" },
    wgsl: { type: "u32", word: "(($x) & 0xffffu)" },
    safetensors: "U16",
  },
  uint32: {
    ...{ code: 15, itemsize: 4, ...barebones, integer: unsigned(32n) },
    array: () => Uint32Array,
    tensorType: "UInt32",
    c: { name: "U32", type: "uint32_t", load: "$x", store: "$x" },
    cuda: { type: "u32", load: "(u64)$x", store: "(u32)$x" },
    wgsl: u32,
    safetensors: "U32",
  },
  uint64: {
    ...{ code: 16, itemsize: 8, ...barebones, integer: unsigned(64n) },
    array: () => BigUint64Array,
    tensorType: "UInt64",
    c: { name: "U64", type: "uint64_t", load: "$x", store: "$x" },
    cuda: { type: "u64", load: "(u64)$x", store: "(u64)$x" },
    wgsl: u32,
    safetensors: "U64",
  },
};

/** How many codes there are: one above the largest. */
export const DTYPE_CODES: number = Math.max(...Object.values(DTYPE_TABLE).map(({ code }) => code)) + 1;

/** The row of a dtype. */
export function rowOf(dtype: { readonly name: DTypeName }): DTypeRow {
  return DTYPE_TABLE[dtype.name];
}
