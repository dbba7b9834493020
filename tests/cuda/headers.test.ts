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

/** Where NVIDIA's wheels and toolkits put headers. */
async function includeFolders(): Promise<string[]> {
  const found: string[] = [];
  const script = "import site; print('\\n'.join(site.getsitepackages() + [site.getusersitepackages()]))";
  try {
    const { stdout } = await new Deno.Command("python3", { args: ["-c", script], stderr: "null" }).output();
    for (const packages of new TextDecoder().decode(stdout).trim().split("\n")) {
      for (const part of ["cu13", "cuda_runtime", "cuda_nvrtc", "cublas", "cudnn"]) {
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

/** The functions of one of api.h's tables. */
function functionsOf(table: string): string[] {
  const start = apiHeader.indexOf(`#define ${table}(F)`);
  const lines = apiHeader.slice(start).split("\n");
  const body = lines.slice(0, lines.findIndex((line) => !line.trimEnd().endsWith("\\")) + 1).join("\n");
  const names = [...body.matchAll(/F\([\w *]+?, (\w+),/g)].map((match) => match[1]);
  assert(names.length > 5, table);
  return names;
}

/** The constants of api.h whose names begin so. */
function constants(prefix: RegExp): string[] {
  return [...apiHeader.matchAll(/\b([A-Z][A-Z0-9_]+) = \d+/g)].map((match) => match[1]).filter((n) => prefix.test(n));
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
async function check(header: string, table: string, member: string, prefix: RegExp): Promise<string | null> {
  const folders = await includeFolders();
  const present = await Promise.all(folders.map((path) => exists(`${path}/${header}`)));
  if (!present.includes(true)) return null;
  const functions = functionsOf(table).map((name) =>
    `static_assert(SameFunction<decltype(&::${name}), decltype(ours::${member}::${name})>::value, "${name}");`
  );
  const values = constants(prefix).map((name) =>
    `static_assert((long long)ours::${name} == (long long)CHECKED(${name}), "${name}");`
  );
  const source = [
    TRAITS,
    // The internal table of cuda.h's older names is of no interest: functions are asked for by their own.
    `#include "${header}"`,
    "namespace ours {",
    '#include "api.h"',
    "}",
    "#define CHECKED(name) ::name",
    ...functions,
    ...values,
  ].join("\n");
  const file = await Deno.makeTempFile({ suffix: ".cpp" });
  await Deno.writeTextFile(file, source);
  const args = ["-std=c++17", "-fsyntax-only", "-w", `-I${folder}`, ...folders.map((path) => `-I${path}`), file];
  const { success, stderr } = await new Deno.Command("c++", { args, stderr: "piped" }).output();
  await Deno.remove(file);
  assert(success, new TextDecoder().decode(stderr).slice(0, 4000));
  return `${functions.length} functions, ${values.length} constants`;
}

const HEADERS = [
  ["cuda.h", "DRIVER_FUNCTIONS", "Driver", /^(CUDA_(SUCCESS|ERROR_\w+)|CU_\w+)$/],
  ["nvrtc.h", "NVRTC_FUNCTIONS", "Nvrtc", /^NVRTC_/],
  ["cublasLt.h", "CUBLASLT_FUNCTIONS", "CublasLt", /^(CUBLAS\w*|CUDA_R_\w+)$/],
  ["cudnn.h", "CUDNN_FUNCTIONS", "Cudnn", /^CUDNN_/],
] as const;

for (const [header, table, member, prefix] of HEADERS) {
  Deno.test(`api.h agrees with ${header}`, async () => {
    const checked = await check(header, table, member, prefix);
    console.log(`${header}: ${checked ?? "not installed, nothing to compare with"}`);
  });
}
