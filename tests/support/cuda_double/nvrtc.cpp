/*
 * `libnvrtc`: kernels compiled by the host's C++ compiler.
 *
 * The source is rewritten where macros do not reach (inline PTX, dynamic shared memory, entry points) and compiled after
 * emulation.h into a shared library, which is the "cubin". Libraries are cached by the text they come from.
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <vector>

#include "cache.h"
#include "double.h"

NVRTC_FUNCTIONS(DECLARE)

extern char **environ;

enum { NVRTC_INVALID_INPUT = 3, NVRTC_INVALID_PROGRAM = 4, NVRTC_INVALID_OPTION = 5, NVRTC_COMPILATION = 6, NVRTC_BUILTIN_OPERATION_FAILURE = 7 };

struct nvrtc_program {
  std::string source, name, log, cubin, ptx;
};

namespace {

bool in_name(char c) { return isalnum((unsigned char)c) || c == '_'; }

size_t skip_space(const std::string &s, size_t at) {
  while (at < s.size() && isspace((unsigned char)s[at])) at++;
  return at;
}

/* Where `word` stands by itself from `at` on. */
size_t find_word(const std::string &s, const std::string &word, size_t at) {
  for (; (at = s.find(word, at)) != std::string::npos; at += word.size()) {
    if ((at == 0 || !in_name(s[at - 1])) && !in_name(s[at + word.size()])) return at;
  }
  return at;
}

/* The position behind the closing bracket of the one at `open`; strings are stepped over. */
size_t behind_bracket(const std::string &s, size_t open) {
  int depth = 0;
  for (size_t i = open; i < s.size(); i++) {
    if (s[i] == '"') {
      for (i++; i < s.size() && s[i] != '"'; i++) i += s[i] == '\\';
    } else if (s[i] == '(' || s[i] == '[' || s[i] == '{') {
      depth++;
    } else if ((s[i] == ')' || s[i] == ']' || s[i] == '}') && --depth == 0) {
      return i + 1;
    }
  }
  return std::string::npos;
}

/* The text of string literals that follow each other. */
std::string literals(const std::string &s, size_t *at) {
  std::string text;
  for (*at = skip_space(s, *at); *at < s.size() && s[*at] == '"'; *at = skip_space(s, *at + 1)) {
    for (++*at; s[*at] != '"'; ++*at) {
      if (s[*at] != '\\') text += s[*at];
      else text += s[++*at] == 'n' || s[*at] == 't' ? ' ' : s[*at];
    }
  }
  return text;
}

/* `asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x))` becomes `cr_ptx_cvt_f32_f16(y, x)`. */
std::string translate_asm(const std::string &inside) {
  size_t at = 0;
  std::string instruction = literals(inside, &at), name;
  size_t from = skip_space(instruction, 0);
  while (from < instruction.size() && !isspace((unsigned char)instruction[from]) && instruction[from] != ';') {
    char c = instruction[from++];
    name += in_name(c) ? c : '_';
  }
  std::string call = "cr_ptx_" + name + "(";
  bool first = true;
  while (at < inside.size()) {
    if (inside[at] != '"') {
      at++;
      continue;
    }
    literals(inside, &at);
    if (inside[at] != '(') continue; /* a clobber */
    size_t end = behind_bracket(inside, at);
    call += (first ? "" : ", ") + inside.substr(at + 1, end - at - 2);
    first = false;
    at = end;
  }
  return call + ")";
}

std::string rewrite_asm(const std::string &s) {
  std::string out;
  size_t done = 0;
  for (size_t at = 0; (at = find_word(s, "asm", at)) != std::string::npos;) {
    size_t open = skip_space(s, at + 3);
    for (const char *word : {"volatile", "__volatile__"}) {
      if (s.compare(open, strlen(word), word) == 0) open = skip_space(s, open + strlen(word));
    }
    if (open >= s.size() || s[open] != '(') {
      at += 3;
      continue;
    }
    size_t end = behind_bracket(s, open);
    if (end == std::string::npos) break;
    out += s.substr(done, at - done) + translate_asm(s.substr(open + 1, end - open - 2));
    done = at = end;
  }
  return out + s.substr(done);
}

