// The merged model as a Hugging Face directory.
#include "base/file.h"
#include "base/memory.h"
#include "model/adapter_file.h"
#include "model/export_internal.h"
#include "model/gguf.h"
#include "model/safetensors_writer.h"
#include "model/weights_index.h"
#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 64, MAX_COPIED = 256 << 20 };

static const uint64_t standard_shard = 5000000000;

struct merged_export {
    const char *directory;
    struct merged_weights *weights;
    struct export_options *options;
    struct export_progress progress;
    size_t count;
    size_t *order;    // [count]: tensors in the order in which they are written
    size_t *shard_of; // [count]: of order[i]
    size_t shards;
    json_t *map; // of the index
};

static enum data_type type_of(const struct merged_export *e, size_t index) {
    enum data_type stored = merged_weights_at(e->weights, index)->type;
    if (e->options->type != DATA_TYPES) return e->options->type;
    return stored == DATA_TYPES ? DATA_BF16 : stored;
}

static uint64_t bytes_of(const struct merged_export *e, size_t index) {
    return export_tensor_bytes(merged_weights_at(e->weights, index), type_of(e, index));
}

// ---- which tensor in which file ----

// Larger elements first keeps all of them aligned.
static void find_order(struct merged_export *e) {
    size_t filled = 0;
    for (size_t size = sizeof(float); size; size /= 2)
        for (size_t i = 0; i < e->count; i++)
            if (data_type_table[type_of(e, i)].size == size) e->order[filled++] = i;
}

static void find_shards(struct merged_export *e) {
    uint64_t most = e->options->shard_bytes ? e->options->shard_bytes : standard_shard, used = 0;
    for (size_t i = 0; i < e->count; i++) {
        uint64_t bytes = bytes_of(e, e->order[i]);
        e->progress.total += bytes;
        if (used && used + bytes > most) {
            e->shards++;
            used = 0;
        }
        e->shard_of[i] = e->shards;
        used += bytes;
    }
    e->shards++;
}

static bool plan(struct merged_export *e, struct error *error) {
    e->count = merged_weights_count(e->weights);
    e->order = memory_alloc_array(e->count, sizeof *e->order);
    e->shard_of = memory_alloc_array(e->count, sizeof *e->shard_of);
    if (!e->order || !e->shard_of) return memory_error(error, "the table of tensors");
    find_order(e);
    find_shards(e);
    return true;
}

// ---- files of weights ----

static void shard_name(const struct merged_export *e, size_t shard, char name[NAME_SIZE]) {
    if (e->shards == 1)
        snprintf(name, NAME_SIZE, "model.safetensors");
    else
        snprintf(name, NAME_SIZE, "model-%05zu-of-%05zu.safetensors", shard + 1, e->shards);
}

static bool append(void *context, const void *bytes, size_t length, struct error *error) {
    return safetensors_writer_append(context, bytes, length, error);
}

static size_t fill_entries(
    const struct merged_export *e, size_t first, struct safetensors_entry *entries) {
    size_t count = 0;
    for (size_t i = first; i < e->count && e->shard_of[i] == e->shard_of[first]; i++, count++) {
        const struct merged_tensor *tensor = merged_weights_at(e->weights, e->order[i]);
        entries[count] = (struct safetensors_entry){tensor->name,
            data_type_table[type_of(e, e->order[i])].safetensors_name, tensor->dimensions,
            {tensor->shape[0], tensor->shape[1]}, bytes_of(e, e->order[i])};
    }
    return count;
}

static bool write_shard(struct merged_export *e, size_t first, const char *name,
    const struct safetensors_entry *entries, size_t count, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct safetensors_writer *writer;
    if (!file_path(path, sizeof path, error, e->directory, name) ||
        !safetensors_writer_open(&writer, path, entries, count, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t index = e->order[first + i];
        json_object_set_new(e->map, entries[i].name, json_string(name));
        if (!export_tensor(
                e->weights, index, false, type_of(e, index), append, writer, &e->progress, error)) {
            safetensors_writer_abandon(writer);
            return false;
        }
    }
    return safetensors_writer_finish(writer, error);
}

static bool write_shards(struct merged_export *e, struct error *error) {
    struct safetensors_entry *entries = memory_alloc_array(e->count, sizeof *entries);
    bool ok = entries || memory_error(error, "the table of tensors");
    for (size_t first = 0, count; ok && first < e->count; first += count) {
        char name[NAME_SIZE];
        count = fill_entries(e, first, entries);
        shard_name(e, e->shard_of[first], name);
        ok = write_shard(e, first, name, entries, count, error);
    }
    memory_free(entries);
    return ok;
}

// ---- the other files ----

static bool write_json(
    const char *directory, const char *name, const json_t *object, struct error *error) {
    char path[FILE_PATH_SIZE];
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(16));
    bool ok = text ? file_path(path, sizeof path, error, directory, name) &&
                         file_write_atomic(path, text, strlen(text), error)
                   : memory_error(error, name);
    free(text);
    return ok;
}

