/* Copies between memory layouts: see copy.c. */
#ifndef CRESSET_COPY_H
#define CRESSET_COPY_H

#include "machine.h"

/* Executes a call that is a copy for which this file is faster than the machine; returns 1 if it did, else 0. */
CRESSET_SHARED int32_t cresset_copy(const Call *call);

#endif