/* `extern __shared__ float x[];` becomes a pointer to the block's dynamic shared memory. */
std::string rewrite_shared(const std::string &s) {
  std::string out;
  size_t done = 0;
  for (size_t at = 0; (at = find_word(s, "extern", at)) != std::string::npos;) {
    size_t word = skip_space(s, at + 6), end = s.find(';', at);
    if (s.compare(word, 10, "__shared__") != 0 || end == std::string::npos) {
      at += 6;
      continue;
    }
    std::string declaration = s.substr(word + 10, end - word - 10);
    size_t bracket = declaration.rfind('['), stop = bracket;
    while (stop > 0 && isspace((unsigned char)declaration[stop - 1])) stop--;
    size_t start = stop;
    while (start > 0 && in_name(declaration[start - 1])) start--;
    std::string type = declaration.substr(0, start), name = declaration.substr(start, stop - start);
    size_t align = type.find("__align__");
    if (align != std::string::npos) type.erase(align, behind_bracket(type, type.find('(', align)) - align);
    size_t alignas_at = type.find("alignas");
    if (alignas_at != std::string::npos) type.erase(alignas_at, behind_bracket(type, type.find('(', alignas_at)) - alignas_at);
    out += s.substr(done, at - done) + "static " + type + " *const " + name + " = (" + type + " *)cr_shared_memory";
    done = at = end;
  }
  return out + s.substr(done);
}

/* An exported function for each kernel with C linkage. */
std::string entries(const std::string &s) {
  std::string out;
  for (size_t at = 0; (at = find_word(s, "__global__", at)) != std::string::npos; at++) {
    size_t i = skip_space(s, at + 10);
    std::string word;
    while (i < s.size()) {
      word.clear();
      for (i = skip_space(s, i); i < s.size() && in_name(s[i]); i++) word += s[i];
      i = skip_space(s, i);
      if (word.empty()) break;
      if (word == "__launch_bounds__") i = behind_bracket(s, i);
      else if (word != "void" && s[i] == '(') break;
    }
    if (word.empty()) continue;
    /* Templates have no C linkage. */
    size_t line = s.rfind(';', at), brace = s.rfind('}', at);
    size_t begin = line == std::string::npos ? 0 : line;
    if (brace != std::string::npos && brace > begin) begin = brace;
    if (s.substr(begin, at - begin).find("\"C\"") != std::string::npos) out += "CR_ENTRY(" + word + ")\n";
  }
  return out;
}

std::string translate(const nvrtc_program &program) {
  std::string text = rewrite_shared(rewrite_asm(program.source));
  return "#line 1 \"" + program.name + "\"\n" + text + "\n" + entries(text);
}

