// Runs a fuzz target as a plain test: over each file of its corpus, and over mutations of each, the
// same ones every time. With clang, `cmake -DFUZZ=ON` links libFuzzer in place of this.
//
//   fuzz_NAME CORPUS-DIRECTORY [MUTATIONS-OF-EACH]
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAXIMUM = 1 << 20, EDITS_MAXIMUM = 8, MUTATIONS_STANDARD = 2000 };

// One edit at a random place: a byte changed, a run removed, or a run said twice.
static size_t edit(uint8_t *bytes, size_t size, uint64_t seed, uint64_t step) {
    if (size == 0) return 0;
    size_t at = random_below(seed, step, 0, size);
    size_t run = 1 + random_below(seed, step, 1, size - at < 16 ? size - at : 16);
    switch (random_below(seed, step, 2, 3)) {
    case 0:
        bytes[at] = (uint8_t)random_bits(seed, step, 3);
        return size;
    case 1:
        if (at + run > size) run = size - at;
        memmove(bytes + at, bytes + at + run, size - at - run);
        return size - run;
    default:
        if (at + run > size) run = size - at;
        memmove(bytes + at + run, bytes + at, size - at);
        return size + run;
    }
}

// The input lies in a block of exactly its size, so that a sanitizer sees a read beyond it.
static void run(const uint8_t *bytes, size_t size) {
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) abort();
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void run_mutations(const char *bytes, size_t length, uint64_t seed, int count) {
    uint8_t *work = malloc(length + 16 * EDITS_MAXIMUM + 1);
    if (!work) abort();
    for (int i = 0; i < count; i++) {
        uint64_t own = random_bits(seed, 1, (uint64_t)i);
        size_t size = length, edits = 1 + own % EDITS_MAXIMUM;
        memcpy(work, bytes, length);
        for (size_t step = 0; step < edits; step++)
            size = edit(work, size, own, step);
        run(work, size);
    }
    free(work);
}

int main(int count, char **words) {
    struct error error = {0};
    struct dirent *entry;
    int files = 0, mutations = count > 2 ? atoi(words[2]) : MUTATIONS_STANDARD;
    DIR *corpus = count > 1 ? opendir(words[1]) : NULL;
    if (!corpus) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY [MUTATIONS-OF-EACH]\n", words[0]);
        return 2;
    }
    while ((entry = readdir(corpus))) {
        char path[FILE_PATH_SIZE], *bytes;
        size_t length;
        if (entry->d_name[0] == '.') continue;
        if (!file_path(path, sizeof path, &error, words[1], entry->d_name) ||
            !file_read(path, INPUT_MAXIMUM, &bytes, &length, &error)) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
        run((const uint8_t *)bytes, length);
        run_mutations(bytes, length, (uint64_t)++files, mutations);
        memory_free(bytes);
    }
    closedir(corpus);
    printf("%d inputs, %d mutations of each\n", files, mutations);
    return files > 0 ? 0 : 1;
}
