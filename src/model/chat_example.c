// Chats as tokens. Which tokens are an answer is found from the structure of the chat, never by
// looking for texts: the template is rendered up to before an answer (with its opening) and up to
// behind it, and what lies between is the answer.
#include "model/chat_example.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/chat_template.h"
#include "model/gguf.h"
#include "model/model_config.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG = 16 << 20, MAX_TEMPLATE = 1 << 20, MAX_MESSAGES = 4096, MAX_ENDS = 16 };

struct chat_format {
    struct tokenizer *tokenizer;
    struct chat_template *template; // NULL: the model has none
    json_t *constants;              // bos_token and the like
    int32_t ends[MAX_ENDS];
    size_t end_count;
    int32_t text_begin; // around a plain text; -1 for none
    int32_t text_end;
};

// ---- opening ----

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

static bool parse_template(struct chat_format *format, const char *text, size_t length,
    const char *path, struct error *error) {
    return chat_template_parse(&format->template, text, length, error) ||
           error_prefix(error, "%s", path);
}

static bool read_template_file(struct chat_format *format, const char *path, struct error *error) {
    char *text;
    size_t length;
    if (!file_read(path, MAX_TEMPLATE, &text, &length, error)) return false;
    bool ok = parse_template(format, text, length, path, error);
    memory_free(text);
    return ok;
}

// The template in tokenizer_config.json: a text, or a list of named ones, of which "default"
// counts.
static const json_t *find_template(const json_t *config) {
    const json_t *template = json_object_get(config, "chat_template");
    for (size_t i = 0; i < json_array_size(template); i++) {
        const json_t *row = json_array_get(template, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        if (name && !strcmp(name, "default")) return json_object_get(row, "template");
    }
    return template;
}

static bool open_template(
    struct chat_format *format, const char *directory, const json_t *config, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!file_path(path, sizeof path, error, directory, "chat_template.jinja")) return false;
    if (file_exists(path)) return read_template_file(format, path, error);
    const json_t *template = find_template(config);
    if (!json_is_string(template)) return true;
    return parse_template(
        format, json_string_value(template), json_string_length(template), directory, error);
}

// A special token of tokenizer_config.json: its text, or an object with its "content".
static const char *token_text(const json_t *config, const char *name) {
    const json_t *token = json_object_get(config, name);
    return json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
}

static bool read_constants(struct chat_format *format, const json_t *config, struct error *error) {
    static const char *const names[] = {"bos_token", "eos_token", "pad_token", "unk_token"};
    format->constants = json_pack("{s:n, s:n}", "tools", "documents");
    bool ok = format->constants != NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && ok; i++) {
        const char *text = token_text(config, names[i]);
        ok = !text || !json_object_set_new(format->constants, names[i], json_string(text));
    }
    return ok || memory_error(error, "special tokens");
}

