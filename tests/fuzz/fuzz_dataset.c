// Training files: any bytes give a dataset or faults, never both, and no weight on an example's
// first token.
#include "model/chat_example.h"
#include "train/dataset.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct chat_format *format;
static struct thread_pool *pool;

static void load(const char *path) {
    struct dataset_options options = {
        .file_name = "data", .context_length = 64, .text_weight = 1, .minimum_examples = 1};
    struct dataset_faults faults;
    struct dataset *dataset;
    struct error error;
    if (!dataset_load(&dataset, path, format, &options, pool, &faults, &error)) return;
    if (faults.count) abort();
    for (size_t i = 0; i < dataset->example_count; i++)
        if (dataset->weights[dataset->examples[i].offset] != 0) abort();
    dataset_free(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    struct error error;
    if (!format && (!chat_format_open(&format, TEMPER_SOURCE_DIR "/models/mini-instruct", &error) ||
                       !thread_pool_create(&pool, 1, &error)))
        abort();
    int file = memfd_create("data", 0);
    if (file < 0 || write(file, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    load(path);
    close(file);
    return 0;
}