/* Runs the compiler; what it prints goes to a file. */
bool compile(const std::string &from, const std::string &to, const std::string &log) {
  const char *named = getenv("CXX");
  std::string compiler = named && *named ? named : "c++", include = std::string(EMULATION_FOLDER) + "/emulation.h";
  const char *arguments[] = {compiler.c_str(), "-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-fwrapv", "-fno-strict-aliasing",
                             "-fno-exceptions", "-fno-rtti", "-fno-math-errno", "-fmax-errors=5", "-fvisibility=hidden",
                             "-fsanitize=alignment,bounds", "-fsanitize-undefined-trap-on-error",
                             "-include", include.c_str(), "-x", "c++", from.c_str(), "-o", to.c_str(), "-nostdlib", "-lm", "-lc", "-lgcc", nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child;
  int status = posix_spawnp(&child, compiler.c_str(), &actions, nullptr, const_cast<char **>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) return false;
  int result = -1;
  while (waitpid(child, &result, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(result) && WEXITSTATUS(result) == 0;
}

/* What the compiled library depends on besides the kernel. */
const std::string &emulation_text() {
  static const std::string all = [] {
    std::string text = "alignment,bounds", part;
    for (const char *file : {"/runtime.h", "/emulation.h", "/ptx.h"}) {
      cache_read(std::string(EMULATION_FOLDER) + file, &part);
      text += part;
    }
    return text;
  }();
  return all;
}

/* What NVRTC 13.0 compiles for. */
const int ARCHITECTURES[] = {75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};

nvrtcResult build(nvrtc_program *program, int capability, bool ptx) {
  std::string text = translate(*program), key = emulation_text() + text, library;
  std::string path = cached_path(key.data(), key.size(), ".so");
  if (!cache_read(path, &library)) {
    std::string base = path + "." + std::to_string(getpid()), source = base + ".cu.cpp", output = base + ".out", log = base + ".log";
    cache_store(source, text.data(), text.size());
    bool compiled = compile(source, output, log);
    cache_read(log, &program->log);
    unlink(source.c_str());
    unlink(log.c_str());
    if (!compiled) {
      if (program->log.empty()) program->log = "the C++ compiler could not be run";
      return NVRTC_COMPILATION;
    }
    rename(output.c_str(), path.c_str());
    if (!cache_read(path, &library)) return NVRTC_COMPILATION;
  }
  CubinHeader header = {};
  memcpy(header.magic, CUBIN_MAGIC, sizeof header.magic);
  header.capability = capability;
  header.ptx = ptx;
  header.bytes = library.size();
  std::string &code = ptx ? program->ptx : program->cubin;
  code.assign(reinterpret_cast<const char *>(&header), sizeof header);
  code += library;
  return NVRTC_SUCCESS;
}

bool known_option(const std::string &option) {
  for (const char *known : {"--std=c++17", "--std=c++20", "--extra-device-vectorization", "-default-device", "--use_fast_math",
                            "--fmad=true", "--fmad=false", "-lineinfo", "--minimal", "--split-compile=0"}) {
    if (option == known) return true;
  }
  return option.rfind("--ptxas-options=", 0) == 0 || option.rfind("-D", 0) == 0;
}

}  // namespace

EXPORT nvrtcResult nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return NVRTC_SUCCESS;
}

EXPORT const char *nvrtcGetErrorString(nvrtcResult error) {
  switch (error) {
    case NVRTC_SUCCESS: return "NVRTC_SUCCESS";
    case NVRTC_INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
    case NVRTC_INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
    case NVRTC_INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
    case NVRTC_COMPILATION: return "NVRTC_ERROR_COMPILATION";
    default: return "NVRTC_ERROR unknown";
  }
}

EXPORT nvrtcResult nvrtcCreateProgram(nvrtcProgram *program, const char *source, const char *name, int count,
                                      const char *const *headers, const char *const *names) {
  (void)headers;
  (void)names;
  if (!program || !source || count != 0) return NVRTC_INVALID_INPUT;
  *program = new nvrtc_program{source, name ? name : "default_program", "", "", ""};
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count, const char *const *options) {
  if (!program) return NVRTC_INVALID_PROGRAM;
  int capability = 52;
  bool ptx = true;
  const std::string real = "--gpu-architecture=sm_", virtual_one = "--gpu-architecture=compute_";
  for (int i = 0; i < count; i++) {
    std::string option = options[i];
    if (option.rfind(real, 0) == 0 || option.rfind(virtual_one, 0) == 0) {
      ptx = option.rfind(real, 0) != 0;
      capability = atoi(option.c_str() + (ptx ? virtual_one : real).size());
      if (std::find(std::begin(ARCHITECTURES), std::end(ARCHITECTURES), capability) == std::end(ARCHITECTURES)) {
        program->log = "nvrtc: error: invalid value for --gpu-architecture (-arch)";
        return NVRTC_INVALID_OPTION;
      }
    } else if (!known_option(option)) {
      program->log = "nvrtc: error: unrecognized option " + option + " found";
      return NVRTC_INVALID_OPTION;
    }
  }
  if (!dlopen("libnvrtc-builtins.so.13.0", RTLD_NOW)) {
    program->log = "nvrtc: error: failed to open libnvrtc-builtins.so.13.0.";
    return NVRTC_BUILTIN_OPERATION_FAILURE;
  }
  return build(program, capability, ptx);
}

EXPORT nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *size) {
  if (!program) return NVRTC_INVALID_PROGRAM;
  *size = program->log.size() + 1;
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log) {
  if (!program) return NVRTC_INVALID_PROGRAM;
  memcpy(log, program->log.c_str(), program->log.size() + 1);
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *size) {
  if (!program || program->cubin.empty()) return NVRTC_INVALID_PROGRAM;
  *size = program->cubin.size();
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *cubin) {
  if (!program || program->cubin.empty()) return NVRTC_INVALID_PROGRAM;
  memcpy(cubin, program->cubin.data(), program->cubin.size());
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetPTXSize(nvrtcProgram program, size_t *size) {
  if (!program || program->ptx.empty()) return NVRTC_INVALID_PROGRAM;
  *size = program->ptx.size();
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetPTX(nvrtcProgram program, char *ptx) {
  if (!program || program->ptx.empty()) return NVRTC_INVALID_PROGRAM;
  memcpy(ptx, program->ptx.data(), program->ptx.size());
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetNumSupportedArchs(int *count) {
  if (!count) return NVRTC_INVALID_INPUT;
  *count = (int)(sizeof ARCHITECTURES / sizeof *ARCHITECTURES);
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetSupportedArchs(int *capabilities) {
  if (!capabilities) return NVRTC_INVALID_INPUT;
  memcpy(capabilities, ARCHITECTURES, sizeof ARCHITECTURES);
  return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program) {
  if (!program || !*program) return NVRTC_INVALID_PROGRAM;
  delete *program;
  *program = nullptr;
  return NVRTC_SUCCESS;
}
