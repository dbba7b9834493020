/* Philox 4x32-10, the counter-based generator of src/base/philox.ts. */
#ifndef CRESSET_PHILOX_H
#define CRESSET_PHILOX_H

#include "cresset.h"

/* d[i] = the 32-bit word number counter[i * cs] of the stream of key[i * ks], as an int64. */
CRESSET_SHARED void cresset_philox(int64_t *d, const int64_t *counter, int64_t cs, const int64_t *key, int64_t ks, int64_t n);

#endif
