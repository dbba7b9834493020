/* Copies between layouts: see copy.c. */
#ifndef CRESSET_COPY_H
#define CRESSET_COPY_H

#include "machine.h"

/* Runs the call if it is a copy that this file is faster at: 1 if it ran. */
CRESSET_SHARED int32_t cresset_copy(const Call *call);

#endif
