// A model's chat format: its templates, its special tokens and the tokens that end an answer, from
// the files that it came with.
#include "base/file.h"
#include "base/memory.h"
#include "model/adapter_file.h"
#include "model/chat_internal.h"
#include "model/gguf.h"
#include "model/model_config.h"
#include <string.h>

enum { MAX_CONFIG = 16 << 20, MAX_TEMPLATE = 1 << 20 };

static bool read_json(json_t **root, const char *directory, const char *name, struct error *error) {
    char path[FILE_PATH_SIZE], *content;
    size_t length;
    json_error_t fault;
    *root = NULL;
    if (!file_path(path, sizeof path, error, directory, name)) return false;
    if (!file_exists(path)) {
        *root = json_object();
        return *root || memory_error(error, name);
    }
    if (!file_read(path, MAX_CONFIG, &content, &length, error)) return false;
    // transformers writes "model_max_length": 10^30 for "none", more than a whole number holds
    // here.
    *root = json_loadb(content, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &fault);
    memory_free(content);
    if (json_is_object(*root)) return true;
    bool parsed = *root != NULL;
    json_decref(*root);
    *root = NULL;
    return parsed
               ? error_set(error, ERROR_INVALID, "%s is not a JSON object", path)
               : error_set(error, ERROR_INVALID, "%s, line %d: %s", path, fault.line, fault.text);
}

static bool read_config(json_t **config, const char *directory, struct error *error) {
    char gguf[FILE_PATH_SIZE];
    return gguf_find(gguf, sizeof gguf, directory)
               ? gguf_tokenizer_config(config, gguf, error)
               : read_json(config, directory, "tokenizer_config.json", error);
}

// ---- templates ----

static bool parse_template(struct chat_template **template, const char *text, size_t length,
    const char *path, struct error *error) {
    return chat_template_parse(template, text, length, error) || error_prefix(error, "%s", path);
}

static bool read_template_file(
    struct chat_template **template, const char *path, struct error *error) {
    char *text;
    size_t length;
    if (!file_read(path, MAX_TEMPLATE, &text, &length, error)) return false;
    bool ok = parse_template(template, text, length, path, error);
    memory_free(text);
    return ok;
}

static bool parse_json_template(
    struct chat_template **template, const json_t *text, const char *path, struct error *error) {
    return !json_is_string(text) ||
           parse_template(template, json_string_value(text), json_string_length(text), path, error);
}

// The one of that name in a list of {"name", "template"}.
static const json_t *find_named(const json_t *list, const char *wanted) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        if (name && !strcmp(name, wanted)) return json_object_get(row, "template");
    }
    return NULL;
}

// chat_template.jinja, and beside it the one for tools.
static bool open_template_files(
    struct chat_format *format, const char *path, const char *directory, struct error *error) {
    char tools[FILE_PATH_SIZE];
    return read_template_file(&format->template, path, error) &&
           file_path(
               tools, sizeof tools, error, directory, "additional_chat_templates/tool_use.jinja") &&
           (!file_exists(tools) || read_template_file(&format->for_tools, tools, error));
}

// tokenizer_config.json has a text, or a list of named ones, of which "default" counts, and
// "tool_use" where a chat has tools.
static bool open_templates(
    struct chat_format *format, const char *directory, const json_t *config, struct error *error) {
    char path[FILE_PATH_SIZE];
    const json_t *template = json_object_get(config, "chat_template");
    if (!file_path(path, sizeof path, error, directory, "chat_template.jinja")) return false;
    if (file_exists(path)) return open_template_files(format, path, directory, error);
    if (!json_is_array(template))
        return parse_json_template(&format->template, template, directory, error);
    return parse_json_template(
               &format->template, find_named(template, "default"), directory, error) &&
           parse_json_template(
               &format->for_tools, find_named(template, "tool_use"), directory, error);
}

bool chat_format_take_template(struct chat_format *format, const char *path, struct error *error) {
    struct chat_template *template = NULL;
    if (!read_template_file(&template, path, error)) return false;
    chat_template_free(format->template);
    chat_template_free(format->for_tools);
    format->template = template;
    format->for_tools = NULL;
    return true;
}

// ---- special tokens ----

