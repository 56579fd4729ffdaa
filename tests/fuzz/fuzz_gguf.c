// GGUF files: a table that a file controls, over tensors that it points into, and the config and
// tokenizer that are made of it.
#include "model/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error;
    (void)!gguf_check(data, size, &error);
    return 0;
}
