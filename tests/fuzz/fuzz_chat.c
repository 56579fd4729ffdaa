// A chat's JSON up to a NUL, and a template behind it: what is checked is rendered, or refused; an
// example's weights are those of its tokens, and the prompt of a chat is what its example begins
// with.
#include "model/chat_example.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MODEL TEMPER_SOURCE_DIR "/models/mini-instruct"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct chat_format *own, *other;

static void check_weights(const struct chat_example *example) {
    size_t trained = 0;
    for (size_t i = 0; i < example->tokens.count; i++) {
        if (example->weights[i] != 0 && example->weights[i] != 1) abort();
        trained += example->weights[i] > 0;
    }
    if (trained != example->trained || (example->tokens.count && example->weights[0] > 0)) abort();
}

static void try_chat(const struct chat_format *format, const json_t *root) {
    struct chat chat = {.time = 1752148800};
    struct chat_example example = {0};
    struct token_ids prompt = {0};
    struct error error;
    if (!chat_read(&chat, root, &error)) return;
    if (chat_make_example(format, &chat, 0, &example, &error)) check_weights(&example);
    (void)!chat_prompt(format, &chat, &prompt, &error);
    token_ids_free(&prompt);
    chat_example_free(&example);
}

static void try_template(const uint8_t *text, size_t length, const json_t *root) {
    char path[64];
    struct error error;
    int file = memfd_create("template", 0);
    if (file < 0 || write(file, text, length) != (ssize_t)length) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (chat_format_take_template(other, path, &error)) try_chat(other, root);
    close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = memchr(data, 0, size);
    size_t length = end ? (size_t)(end - data) : size;
    struct error error;
    if (!own &&
        (!chat_format_open(&own, MODEL, &error) || !chat_format_open(&other, MODEL, &error)))
        abort();
    json_t *root = json_loadb((const char *)data, length, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root)) {
        try_chat(own, root);
        if (end) try_template(end + 1, size - length - 1, root);
    }
    json_decref(root);
    return 0;
}
