// tokenizer.json: an object that opens must encode any text without harm.
#include "model/tokenizer.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(
    const struct tokenizer *tokenizer, const char *text, size_t length, bool special) {
    uint8_t marked[256] = {0};
    struct token_ids ids = {0};
    struct error error;
    size_t bytes;
    for (size_t i = 0; i < length; i++)
        marked[i] = i % 7 > 3;
    if (tokenizer_encode(tokenizer, text, length, special, &ids, &error) &&
        tokenizer_encode_marked(tokenizer, text, marked, length, &ids, &error))
        for (size_t i = 0; i < ids.count; i++) {
            if (!tokenizer_token_text(tokenizer, ids.ids[i])) abort();
            tokenizer_token_bytes(tokenizer, ids.ids[i], &bytes);
            tokenizer_first_bytes(tokenizer, ids.ids[i], &bytes);
        }
    token_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] =
        " Hello,  \xc3\xa9\xff e\xcc\x81\xcc\xa3 <s>\n </s>123 \xe2\x96\x81\xe2\x96\x81"
        "ab Hell'S \xf0\x9f\x99\x82\xf0";
    struct tokenizer *tokenizer;
    struct error error;
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (root && tokenizer_from_json(&tokenizer, root, &error)) {
        encode(tokenizer, text, sizeof text - 1, true);
        encode(tokenizer, text, sizeof text - 1, false);
        encode(tokenizer, "", 0, true);
        tokenizer_close(tokenizer);
    }
    json_decref(root);
    return 0;
}
