// See memory.h.
#include "base/memory.h"

#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static atomic_uint_fast64_t allocations;
static atomic_uint_fast64_t fail_at;

static bool must_fail(void) {
    uint64_t n = atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed) + 1;
    uint64_t target = atomic_load_explicit(&fail_at, memory_order_relaxed);
    return target != 0 && n == target;
}

static bool multiply(size_t count, size_t size, size_t *total) {
    return !__builtin_mul_overflow(count, size, total) && *total <= PTRDIFF_MAX;
}

void *memory_alloc(size_t size) {
    return memory_alloc_array(1, size);
}

void *memory_alloc_array(size_t count, size_t size) {
    size_t total;
    if (!multiply(count, size, &total) || must_fail()) return NULL;
    return malloc(total ? total : 1);
}

void *memory_alloc_zeroed(size_t count, size_t size) {
    size_t total;
    if (!multiply(count, size, &total) || must_fail()) return NULL;
    return calloc(1, total ? total : 1);
}

void *memory_resize(void *pointer, size_t count, size_t size) {
    size_t total;
    if (!multiply(count, size, &total) || must_fail()) return NULL;
    return realloc(pointer, total ? total : 1);
}

char *memory_copy_bytes(const char *bytes, size_t length) {
    if (length == SIZE_MAX) return NULL;
    char *copy = memory_alloc(length + 1);
    if (!copy) return NULL;
    if (length) memcpy(copy, bytes, length);
    copy[length] = 0;
    return copy;
}

char *memory_copy_string(const char *text) {
    return memory_copy_bytes(text, strlen(text));
}

char *memory_format(const char *format, ...) {
    if (must_fail()) return NULL;
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) text = NULL;
    va_end(arguments);
    return text;
}

void memory_free(void *pointer) {
    free(pointer);
}

void *memory_alloc_aligned(size_t count, size_t size) {
    enum { LINE = 64, HUGE_PAGE = 2 << 20 };
    size_t total;
    if (!multiply(count, size, &total) || total > PTRDIFF_MAX - HUGE_PAGE || must_fail())
        return NULL;
    size_t unit = total >= 2 * (size_t)HUGE_PAGE ? HUGE_PAGE : LINE;
    total = total ? (total + unit - 1) / unit * unit : unit;
    void *pointer = aligned_alloc(unit, total);
    // A page of 4 kB holds a few rows: looking up where the next one lies would take its time. A
    // kernel that cannot is no reason to fail.
    if (pointer && unit == HUGE_PAGE) madvise(pointer, total, MADV_HUGEPAGE);
    if (pointer) memset(pointer, 0, total);
    return pointer;
}

bool memory_error(struct error *error, const char *what) {
    return error_set(error, ERROR_MEMORY,
        "out of memory for %s; free some memory or ask for less (a smaller batch, fewer threads)",
        what);
}

void memory_fail_at(uint64_t n) {
    atomic_store(&fail_at, n ? atomic_load(&allocations) + n : 0);
}

uint64_t memory_allocations(void) {
    return atomic_load(&allocations);
}

uint64_t memory_peak_resident(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
}

static bool read_number(const char *path, uint64_t *number) {
    FILE *file = fopen(path, "re");
    if (!file) return false;
    unsigned long long value;
    bool found = fscanf(file, "%llu", &value) == 1;
    fclose(file);
    if (found) *number = value;
    return found;
}

static uint64_t machine_memory(const char *name) {
    uint64_t bytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file) return 0;
    char line[256];
    size_t length = strlen(name);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, name, length) && line[length] == ':')
            bytes = strtoull(line + length + 1, NULL, 10) * 1024;
    fclose(file);
    return bytes;
}

uint64_t memory_available(void) {
    uint64_t available = machine_memory("MemAvailable"), limit, used;
    if (read_number("/sys/fs/cgroup/memory.max", &limit) &&
        read_number("/sys/fs/cgroup/memory.current", &used)) {
        uint64_t rest = limit > used ? limit - used : 0;
        if (rest < available) available = rest;
    }
    return available;
}

uint64_t memory_total(void) {
    uint64_t total = machine_memory("MemTotal"), limit;
    return read_number("/sys/fs/cgroup/memory.max", &limit) && limit < total ? limit : total;
}
