/*
 * Memory of the double's devices: pages of its own per allocation, with unmapped space around them.
 *
 * An allocation ends at a page's end, so that a kernel that reads or writes behind it faults; the up to 511 bytes of
 * padding, and what lies before it in its first page, hold a pattern that is checked when it is freed. Fresh memory is
 * filled with 0xff (NaN, -1): reading what nobody wrote shows.
 */
#ifndef CUDA_DOUBLE_MEMORY_H
#define CUDA_DOUBLE_MEMORY_H

#include "double.h"

/* 0 if there is none left (`limit`: what the device has). */
CUdeviceptr memory_allocate(int ordinal, size_t bytes, size_t limit);
/* CUDA_SUCCESS, INVALID_VALUE for an address that is none, ILLEGAL_ADDRESS if the padding was overwritten. */
CUresult memory_free(CUdeviceptr address);
/* The device of the allocation that holds all the bytes, or -1. */
int memory_owner(CUdeviceptr address, size_t bytes);
/* Lets only device `ordinal`'s memory be reached (-1: all of it). */
void memory_focus(int ordinal);
size_t memory_used(int ordinal);
size_t memory_peak();
size_t memory_count();

/* Host memory that copies read and write at their own time. */
void *memory_pin(size_t bytes);
bool memory_pinned(const void *address, size_t bytes);
bool memory_unpin(void *address);
size_t memory_pinned_bytes();

#endif