// A special token of tokenizer_config.json: its text, or an object with its "content".
static const char *token_text(const json_t *config, const char *name) {
    const json_t *token = json_object_get(config, name);
    return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

// Older models name some of them in a file of its own alone.
static bool read_constants(
    struct chat_format *format, const char *directory, const json_t *config, struct error *error) {
    static const char *const names[] = {
        "bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token"};
    json_t *older;
    if (!read_json(&older, directory, "special_tokens_map.json", error)) return false;
    format->constants = json_pack("{s:n, s:n}", "tools", "documents");
    bool ok = format->constants != NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && ok; i++) {
        const char *text = token_text(config, names[i]);
        if (!text && !json_object_get(config, names[i])) text = token_text(older, names[i]);
        ok = !text || !json_object_set_new(format->constants, names[i], json_string(text));
    }
    json_decref(older);
    return ok || memory_error(error, "special tokens");
}

static void add_end(struct chat_format *format, int32_t id) {
    if (id >= 0 && !chat_format_ends(format, id) && format->end_count < CHAT_MAX_ENDS)
        format->ends[format->end_count++] = id;
}

static bool read_ends(
    struct chat_format *format, const char *directory, const json_t *config, struct error *error) {
    static const char *const text_ends[] = {"<|end_of_text|>", "<|endoftext|>", "</s>"};
    char path[FILE_PATH_SIZE];
    struct model_config model = {.bos_token = -1};
    if (!file_path(path, sizeof path, error, directory, "config.json") ||
        ((file_exists(path) || gguf_find(path, sizeof path, directory)) &&
            !model_config_load(&model, directory, error)))
        return false;
    for (size_t i = 0; i < model.eos_count; i++)
        add_end(format, model.eos_tokens[i]);
    const char *eos = token_text(config, "eos_token");
    add_end(format, eos ? tokenizer_token_id(format->tokenizer, eos) : -1);
    const char *bos = token_text(config, "bos_token");
    format->text_begin = bos ? tokenizer_token_id(format->tokenizer, bos) : model.bos_token;
    format->text_end = format->end_count ? format->ends[0] : -1;
    for (size_t i = sizeof text_ends / sizeof *text_ends; i-- > 0;) {
        int32_t id = tokenizer_token_id(format->tokenizer, text_ends[i]);
        if (id >= 0) format->text_end = id;
    }
    return true;
}

// ---- opening ----

// Whether the tokenizer puts a space before a text that has none.
static bool read_space(struct chat_format *format, struct error *error) {
    struct token_ids ids = {0};
    bool ok = tokenizer_encode(format->tokenizer, "x", 1, false, &ids, error);
    const char *first =
        ok && ids.count ? tokenizer_token_text(format->tokenizer, ids.ids[0]) : NULL;
    format->adds_space = first && !strncmp(first, "\xe2\x96\x81", 3);
    token_ids_free(&ids);
    return ok;
}

bool chat_format_open(struct chat_format **format, const char *directory, struct error *error) {
    json_t *config = NULL;
    struct chat_format *made = memory_alloc_zeroed(1, sizeof *made);
    *format = NULL;
    if (!made) return memory_error(error, "a chat format");
    bool ok = tokenizer_open(&made->tokenizer, directory, error) &&
              read_config(&config, directory, error) &&
              read_constants(made, directory, config, error) &&
              open_templates(made, directory, config, error) &&
              read_ends(made, directory, config, error) && read_space(made, error);
    json_decref(config);
    if (!ok) {
        chat_format_close(made);
        return false;
    }
    *format = made;
    return true;
}

bool chat_format_open_with(struct chat_format **format, const char *directory, const char *adapter,
    const char *template, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!template && adapter) {
        if (!file_path(path, sizeof path, error, adapter, ADAPTER_TEMPLATE_FILE)) return false;
        if (file_exists(path)) template = path;
    }
    if (!chat_format_open(format, directory, error)) return false;
    if (!template || chat_format_take_template(*format, template, error)) return true;
    chat_format_close(*format);
    *format = NULL;
    return false;
}

bool chat_format_has_template(const struct chat_format *format) {
    return format->template != NULL;
}

void chat_format_close(struct chat_format *format) {
    if (!format) return;
    tokenizer_close(format->tokenizer);
    chat_template_free(format->template);
    chat_template_free(format->for_tools);
    json_decref(format->constants);
    memory_free(format);
}

const struct tokenizer *chat_format_tokenizer(const struct chat_format *format) {
    return format->tokenizer;
}

bool chat_format_ends(const struct chat_format *format, int32_t id) {
    for (size_t i = 0; i < format->end_count; i++)
        if (format->ends[i] == id) return true;
    return false;
}
