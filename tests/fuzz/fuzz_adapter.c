// Adapters as peft writes them: adapter_config.json up to the first zero byte,
// adapter_model.safetensors behind it. Whatever loads must have matrices for all modules that it
// names.
#include "base/file.h"
#include "model/adapter_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct model_config config = {.model_type = "llama",
    .vocabulary_size = 8,
    .hidden_size = 4,
    .intermediate_size = 6,
    .layers = 2,
    .heads = 2,
    .kv_heads = 1,
    .head_dim = 2,
    .context_length = 16,
    .rms_norm_epsilon = 1e-5f,
    .rope_theta = 1e4,
    .rope_factor = 1,
    .bos_token = -1};

static void put(const char *path, const uint8_t *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file)) abort();
}

static void check(const struct lora *lora) {
    if (lora->rank < 1 || lora->rank > LORA_MAX_RANK || !(lora_scale(lora) > 0)) abort();
    for (size_t i = 0; i < lora->entry_count; i++) {
        const struct lora_entry *entry = &lora->entries[i];
        if (lora_find(lora, entry->layer, entry->module) != entry ||
            entry->a_offset + lora->rank * entry->in > lora->count ||
            entry->b_offset + lora->rank * entry->out > lora->count)
            abort();
    }
    volatile float sum = 0; // reads every value
    for (size_t i = 0; i < lora->count; i++)
        sum += lora->parameters[i];
    (void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char directory[] = "/tmp/temper-fuzz-XXXXXX", settings[64], tensors[64];
    const uint8_t *zero = memchr(data, 0, size);
    size_t first = zero ? (size_t)(zero - data) : size, behind = zero ? first + 1 : size;
    struct lora *lora;
    struct error error;
    if (!*settings) {
        if (!mkdtemp(directory)) abort();
        snprintf(settings, sizeof settings, "%s/adapter_config.json", directory);
        snprintf(tensors, sizeof tensors, "%s/adapter_model.safetensors", directory);
    }
    put(settings, data, first);
    put(tensors, data + behind, size - behind);
    if (adapter_file_load(&lora, &config, directory, &error)) {
        check(lora);
        lora_free(lora);
    }
    unlink(settings);
    unlink(tensors);
    rmdir(directory);
    *settings = 0;
    memset(directory + strlen(directory) - 6, 'X', 6);
    return 0;
}
