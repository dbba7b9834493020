/* Status codes that kernels return: 0 is success; ffi and src/backend/cpu/lib.ts turn the others into errors. */
#ifndef CRESSET_STATUS_H
#define CRESSET_STATUS_H

enum {
  CRESSET_OK = 0,
  CRESSET_BAD_PROGRAM = -1,  /* a byte program that the machine cannot run: our bug */
  CRESSET_BAD_DTYPE = -2,    /* a dtype code that the kernel does not take: our bug */
  CRESSET_BAD_ARGUMENT = -3, /* a count, dimension or mode out of its domain: our bug */
  CRESSET_NO_MEMORY = -4,    /* scratch memory could not be obtained */
  CRESSET_BAD_INDEX = -5,    /* an index tensor holds a value out of range; arena[0] = value, arena[1] = size */
  CRESSET_UNSUPPORTED = -6   /* this build lacks the routine (oneDNN): the caller falls back */
};

#endif