static void add_end(struct chat_format *format, int32_t id) {
    if (id >= 0 && !chat_format_ends(format, id) && format->end_count < MAX_ENDS)
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

bool chat_format_open(struct chat_format **format, const char *directory, struct error *error) {
    json_t *config = NULL;
    struct chat_format *made = memory_alloc_zeroed(1, sizeof *made);
    *format = NULL;
    if (!made) return memory_error(error, "a chat format");
    bool ok = tokenizer_open(&made->tokenizer, directory, error) &&
              read_config(&config, directory, error) && read_constants(made, config, error) &&
              open_template(made, directory, config, error) &&
              read_ends(made, directory, config, error);
    json_decref(config);
    if (!ok) {
        chat_format_close(made);
        return false;
    }
    *format = made;
    return true;
}

bool chat_format_has_template(const struct chat_format *format) {
    return format->template != NULL;
}

void chat_format_close(struct chat_format *format) {
    if (!format) return;
    tokenizer_close(format->tokenizer);
    chat_template_free(format->template);
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

// ---- messages ----

static const char *plain_role(const char *role) {
    static const char *const roles[][2] = {{"system", "system"}, {"developer", "system"},
        {"user", "user"}, {"assistant", "assistant"}, {"tool", "tool"}};
    for (size_t i = 0; role && i < sizeof roles / sizeof *roles; i++)
        if (!strcmp(role, roles[i][0])) return roles[i][1];
    return NULL;
}

static bool is_text_part(const json_t *part) {
    const char *type = json_string_value(json_object_get(part, "type"));
    return type && !strcmp(type, "text") && json_is_string(json_object_get(part, "text"));
}

static bool check_content(const json_t *message, size_t number, struct error *error) {
    const json_t *content = json_object_get(message, "content");
    if (json_object_get(message, "tool_calls") || json_object_get(message, "function_call"))
        return error_set(error, ERROR_INVALID,
            "message %zu calls a tool, which cannot be trained on yet; write the call as text in "
            "\"content\", or leave the example out",
            number);
    if (!json_is_string(content) && !json_is_array(content))
        return error_set(error, ERROR_INVALID,
            "message %zu has no \"content\" that is a text; give it one, as in {\"role\": "
            "\"user\", "
            "\"content\": \"Hello\"}",
            number);
    for (size_t i = 0; i < json_array_size(content); i++)
        if (!is_text_part(json_array_get(content, i)))
            return error_set(error, ERROR_INVALID,
                "message %zu has content that is not text; only {\"type\": \"text\", \"text\": …} "
                "parts can be trained on",
                number);
    return true;
}

static bool check_message(
    const json_t *message, size_t number, bool *answers, struct error *error) {
    if (!json_is_object(message))
        return error_set(error, ERROR_INVALID,
            "message %zu is not an object; write {\"role\": …, \"content\": …}", number);
    const json_t *role = json_object_get(message, "role");
    if (!json_is_string(role))
        return error_set(error, ERROR_INVALID,
            "message %zu has no \"role\"; it must be system, user or assistant", number);
    const char *plain = plain_role(json_string_value(role));
    if (!plain)
        return error_set(error, ERROR_INVALID,
            "message %zu has the unknown role \"%.40s\"; it must be system, user or assistant",
            number, json_string_value(role));
    if (!check_content(message, number, error)) return false;
    const json_t *weight = json_object_get(message, "weight");
    if (weight && !(json_is_integer(weight) && (json_integer_value(weight) & ~1) == 0))
        return error_set(
            error, ERROR_INVALID, "message %zu has a \"weight\" that is neither 0 nor 1", number);
    if (!strcmp(plain, "assistant") && (!weight || json_integer_value(weight))) *answers = true;
    return true;
}

bool chat_messages_check(const json_t *messages, struct error *error) {
    bool answers = false;
    if (!json_is_array(messages))
        return error_set(error, ERROR_INVALID,
            "\"messages\" is not a list; write {\"messages\": [{\"role\": …, \"content\": …}, …]}");
    size_t count = json_array_size(messages);
    if (!count || count > MAX_MESSAGES)
        return error_set(error, ERROR_INVALID,
            "\"messages\" has %zu messages; an example has 1 to %d", count, MAX_MESSAGES);
    for (size_t i = 0; i < count; i++)
        if (!check_message(json_array_get(messages, i), i + 1, &answers, error)) return false;
    return answers ||
           error_set(error, ERROR_INVALID,
               "no assistant message to learn from; add {\"role\": \"assistant\", \"content\": the "
               "answer you want} (and not with \"weight\": 0 everywhere)");
}

static json_t *joined_parts(const json_t *content) {
    size_t length = 0, at = 0;
    for (size_t i = 0; i < json_array_size(content); i++)
        length += json_string_length(json_object_get(json_array_get(content, i), "text"));
    char *text = memory_alloc(length + 1);
    for (size_t i = 0; text && i < json_array_size(content); i++) {
        const json_t *part = json_object_get(json_array_get(content, i), "text");
        memcpy(text + at, json_string_value(part), json_string_length(part));
        at += json_string_length(part);
    }
    json_t *joined = text ? json_stringn(text, length) : NULL;
    memory_free(text);
    return joined;
}

// Messages as templates know them: a plain role and a text. NULL if memory is short.
static json_t *plain_messages(const json_t *messages) {
    json_t *plain = json_array();
    for (size_t i = 0; plain && i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        json_t *content = json_object_get(message, "content");
        const char *role = plain_role(json_string_value(json_object_get(message, "role")));
        json_t *text = json_is_array(content) ? joined_parts(content) : json_incref(content);
        json_t *row = json_pack("{s:s, s:o}", "role", role ? role : "user", "content", text);
        if (!row || json_array_append_new(plain, row)) {
            json_decref(plain);
            plain = NULL;
        }
    }
    return plain;
}

// ---- rendering ----

// The first `count` of `messages`.
static bool render(const struct chat_format *format, const json_t *messages, size_t count,
    bool opening, struct chat_text *text, struct error *error) {
    if (!format->template)
        return error_set(error, ERROR_UNSUPPORTED,
            "the model has no chat template (chat_template in tokenizer_config.json); take an "
            "instruct model, or add one");
    json_t *some = json_array();
    for (size_t i = 0; some && i < count; i++)
        if (json_array_append(some, json_array_get(messages, i))) {
            json_decref(some);
            some = NULL;
        }
    json_t *variables =
        json_pack("{s:o, s:b}", "messages", some, "add_generation_prompt", (int)opening);
    if (!variables) return memory_error(error, "a chat");
    // Without a date: the same chat is the same tokens tomorrow, in training and in answers.
    bool ok = chat_template_render(format->template, format->constants, variables, 0, text, error);
    json_decref(variables);
    return ok;
}

static bool encode_part(const struct chat_format *format, const struct chat_text *text, size_t from,
    size_t to, struct token_ids *ids, struct error *error) {
    return tokenizer_encode_marked(
        format->tokenizer, text->text + from, text->from_data + from, to - from, ids, error);
}

bool chat_format_prompt(const struct chat_format *format, const json_t *messages,
    struct token_ids *ids, struct error *error) {
    struct chat_text text = {0};
    json_t *plain = plain_messages(messages);
    if (!plain) return memory_error(error, "a chat");
    bool ok = render(format, plain, json_array_size(plain), true, &text, error) &&
              encode_part(format, &text, 0, text.length, ids, error);
    chat_text_free(&text);
    json_decref(plain);
    return ok;
}

// ---- examples ----

void chat_example_free(struct chat_example *example) {
    token_ids_free(&example->tokens);
    memory_free(example->weights);
    memset(example, 0, sizeof *example);
}

// Weights for the tokens from `from` on.
static bool weigh(struct chat_example *example, size_t from, float weight, struct error *error) {
    size_t count = example->tokens.count;
    if (count > example->weight_capacity) {
        float *grown = memory_resize(example->weights, count * 2, sizeof *grown);
        if (!grown) return memory_error(error, "an example");
        example->weights = grown;
        example->weight_capacity = count * 2;
    }
    for (size_t i = from; i < count; i++)
        example->weights[i] = weight;
    return true;
}

static void finish(struct chat_example *example) {
    example->trained = 0;
    if (example->tokens.count) example->weights[0] = 0;
    for (size_t i = 0; i < example->tokens.count; i++)
        example->trained += example->weights[i] > 0;
}

// One run of making an example.
struct making {
    const struct chat_format *format;
    const json_t *messages; // plain
    struct chat_text whole;
    size_t done; // bytes of it that are tokens already
    float prompt_weight;
    struct chat_example *example;
    struct error *error;
};

static bool starts_with(const struct chat_text *whole, const struct chat_text *part) {
    return part->length <= whole->length && !memcmp(whole->text, part->text, part->length);
}

// Where the whole text stands once the first `count` messages are said.
static bool position(struct making *m, size_t count, bool opening, size_t *at) {
    struct chat_text part;
    if (!render(m->format, m->messages, count, opening, &part, m->error)) return false;
    bool ok = starts_with(&m->whole, &part) && part.length >= m->done;
    *at = part.length;
    chat_text_free(&part);
    return ok || error_set(m->error, ERROR_UNSUPPORTED,
                     "the model's chat template writes message %zu in another way once the chat "
                     "goes on, so "
                     "that its answer cannot be told apart; split the chat so that each example "
                     "ends there",
                     count + (opening ? 1 : 0));
}

static bool add_prompt(struct making *m, size_t to) {
    size_t from = m->example->tokens.count;
    bool ok = encode_part(m->format, &m->whole, m->done, to, &m->example->tokens, m->error) &&
              weigh(m->example, from, m->prompt_weight, m->error);
    m->done = to;
    return ok;
}

// An answer counts up to its end-of-turn token; what a template puts behind that is prompt again.
static bool add_answer(struct making *m, size_t to, bool counts) {
    const struct token_ids *tokens = &m->example->tokens;
    size_t from = tokens->count;
    if (!encode_part(m->format, &m->whole, m->done, to, &m->example->tokens, m->error) ||
        !weigh(m->example, from, counts ? 1 : m->prompt_weight, m->error))
        return false;
    m->done = to;
    size_t end = tokens->count;
    while (end > from && !chat_format_ends(m->format, tokens->ids[end - 1]))
        end--;
    for (size_t i = end; end > from && i < tokens->count; i++)
        m->example->weights[i] = m->prompt_weight;
    return true;
}

static bool add_turns(struct making *m, const json_t *messages) {
    size_t count = json_array_size(messages);
    for (size_t i = 0; i < count; i++) {
        size_t at;
        const char *role =
            json_string_value(json_object_get(json_array_get(m->messages, i), "role"));
        const json_t *weight = json_object_get(json_array_get(messages, i), "weight");
        if (strcmp(role, "assistant")) continue;
        if (!position(m, i, true, &at) || !add_prompt(m, at)) return false;
        at = m->whole.length;
        if (i + 1 < count && !position(m, i + 1, false, &at)) return false;
        if (!add_answer(m, at, !weight || json_integer_value(weight))) return false;
    }
    return add_prompt(m, m->whole.length);
}

bool chat_format_example(const struct chat_format *format, const json_t *messages,
    float prompt_weight, struct chat_example *example, struct error *error) {
    struct making making = {.format = format,
        .messages = plain_messages(messages),
        .prompt_weight = prompt_weight,
        .example = example,
        .error = error};
    example->tokens.count = 0;
    if (!making.messages) return memory_error(error, "a chat");
    bool ok =
        render(format, making.messages, json_array_size(messages), false, &making.whole, error) &&
        add_turns(&making, messages);
    if (ok) finish(example);
    chat_text_free(&making.whole);
    json_decref((json_t *)making.messages);
    return ok;
}

bool chat_format_text(const struct chat_format *format, const char *text, size_t length,
    float weight, struct chat_example *example, struct error *error) {
    struct token_ids *tokens = &example->tokens;
    tokens->count = 0;
    if ((format->text_begin >= 0 && !token_ids_append(tokens, &format->text_begin, 1, error)) ||
        !tokenizer_encode(format->tokenizer, text, length, false, tokens, error) ||
        (format->text_end >= 0 && !token_ids_append(tokens, &format->text_end, 1, error)) ||
        !weigh(example, 0, weight, error))
        return false;
    finish(example);
    return true;
}
