// tokenizer.json: a file that opens must encode any text without harm.
#include "base/file.h"
#include "model/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char directory[] = "/tmp/temper-fuzz-XXXXXX", path[64];
    static const char text[] = " Hello, \xc3\xa9\xff <s>\n 123";
    struct tokenizer *tokenizer;
    struct token_ids ids = {0};
    struct error error;
    if (!*path) {
        if (!mkdtemp(directory)) abort();
        snprintf(path, sizeof path, "%s/tokenizer.json", directory);
    }
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file)) abort();
    if (tokenizer_open(&tokenizer, directory, &error)) {
        if (tokenizer_encode(tokenizer, text, strlen(text), true, &ids, &error))
            for (size_t i = 0; i < ids.count; i++) {
                size_t length;
                tokenizer_token_bytes(tokenizer, ids.ids[i], &length);
            }
        token_ids_free(&ids);
        tokenizer_close(tokenizer);
    }
    unlink(path);
    return 0;
}
