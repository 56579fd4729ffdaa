#include "model/model_export.h"
#include "base/file.h"
#include "base/memory.h"
#include "compute/quantized.h"
#include "model/adapter_file.h"
#include "model/export_internal.h"
#include "model/gguf.h"
#include <math.h>

enum { MAX_JSON = 256 << 20, MAX_TEMPLATE = 1 << 20, PIECE = 1 << 18 };

// ---- the base model's files ----

static bool read_json(
    json_t **object, const char *directory, const char *name, bool optional, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    json_error_t fault;
    if (!file_path(path, sizeof path, error, directory, name)) return false;
    if (optional && !file_exists(path)) {
        *object = json_object();
        return *object || memory_error(error, name);
    }
    if (!file_read(path, MAX_JSON, &text, &length, error)) return false;
    *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    memory_free(text);
    if (*object) return true;
    return error_set(error, ERROR_INVALID, "%s, line %d: %s", path, fault.line, fault.text);
}

// The adapter's comes first; then one in a file of its own; else the one in tokenizer_config.json,
// of a list of them the one named "default".
static bool read_template(
    struct export_files *files, const char *model, const char *adapter, struct error *error) {
    char path[FILE_PATH_SIZE];
    size_t length, i;
    json_t *each;
    if (adapter && file_path(path, sizeof path, NULL, adapter, ADAPTER_TEMPLATE_FILE) &&
        file_exists(path))
        return file_read(path, MAX_TEMPLATE, &files->chat_template, &length, error);
    if (file_path(path, sizeof path, NULL, model, "chat_template.jinja") && file_exists(path))
        return file_read(path, MAX_TEMPLATE, &files->chat_template, &length, error);
    const json_t *template = json_object_get(files->tokenizer_config, "chat_template");
    json_array_foreach(template, i, each) {
        const char *name = json_string_value(json_object_get(each, "name"));
        if (name && !strcmp(name, "default")) {
            template = json_object_get(each, "template");
            break;
        }
    }
    if (!json_is_string(template)) return true;
    files->chat_template = memory_copy_string(json_string_value(template));
    return files->chat_template || memory_error(error, "the chat template");
}

bool export_files_read(
    struct export_files *files, const struct export_source *source, struct error *error) {
    const char *model = source->model;
    char gguf[FILE_PATH_SIZE];
    *files = (struct export_files){0};
    bool ok =
        gguf_find(gguf, sizeof gguf, model)
            ? gguf_config(&files->config, gguf, error) &&
                  gguf_tokenizer(&files->tokenizer, gguf, error) &&
                  gguf_tokenizer_config(&files->tokenizer_config, gguf, error)
            : read_json(&files->config, model, "config.json", false, error) &&
                  read_json(&files->tokenizer, model, "tokenizer.json", false, error) &&
                  read_json(&files->tokenizer_config, model, "tokenizer_config.json", true, error);
    if (ok && read_template(files, model, source->adapter, error)) return true;
    export_files_free(files);
    return false;
}

void export_files_free(struct export_files *files) {
    json_decref(files->config);
    json_decref(files->tokenizer);
    json_decref(files->tokenizer_config);
    memory_free(files->chat_template);
    *files = (struct export_files){0};
}

int64_t export_token_id(const struct export_files *files, const char *field) {
    const json_t *token = json_object_get(files->tokenizer_config, field), *added, *each;
    if (json_is_object(token)) token = json_object_get(token, "content");
    const char *text = json_string_value(token);
    size_t i;
    if (!text) return -1;
    added = json_object_get(files->tokenizer, "added_tokens");
    json_array_foreach(added, i, each) {
        const char *content = json_string_value(json_object_get(each, "content"));
        if (content && !strcmp(content, text))
            return json_integer_value(json_object_get(each, "id"));
    }
    const json_t *model = json_object_get(files->tokenizer, "model");
    const json_t *id = json_object_get(json_object_get(model, "vocab"), text);
    return json_is_integer(id) ? json_integer_value(id) : -1;
}

// ---- merged tensors ----

uint64_t export_tensor_bytes(const struct merged_tensor *tensor, enum data_type type) {
    return data_type_bytes(type, tensor->rows * tensor->columns);
}

static bool encode(const struct merged_tensor *tensor, enum data_type type, const float *values,
    size_t count, void *bytes, struct error *error) {
    if (type == DATA_Q8_0)
        q8_0_quantize(values, count, bytes);
    else
        data_type_table[type].from_f32(bytes, values, count);
    if (type != DATA_F16 && type != DATA_Q8_0) return true;
    float most = type == DATA_F16 ? 65519.0f : 65504.0f * 127.0f;
    for (size_t i = 0; i < count; i++)
        if (isfinite(values[i]) && fabsf(values[i]) > most)
            return error_set(error, ERROR_UNSUPPORTED,
                "the tensor '%s' holds %g, which %s cannot: export as f32 or bf16", tensor->name,
                (double)values[i], data_type_table[type].name);
    return true;
}

static bool write_pieces(const struct merged_weights *weights, size_t index, bool interleaved,
    enum data_type type, export_sink sink, void *context, struct export_progress *progress,
    float *values, void *bytes, struct error *error) {
    const struct merged_tensor *tensor = merged_weights_at(weights, index);
    size_t at_once = tensor->columns < PIECE ? PIECE / tensor->columns : 1;
    for (size_t row = 0; row < tensor->rows; row += at_once) {
        size_t rows = tensor->rows - row < at_once ? tensor->rows - row : at_once;
        for (size_t i = 0; i < rows; i++)
            merged_weights_row(weights, index, row + i, interleaved, values + i * tensor->columns);
        size_t count = rows * tensor->columns, length = data_type_bytes(type, count);
        if (!encode(tensor, type, values, count, bytes, error) ||
            !sink(context, bytes, length, error))
            return false;
        progress->done += length;
        if (progress->options->progress)
            progress->options->progress(
                progress->options->context, progress->done, progress->total);
    }
    return true;
}

bool export_tensor(const struct merged_weights *weights, size_t index, bool interleaved,
    enum data_type type, export_sink sink, void *context, struct export_progress *progress,
    struct error *error) {
    size_t columns = merged_weights_at(weights, index)->columns;
    size_t most = columns < PIECE ? PIECE : columns;
    float *values = memory_alloc_array(most, sizeof *values);
    void *bytes = memory_alloc_array(most, sizeof(float));
    bool ok = (values && bytes) || memory_error(error, "a row of weights");
    ok = ok && write_pieces(weights, index, interleaved, type, sink, context, progress, values,
                   bytes, error);
    memory_free(values);
    memory_free(bytes);
    return ok;
}

// ---- peft ----

bool export_peft(const struct export_source *source, const char *directory,
    struct export_options *options, struct error *error) {
    struct model_config config;
    struct lora *lora;
    *options->note = 0;
    if (!source->adapter)
        return error_set(error, ERROR_INVALID, "%s is a base model: there is no adapter to export",
            source->name);
    if (!model_config_load(&config, source->model, error) ||
        !adapter_file_load(&lora, &config, source->adapter, error))
        return false;
    bool ok = adapter_file_save(lora, directory, source->name, error) &&
              adapter_file_copy_template(source->adapter, directory, error);
    lora_free(lora);
    return ok;
}
