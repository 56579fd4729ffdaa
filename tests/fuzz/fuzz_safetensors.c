// safetensors files: a header that a file controls, over bytes that it points into.
#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error;
    (void)!safetensors_check(data, size, &error);
    return 0;
}
