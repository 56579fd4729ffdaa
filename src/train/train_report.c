#include "train/train_report.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "model/tokenizer.h"
#include <stdlib.h>
#include <string.h>

enum {
    RANGES = 24,
    SHOWN_FIRST = 900, // tokens of a long example that are shown of its beginning
    SHOWN_LAST = 300,  // and of its end
    MAX_PIECE = 1 << 20,
};

// ---- lengths ----

// The least of 1, 2, 5, 10, 20, … with which RANGES ranges reach the longest.
static size_t range_width(size_t longest) {
    static const size_t steps[] = {1, 2, 5};
    for (size_t scale = 1;; scale *= 10)
        for (size_t i = 0; i < 3; i++)
            if (steps[i] * scale * RANGES >= longest) return steps[i] * scale;
}

json_t *train_report_lengths(const struct dataset *dataset) {
    size_t counts[RANGES] = {0}, width = range_width(dataset->longest);
    size_t ranges = dataset->longest ? (dataset->longest - 1) / width + 1 : 0;
    json_t *list = json_array();
    for (size_t i = 0; i < dataset->example_count; i++)
        if (dataset->examples[i].length) counts[(dataset->examples[i].length - 1) / width]++;
    for (size_t i = 0; i < ranges; i++)
        json_array_append_new(
            list, json_pack("{s:I, s:I, s:I}", "from", (json_int_t)(i * width + 1), "to",
                      (json_int_t)((i + 1) * width), "examples", (json_int_t)counts[i]));
    return list;
}

// ---- examples ----

static void append_token(struct buffer *text, const struct tokenizer *tokenizer, int32_t id) {
    size_t length;
    const char *bytes = tokenizer_token_bytes(tokenizer, id, &length);
    const char *spelled = length ? NULL : tokenizer_token_text(tokenizer, id);
    buffer_append(text, spelled ? spelled : bytes, spelled ? strlen(spelled) : length);
}

// What was gathered becomes a piece. A character that is cut by a piece's end is shown as broken.
static void end_piece(json_t *pieces, struct buffer *text, bool trained) {
    if (text->length) {
        for (size_t i = 0; i < text->length; i++)
            if (!text->data[i]) text->data[i] = '?';
        utf8_repair(text->data);
        json_array_append_new(
            pieces, json_pack("{s:s, s:b}", "text", text->data, "trained", trained));
    }
    buffer_clear(text);
}

static void append_omitted(json_t *pieces, size_t tokens) {
    char text[64];
    snprintf(text, sizeof text, "\n[… %zu tokens are not shown …]\n", tokens);
    json_array_append_new(pieces, json_pack("{s:s, s:b}", "text", text, "trained", false));
}

static json_t *example_pieces(const struct dataset *data, const struct tokenizer *tokenizer,
    const struct dataset_example *example) {
    json_t *pieces = json_array();
    struct buffer text;
    bool trained = false;
    buffer_init(&text, MAX_PIECE);
    for (size_t i = 0; i < example->length; i++) {
        size_t at = example->offset + i;
        bool now = data->weights[at] > 0;
        if (i == SHOWN_FIRST && example->length > SHOWN_FIRST + SHOWN_LAST) {
            size_t omitted = example->length - SHOWN_FIRST - SHOWN_LAST;
            end_piece(pieces, &text, trained);
            append_omitted(pieces, omitted);
            i += omitted;
            at += omitted;
            now = data->weights[at] > 0;
        }
        if (now != trained) end_piece(pieces, &text, trained);
        trained = now;
        append_token(&text, tokenizer, data->tokens[at]);
    }
    end_piece(pieces, &text, trained);
    buffer_free(&text);
    return pieces;
}

static json_t *shown_examples(
    const struct dataset *data, const struct tokenizer *tokenizer, size_t shown) {
    json_t *list = json_array();
    for (size_t i = 0; i < shown && i < data->example_count; i++)
        json_array_append_new(
            list, json_pack("{s:I, s:I, s:o}", "line", (json_int_t)data->examples[i].line, "tokens",
                      (json_int_t)data->examples[i].length, "pieces",
                      example_pieces(data, tokenizer, &data->examples[i])));
    return list;
}

// ---- all of it ----

static json_t *fault_list(const struct dataset_faults *faults) {
    json_t *list = json_array();
    for (size_t i = 0; i < faults->count; i++) {
        struct dataset_fault fault = faults->items[i];
        utf8_repair(fault.message);
        json_array_append_new(list,
            json_pack("{s:I, s:s}", "line", (json_int_t)fault.line, "message", fault.message));
    }
    return list;
}

json_t *train_report(const struct dataset *dataset, uint64_t computed,
    const struct dataset_faults *faults, const struct tokenizer *tokenizer, size_t shown) {
    json_t *report = json_pack("{s:b}", "valid", dataset != NULL);
    if (dataset)
        json_object_update_new(report,
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "examples",
                (json_int_t)dataset->example_count, "tokens", (json_int_t)dataset->token_count,
                "trained_tokens", (json_int_t)dataset->trained_count,
                "tokens_after_shared_prefixes", (json_int_t)computed, "truncated_examples",
                (json_int_t)dataset->truncated_count, "endless_examples",
                (json_int_t)dataset->endless_count, "longest_example", (json_int_t)dataset->longest,
                "lengths", train_report_lengths(dataset), "shown",
                shown_examples(dataset, tokenizer, shown)));
    json_object_set_new(report, "faults", fault_list(faults));
    json_object_set_new(report, "more_faults", json_boolean(faults->more));
    return report;
}
