// What the exports of a whole model share: reading a base model's JSON wherever it comes from, and
// encoding merged rows.
#ifndef MODEL_EXPORT_INTERNAL_H
#define MODEL_EXPORT_INTERNAL_H

#include "model/merged_weights.h"
#include "model/model_export.h"
#include <jansson.h>

// The base model's config.json, tokenizer.json and tokenizer_config.json, from files or GGUF, and
// the template that its adapter, or itself, was trained with.
struct export_files {
    json_t *config;
    json_t *tokenizer;
    json_t *tokenizer_config; // an object, perhaps empty
    char *chat_template;      // NULL for none
};

bool export_files_read(struct export_files *files, const struct export_source *source,
    struct error *error) WARN_UNUSED;
void export_files_free(struct export_files *files);

// Takes encoded bytes of a tensor, one piece after another.
typedef bool (*export_sink)(void *context, const void *bytes, size_t length, struct error *error);

struct export_progress {
    const struct export_options *options;
    uint64_t done, total;
};

// Reads tensor `index`, merged, stores it as `type` and hands it to the sink. A number that was
// finite and is too large for the type is an error.
bool export_tensor(const struct merged_weights *weights, size_t index, bool interleaved,
    enum data_type type, export_sink sink, void *context, struct export_progress *progress,
    struct error *error) WARN_UNUSED;

// Bytes of a tensor stored as this type.
uint64_t export_tensor_bytes(const struct merged_tensor *tensor, enum data_type type);

// The id of the token that tokenizer_config.json names in `field` ("eos_token"), or -1.
int64_t export_token_id(const struct export_files *files, const char *field);

#endif
