#include "cli/show_examples.h"
#include "model/tokenizer.h"
#include "train/dataset.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A training file must not command a terminal: control characters, those of two bytes too, become
// question marks.
static void print_plain(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool wide = byte == 0xc2 && i + 1 < length && (unsigned char)text[i + 1] < 0xa0;
        bool control = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
        putchar(wide || control ? '?' : byte);
        i += wide;
    }
}

static void print_token(const struct tokenizer *tokenizer, int32_t id) {
    size_t length;
    const char *bytes = tokenizer_token_bytes(tokenizer, id, &length);
    if (!length && tokenizer_token_text(tokenizer, id)) {
        bytes = tokenizer_token_text(tokenizer, id);
        length = strlen(bytes);
    }
    print_plain(bytes, length);
}

static void print_example(const struct dataset *dataset, const struct tokenizer *tokenizer,
    const struct dataset_example *example, bool colour) {
    const char *begin = colour ? "\033[32m" : "⟦", *end = colour ? "\033[0m" : "⟧";
    bool trained = false;
    printf("line %u: %u tokens, %u of them trained on\n", example->line, example->length,
        example->trained);
    for (size_t i = example->offset; i < example->offset + example->length; i++) {
        bool now = dataset->weights[i] > 0;
        if (now != trained) fputs(now ? begin : end, stdout);
        trained = now;
        print_token(tokenizer, dataset->tokens[i]);
    }
    printf("%s\n\n", trained ? end : "");
}

void show_examples(const struct dataset *dataset, const struct tokenizer *tokenizer, size_t count) {
    bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    for (size_t i = 0; i < count && i < dataset->example_count; i++)
        print_example(dataset, tokenizer, &dataset->examples[i], colour);
}

static json_t *example_json(const struct dataset *dataset, const struct tokenizer *tokenizer,
    const struct dataset_example *example) {
    json_t *tokens = json_array();
    for (size_t i = example->offset; i < example->offset + example->length; i++) {
        const char *text = tokenizer_token_text(tokenizer, dataset->tokens[i]);
        json_array_append_new(
            tokens, json_pack("{s:i, s:s, s:f}", "id", (int)dataset->tokens[i], "text",
                        text ? text : "", "weight", (double)dataset->weights[i]));
    }
    return json_pack("{s:I, s:o}", "line", (json_int_t)example->line, "tokens", tokens);
}

json_t *show_examples_json(
    const struct dataset *dataset, const struct tokenizer *tokenizer, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < dataset->example_count; i++)
        json_array_append_new(list, example_json(dataset, tokenizer, &dataset->examples[i]));
    return list;
}
