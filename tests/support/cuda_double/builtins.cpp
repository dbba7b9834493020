/*
 * `libnvrtc-builtins`: holds nothing. The double's NVRTC opens it by name, as the real one does, and so finds it only where the
 * system looks or where it is open already.
 */
extern "C" __attribute__((visibility("default"))) int cuda_double_builtins;
int cuda_double_builtins = 13;
