// A model directory: config.json up to the first zero byte, model.safetensors behind it. Whatever
// opens, and is small, must also answer.
#include "base/memory.h"
#include "model/transformer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKENS = 4, LARGEST = 1 << 17 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(const char *path, const uint8_t *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file)) abort();
}

static void answer(const struct transformer *transformer) {
    static struct compute *compute;
    const struct model_config *config = transformer_config(transformer);
    struct inference *inference;
    struct error error;
    if (!compute && !compute_create(&compute, 1, COMPUTE_AUTO, &error)) abort();
    if (!inference_create(&inference, transformer, compute, TOKENS, &error)) abort();
    size_t floats = kv_sequence_floats(config, TOKENS);
    struct kv_sequence kv = {0, TOKENS, memory_alloc_array(floats, sizeof(float)),
        memory_alloc_array(floats, sizeof(float))};
    float *logits = memory_alloc_array(config->vocabulary_size, sizeof *logits);
    int32_t tokens[TOKENS];
    for (size_t i = 0; i < TOKENS; i++)
        tokens[i] = (int32_t)(i % config->vocabulary_size);
    struct inference_span span = {0, TOKENS, &kv, NULL};
    uint32_t row = TOKENS - 1;
    if (!kv.keys || !kv.values || !logits ||
        !inference_forward(inference, tokens, TOKENS, &span, 1, &row, 1, logits, &error))
        abort();
    memory_free(kv.keys);
    memory_free(kv.values);
    memory_free(logits);
    inference_free(inference);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char directory[] = "/tmp/temper-fuzz-XXXXXX", settings[64], tensors[64];
    const uint8_t *zero = memchr(data, 0, size);
    size_t first = zero ? (size_t)(zero - data) : size, behind = zero ? first + 1 : size;
    struct transformer *transformer;
    struct error error;
    if (!*settings) {
        if (!mkdtemp(directory)) abort();
        snprintf(settings, sizeof settings, "%s/config.json", directory);
        snprintf(tensors, sizeof tensors, "%s/model.safetensors", directory);
    }
    put(settings, data, first);
    put(tensors, data + behind, size - behind);
    if (transformer_open(&transformer, directory, &error)) {
        if (model_config_parameters(transformer_config(transformer)) <= LARGEST)
            answer(transformer);
        transformer_close(transformer);
    }
    unlink(settings);
    unlink(tensors);
    rmdir(directory);
    memcpy(directory + sizeof directory - 7, "XXXXXX", 6);
    *settings = 0;
    return 0;
}