static bool write_index(const struct merged_export *e, struct error *error) {
    if (e->shards == 1) return true;
    json_t *index = json_pack("{s:{s:I}, s:O}", "metadata", "total_size",
        (json_int_t)e->progress.total, "weight_map", e->map);
    bool ok = index ? write_json(e->directory, WEIGHTS_INDEX_FILE, index, error)
                    : memory_error(error, WEIGHTS_INDEX_FILE);
    json_decref(index);
    return ok;
}

// The config says how the weights are stored; transformers 5 reads "dtype", older ones
// "torch_dtype".
static bool write_config(const struct merged_export *e, json_t *config, struct error *error) {
    static const char *const names[] = {
        [DATA_F32] = "float32", [DATA_BF16] = "bfloat16", [DATA_F16] = "float16"};
    const char *type = NULL;
    for (size_t i = 0; i < e->count && !type; i++)
        if (merged_weights_at(e->weights, i)->dimensions == 2) type = names[type_of(e, i)];
    json_object_del(config, "quantization_config");
    json_object_del(config, "temper_rope_interleaved");
    json_object_set_new(
        config, json_object_get(config, "dtype") ? "dtype" : "torch_dtype", json_string(type));
    return write_json(e->directory, "config.json", config, error);
}

static bool copy_file(const char *from, const char *to, const char *name, struct error *error) {
    char source[FILE_PATH_SIZE], target[FILE_PATH_SIZE], *bytes;
    size_t length;
    if (!file_path(source, sizeof source, error, from, name) ||
        !file_path(target, sizeof target, error, to, name))
        return false;
    if (!file_exists(source)) return true;
    if (!file_read(source, MAX_COPIED, &bytes, &length, error)) return false;
    bool ok = file_write_atomic(target, bytes, length, error);
    memory_free(bytes);
    return ok;
}

static bool copy_files(const char *from, const char *to, struct error *error) {
    static const char *const names[] = {"generation_config.json", "tokenizer.json",
        "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "chat_template.jinja", "chat_template.json", "vocab.json", "merges.txt", "tokenizer.model"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!copy_file(from, to, names[i], error)) return false;
    return true;
}

static bool write_tokenizer(
    const char *directory, const struct export_files *files, struct error *error) {
    json_t *generation =
        json_pack("{s:O?, s:O?}", "bos_token_id", json_object_get(files->config, "bos_token_id"),
            "eos_token_id", json_object_get(files->config, "eos_token_id"));
    bool ok = (generation || memory_error(error, "generation_config.json")) &&
              write_json(directory, "generation_config.json", generation, error) &&
              write_json(directory, "tokenizer.json", files->tokenizer, error) &&
              write_json(directory, "tokenizer_config.json", files->tokenizer_config, error);
    json_decref(generation);
    return ok;
}

static bool write_others(
    const struct merged_export *e, const struct export_source *source, struct error *error) {
    const char *model = source->model;
    struct export_files files;
    char gguf[FILE_PATH_SIZE];
    if (!export_files_read(&files, source, error)) return false;
    bool ok = write_config(e, files.config, error) &&
              (gguf_find(gguf, sizeof gguf, model) ? write_tokenizer(e->directory, &files, error)
                                                   : copy_files(model, e->directory, error)) &&
              adapter_file_copy_template(source->adapter, e->directory, error);
    export_files_free(&files);
    return ok;
}

bool export_merged(const struct export_source *source, const char *directory,
    struct export_options *options, struct error *error) {
    struct merged_export e = {directory, NULL, options, {options, 0, 0}};
    *options->note = 0;
    if (options->type != DATA_TYPES && !data_type_table[options->type].safetensors_name)
        return error_set(error, ERROR_INVALID,
            "a merged model is stored as f32, bf16 or f16; %s is for GGUF files",
            data_type_table[options->type].name);
    e.map = json_object();
    bool ok = (e.map || memory_error(error, WEIGHTS_INDEX_FILE)) &&
              merged_weights_open(&e.weights, source->model, source->adapter, error) &&
              plan(&e, error) && write_shards(&e, error) && write_index(&e, error) &&
              write_others(&e, source, error);
    json_decref(e.map);
    memory_free(e.order);
    memory_free(e.shard_of);
    merged_weights_close(e.weights);
    return ok;
}
