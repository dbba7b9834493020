/**
 * The declarations: `ffi/cuda.ts` against `cresset_cuda.h`, and `api.h` against NVIDIA's headers where installed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { CUDA_ABI, CUDA_LIBRARIES, CUDA_SYMBOLS } from "../../ffi/cuda.ts";

const folder = decodeURIComponent(new URL("../../native/cuda/", import.meta.url).pathname);
const shimHeader = Deno.readTextFileSync(`${folder}cresset_cuda.h`);
const apiHeader = Deno.readTextFileSync(`${folder}api.h`);

/** A C type as FFI passes it. */
function ffiType(declaration: string): string {
  if (declaration.includes("*")) return "buffer";
  const type = declaration.match(/^(?:const )?(\w+)/)![1];
  const types: Readonly<Record<string, string>> = { int32_t: "i32", double: "f64", void: "void" };
  assert(type in types, `a type that the C ABI does not use: ${declaration}`);
  return types[type];
}

Deno.test("the symbol table is the C header", () => {
  const declared = [...shimHeader.matchAll(/^CRESSET_CUDA (\w+) (\w+)\(([^)]*)\);/gm)].map(([, result, name, list]) => {
    const parameters = list === "void" ? [] : list.split(",").map((p) => ffiType(p.trim()));
    return [name, { parameters, result: ffiType(result) }] as const;
  });
  assert(declared.length > 20);
  assertEquals(JSON.parse(JSON.stringify(CUDA_SYMBOLS)), Object.fromEntries(declared));
  assertEquals(Number(shimHeader.match(/#define CRESSET_CUDA_ABI (\d+)/)![1]), CUDA_ABI);
  const libraries = shimHeader.match(/enum \{ (LIB_\w+(?:, LIB_\w+)*), LIB_COUNT \};/)![1].split(", ");
  assertEquals(libraries.map((l) => l.slice(4)), CUDA_LIBRARIES.map(({ name }) => name.toUpperCase()));
});

/** Where NVIDIA's wheels and toolkits put headers, behind what `CRESSET_NVIDIA_INCLUDE` names (folders, by colons). */
async function includeFolders(): Promise<string[]> {
  const found = (Deno.env.get("CRESSET_NVIDIA_INCLUDE") ?? "").split(":").filter((path) => path !== "");
  const script = "import site; print('\\n'.join(site.getsitepackages() + [site.getusersitepackages()]))";
  try {
    const { stdout } = await new Deno.Command("python3", { args: ["-c", script], stderr: "null" }).output();
    for (const packages of new TextDecoder().decode(stdout).trim().split("\n")) {
      for (const part of ["cu13", "cuda_runtime", "cuda_nvrtc", "cublas", "cudnn", "cusolver", "cufft", "nccl"]) {
        found.push(`${packages}/nvidia/${part}/include`);
      }
    }
  } catch { /* no Python */ }
  return [...found, "/usr/local/cuda/include", "/usr/local/cuda-13.0/include", "/usr/include"];
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** Text as the preprocessor leaves it. */
async function preprocess(source: string): Promise<string> {
  const args = ["-E", "-P", "-x", "c++", `-I${folder}`, "-"];
  const child = new Deno.Command("c++", { args, stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(source));
  await writer.close();
  const { success, stdout } = await child.output();
  assert(success);
  return new TextDecoder().decode(stdout);
}

/** The functions of one of api.h's tables. */
async function functionsOf(table: string): Promise<string[]> {
  const text = await preprocess(`#include "api.h"\n#define NAME(result, name, parameters) [name]\n${table}(NAME)\n`);
  const names = [...text.matchAll(/\[(\w+)\]/g)].map((match) => match[1]).filter((name) => /^[a-z]+[A-Z]/.test(name));
  assert(names.length > 0, table);
  return names;
}

/** The structures that api.h spells out, by name, with their fields: those of NVIDIA whose layout the shim relies on. */
function structures(prefix: RegExp): [name: string, fields: string[]][] {
  const found = [...apiHeader.matchAll(/typedef struct \{([^{}]*)\} (\w+);/g)].filter(([, , name]) =>
    prefix.test(name)
  );
  return found.map(([, body, name]) => [name, [...body.matchAll(/(\w+)(?:\[\d+\])?;/g)].map((match) => match[1])]);
}

/** The constants of api.h whose names begin so. */
function constants(prefix: RegExp): string[] {
  return [...apiHeader.matchAll(/\b([A-Z][A-Z0-9_]+|nccl[A-Z]\w+) = \d+/g)].map((match) => match[1]).filter((n) =>
    prefix.test(n)
  );
}

/** What makes two parameter types the same for the machine: pointers by what they point to, integers by size. */
const TRAITS = `
#include <cstddef>
#include <cstdint>
#include <type_traits>
template <typename A, typename B> struct Same {
  static constexpr bool number(bool a, bool b) { return a == b; }
  static constexpr bool value = [] {
    if constexpr (std::is_pointer_v<A> && std::is_pointer_v<B>) {
      using P = std::remove_cv_t<std::remove_pointer_t<A>>;
      using Q = std::remove_cv_t<std::remove_pointer_t<B>>;
      if constexpr (std::is_void_v<P> || std::is_void_v<Q>) return std::is_same_v<P, Q> || std::is_class_v<P> || std::is_class_v<Q>;
      else if constexpr (std::is_class_v<P> && std::is_class_v<Q>) return true;
      else return Same<P, Q>::value;
    } else if constexpr (std::is_void_v<A> || std::is_void_v<B>) return std::is_same_v<A, B>;
    else if constexpr (std::is_floating_point_v<A> || std::is_floating_point_v<B>) return std::is_same_v<A, B>;
    else if constexpr (std::is_class_v<A> && std::is_class_v<B>) return sizeof(A) == sizeof(B) && alignof(A) == alignof(B);
    else return (std::is_integral_v<A> || std::is_enum_v<A>) && (std::is_integral_v<B> || std::is_enum_v<B>) && sizeof(A) == sizeof(B);
  }();
};
template <typename A, typename B> struct SameFunction : std::false_type {};
template <typename R, typename... A, typename S, typename... B>
struct SameFunction<R (*)(A...), S (*)(B...)> {
  static constexpr bool value = [] {
    if constexpr (sizeof...(A) != sizeof...(B)) return false;
    else return Same<R, S>::value && (Same<A, B>::value && ...);
  }();
};
`;

/** Compiles checks of one of NVIDIA's headers; `null` where it is not installed. */
async function check(
  [header, table, member, prefix, structs]: (typeof HEADERS)[number],
): Promise<string | null> {
  const folders = await includeFolders();
  const present = await Promise.all(folders.map((path) => exists(`${path}/${header}`)));
  if (!present.includes(true)) return null;
  const functions = (await functionsOf(table)).map((name) =>
    `static_assert(SameFunction<decltype(&::${name}), decltype(ours::${member}::${name})>::value, "${name}");`
  );
  const values = constants(prefix).map((name) =>
    `static_assert((long long)ours::${name} == (long long)CHECKED(${name}), "${name}");`
  );
  const layouts = structures(structs).flatMap(([name, fields]) => [
    `static_assert(sizeof(ours::${name}) == sizeof(::${name}) && alignof(ours::${name}) == alignof(::${name}), "${name}");`,
    // NVIDIA's fields have the same names, or only the size is known (opaque bytes).
    ...fields.map((field) =>
      `static_assert(FIELD_AT(ours::${name}, ${field}) == FIELD_AT(::${name}, ${field}), "${name}.${field}");`
    ),
  ]);
  const source = [
    TRAITS,
    // The internal table of cuda.h's older names is of no interest: functions are asked for by their own.
    `#include "${header}"`,
    // Three of cuDNN's structures are one of ours.
    header === "cudnn.h" ? "using cudnnConvolutionAlgoPerf_t = cudnnConvolutionFwdAlgoPerf_t;" : "",
    "namespace ours {",
    '#include "api.h"',
    "}",
    "#define CHECKED(name) ::name",
    "#define FIELD_AT(type, field) __builtin_offsetof(type, field)",
    ...functions,
    ...values,
    ...layouts,
  ].join("\n");
  const file = await Deno.makeTempFile({ suffix: ".cpp" });
  await Deno.writeTextFile(file, source);
  const args = ["-std=c++17", "-fsyntax-only", "-w", `-I${folder}`, ...folders.map((path) => `-I${path}`), file];
  const { success, stderr } = await new Deno.Command("c++", { args, stderr: "piped" }).output();
  await Deno.remove(file);
  assert(success, new TextDecoder().decode(stderr).slice(0, 4000));
  return `${functions.length} functions, ${values.length} constants, ${layouts.length} sizes and places`;
}

const HEADERS = [
  ["cuda.h", "DRIVER_FUNCTIONS", "Driver", /^(CUDA_(SUCCESS|ERROR_\w+)|CU_\w+)$/, /^(CU|CUDA)[a-z_A-Z]+$/],
  ["nvrtc.h", "NVRTC_FUNCTIONS", "Nvrtc", /^NVRTC_/, /^nvrtc/],
  ["cublasLt.h", "CUBLASLT_FUNCTIONS", "CublasLt", /^(CUBLAS\w*|CUDA_R_\w+)$/, /^cublasLt/],
  ["cudnn.h", "CUDNN_FUNCTIONS", "Cudnn", /^CUDNN_/, /^cudnn/],
  ["nccl.h", "NCCL_FUNCTIONS", "Nccl", /^nccl/, /^nccl/],
  ["cufft.h", "CUFFT_FUNCTIONS", "Cufft", /^CUFFT_/, /^cufft/],
  ["cusolverDn.h", "CUSOLVER_FUNCTIONS", "Cusolver", /^CUSOLVER_/, /^cusolver/],
] as const;

for (const entry of HEADERS) {
  Deno.test(`api.h agrees with ${entry[0]}`, async () => {
    const checked = await check(entry);
    console.log(`${entry[0]}: ${checked ?? "not installed, nothing to compare with"}`);
  });
}
