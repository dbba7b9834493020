/*
 * The folder of compiled kernels, by content, and what a "cubin" of the double is: a header and a shared library.
 */
#ifndef CUDA_DOUBLE_CACHE_H
#define CUDA_DOUBLE_CACHE_H

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

constexpr char CUBIN_MAGIC[8] = {'C', 'R', 'D', 'O', 'U', 'B', 'L', 'E'};

struct CubinHeader {
  char magic[8];
  int capability;
  int ptx; /* whether it stands for PTX */
  size_t bytes;
};

/* CUDA_DOUBLE_CACHE, else a folder of this user in the temporary folder. */
inline std::string cache_folder() {
  const char *named = getenv("CUDA_DOUBLE_CACHE"), *temporary = getenv("TMPDIR");
  std::string folder = named ? named
                             : std::string(temporary && *temporary ? temporary : "/tmp") + "/cresset_cuda_double_" +
                                   std::to_string(getuid());
  mkdir(folder.c_str(), 0700);
  return folder;
}

/* FNV-1a over two lanes: 128 bits are enough for file names. */
inline std::string cached_path(const char *content, size_t bytes, const char *extension) {
  uint64_t a = 1469598103934665603ull, b = 0x9e3779b97f4a7c15ull;
  for (size_t i = 0; i < bytes; i++) {
    a = (a ^ (unsigned char)content[i]) * 1099511628211ull;
    b = (b ^ (unsigned char)content[i]) * 0xd6e8feb86659fd93ull;
    b ^= b >> 29;
  }
  char name[40];
  snprintf(name, sizeof name, "/%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
  return cache_folder() + name + extension;
}

/* Writes a file unless it is there; other processes see all of it or nothing. */
inline bool cache_store(const std::string &path, const char *content, size_t bytes) {
  if (access(path.c_str(), R_OK) == 0) return true;
  std::string temporary = path + "." + std::to_string(getpid()) + ".part";
  FILE *file = fopen(temporary.c_str(), "wb");
  if (!file) return false;
  bool whole = fwrite(content, 1, bytes, file) == bytes;
  whole = fclose(file) == 0 && whole;
  return whole && rename(temporary.c_str(), path.c_str()) == 0;
}

inline bool cache_read(const std::string &path, std::string *content) {
  FILE *file = fopen(path.c_str(), "rb");
  if (!file) return false;
  content->clear();
  char piece[1 << 16];
  for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;) content->append(piece, n);
  fclose(file);
  return true;
}

#endif
