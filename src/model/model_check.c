#include "model/model_check.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/chat_example.h"
#include "model/lora.h"
#include "model/transformer.h"
#include "model/weights.h"
#include "model/weights_index.h"
#include <stdio.h>
#include <string.h>

// ---- shards against the index ----

static bool shard_path(char *path, const char *directory, const char *shard, struct error *error) {
    return file_path(path, FILE_PATH_SIZE, error, directory, shard);
}

static bool check_present(
    const struct weights_index *index, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct buffer names;
    size_t missing = 0;
    buffer_init(&names, 512);
    for (size_t i = 0; i < index->shard_count; i++) {
        if (shard_path(path, directory, index->shards[i], error) && file_exists(path)) continue;
        if (missing++ < 4)
            buffer_append_format(&names, "%s%.100s", missing > 1 ? ", " : "", index->shards[i]);
    }
    if (missing)
        error_set(error, ERROR_INVALID,
            "%zu of the %zu files that %s/" WEIGHTS_INDEX_FILE " names are missing: %s%s; put them "
            "there",
            missing, index->shard_count, directory, buffer_text(&names), missing > 4 ? ", …" : "");
    buffer_free(&names);
    return !missing;
}

// Every tensor of the file is listed as that file's.
static bool check_file(const struct weights_index *index, uint32_t shard,
    const struct safetensors *file, struct error *error) {
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const char *tensor = safetensors_at(file, i)->name;
        const struct weights_index_entry *entry = weights_index_find(index, tensor);
        if (!entry) continue; // transformers passes over it, too
        if (entry->shard != shard)
            return error_set(error, ERROR_INVALID,
                "the tensor '%.200s' stands in %s, where " WEIGHTS_INDEX_FILE " has it in %s",
                tensor, index->shards[shard], index->shards[entry->shard]);
    }
    return true;
}

static bool missing_tensor(const struct weights_index *index, uint32_t shard,
    const struct safetensors *file, struct error *error) {
    for (size_t i = 0; i < index->entry_count; i++)
        if (index->entries[i].shard == shard && !safetensors_find(file, index->entries[i].tensor))
            return error_set(error, ERROR_INVALID,
                "%s has no tensor '%.200s', which " WEIGHTS_INDEX_FILE
                " says it holds: get the file again",
                index->shards[shard], index->entries[i].tensor);
    return true;
}

static bool check_shard(
    const struct weights_index *index, uint32_t shard, const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct safetensors *file;
    if (!shard_path(path, directory, index->shards[shard], error) ||
        !safetensors_open(&file, path, error))
        return false;
    bool ok = check_file(index, shard, file, error) && missing_tensor(index, shard, file, error);
    safetensors_close(file);
    return ok;
}

// A model in one file, or in GGUF, has no index.
static bool check_index(const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct weights_index index;
    if (!file_path(path, sizeof path, error, directory, "model.safetensors")) return false;
    if (file_exists(path)) return true;
    if (!file_path(path, sizeof path, error, directory, WEIGHTS_INDEX_FILE)) return false;
    if (!file_exists(path)) return true;
    if (!weights_index_read(&index, directory, error)) return false;
    bool ok = check_present(&index, directory, error);
    for (uint32_t i = 0; i < index.shard_count && ok; i++)
        ok = check_shard(&index, i, directory, error);
    weights_index_free(&index);
    return ok;
}

// ---- weights ----

static bool describe_weights(
    struct model_report *report, struct weights *weights, struct error *error) {
    struct matrix matrix;
    size_t in, out;
    lora_module_shape(&report->config, LORA_Q, &in, &out);
    if (!weights_matrix(weights, "model.layers.0.self_attn.q_proj.weight", out, in, &matrix, error))
        return false;
    report->type = matrix.type;
    report->bytes = weights_bytes(weights);
    report->parameters = model_config_parameters(&report->config);
    return true;
}

bool model_describe(struct model_report *report, const char *path, struct error *error) {
    struct weights *weights;
    memset(report, 0, sizeof *report);
    if (!model_config_load(&report->config, path, error) || !weights_open(&weights, path, error))
        return false;
    bool ok = describe_weights(report, weights, error);
    weights_close(weights);
    return ok || error_prefix(error, "%s", path);
}

bool model_check_weights(struct model_report *report, const char *path, struct error *error) {
    struct transformer *transformer;
    memset(report, 0, sizeof *report);
    if (!model_config_load(&report->config, path, error) || !check_index(path, error) ||
        !transformer_open(&transformer, path, error))
        return false;
    transformer_close(transformer);
    return model_describe(report, path, error);
}

// ---- tokenizer and template ----

static bool check_vocabulary(struct model_report *report, const struct tokenizer *tokenizer,
    const char *path, struct error *error) {
    report->vocabulary = tokenizer_vocabulary_size(tokenizer);
    if (report->vocabulary <= report->config.vocabulary_size) return true;
    const char *text = tokenizer_token_text(tokenizer, (int32_t)report->config.vocabulary_size);
    return error_set(error, ERROR_INVALID,
        "%s: the tokenizer has %zu tokens, and the model only %zu ('vocab_size' of config.json): "
        "the token '%.60s' and those behind it have no embedding; the tokenizer is of another "
        "model",
        path, report->vocabulary, report->config.vocabulary_size, text ? text : "");
}

static bool check_template(
    const struct chat_format *format, const char *path, struct error *error) {
    struct token_ids ids = {0};
    json_t *chat = json_pack("[{s:s, s:s}]", "role", "user", "content", "Hello");
    bool ok = chat ? chat_format_prompt(format, chat, &ids, error)
                   : memory_error(error, "a chat to try the template with");
    if (ok && !ids.count)
        ok = error_set(error, ERROR_INVALID, "its chat template makes nothing of a chat");
    token_ids_free(&ids);
    json_decref(chat);
    return ok || error_prefix(error, "%s", path);
}

// A template that answers well may still hide which tokens an answer is made of.
static void try_training(struct model_report *report, const struct chat_format *format) {
    struct chat_example example = {0};
    struct error error = {0};
    json_t *messages = json_pack("[{s:s, s:s}, {s:s, s:s}]", "role", "user", "content", "Hello",
        "role", "assistant", "content", "Good day.");
    struct chat chat = {.messages = messages, .time = chat_time_now()};
    if (messages && !chat_make_example(format, &chat, 0, &example, &error))
        snprintf(report->no_training, sizeof report->no_training, "%.500s", error.message);
    else if (example.endless)
        snprintf(report->no_training, sizeof report->no_training,
            "its template ends an answer with no token that the model stops at "
            "('eos_token_id' of generation_config.json)");
    chat_example_free(&example);
    json_decref(messages);
}

bool model_check_chat(struct model_report *report, const char *path, struct error *error) {
    struct chat_format *format;
    if (!chat_format_open(&format, path, error)) return false;
    report->has_template = chat_format_has_template(format);
    report->no_training[0] = 0;
    bool ok = check_vocabulary(report, chat_format_tokenizer(format), path, error) &&
              (!report->has_template || check_template(format, path, error));
    if (ok && report->has_template) try_training(report, format);
    chat_format_close(format);
    return ok;
}

bool model_check(struct model_report *report, const char *path, struct error *error) {
    return model_check_weights(report, path, error) && model_check_chat(report, path, error);
}
