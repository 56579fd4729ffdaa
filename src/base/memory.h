// The one door to the heap. Sizes are checked for overflow; a size of zero gives a unique pointer.
//
// Every allocation is counted, so that a test can make the N-th one fail (memory_fail_at) and see
// that nothing leaks and nothing is lost.
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

// Each returns NULL when memory is short. Free with memory_free (NULL is allowed).
void *memory_alloc(size_t size) WARN_UNUSED;
void *memory_alloc_array(size_t count, size_t size) WARN_UNUSED;           // not cleared
void *memory_alloc_zeroed(size_t count, size_t size) WARN_UNUSED;          // cleared
void *memory_resize(void *pointer, size_t count, size_t size) WARN_UNUSED; // as realloc
char *memory_copy_string(const char *text) WARN_UNUSED;
char *memory_copy_bytes(const char *bytes, size_t length) WARN_UNUSED;      // adds a NUL
char *memory_format(const char *format, ...) PRINTF_LIKE(1, 2) WARN_UNUSED; // asprintf
void memory_free(void *pointer);

// 64-byte aligned (a cache line, a 512-bit vector) and cleared; from 4 MB on in whole huge pages,
// where the kernel has them. Free with memory_free.
void *memory_alloc_aligned(size_t count, size_t size) WARN_UNUSED;

// Sets ERROR_MEMORY, naming what the memory was for. Returns false.
bool memory_error(struct error *error, const char *what);

// Tests only: the N-th allocation from now fails (1 = the next); 0 switches this off.
void memory_fail_at(uint64_t n);

// Allocations so far, in all threads.
uint64_t memory_allocations(void);

// The most resident memory that this process has had, in bytes.
uint64_t memory_peak_resident(void);

// Memory that the machine (or the control group) can still give to this process, in bytes.
uint64_t memory_available(void);

// All memory that the machine (or the control group) has, in bytes.
uint64_t memory_total(void);

#endif
