// A tokenizer.json as a GGUF file's tokenizer. llama.cpp knows pre-tokenizers by name only; where
// it has none that does what the model's does, the nearest is named, the reader is told, and the
// whole tokenizer.json goes into the file as well, for readers that take it (this program does).
#include "base/buffer.h"
#include "base/memory.h"
#include "model/export_gguf.h"
#include "model/gguf_layout.h"
#include "model/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>

enum { MAX_SIGNATURE = 1 << 16, MAX_DEPTH = 8, PADDING_SIZE = 32 };

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

#define KEY "tokenizer.ggml."

struct gguf_vocabulary {
    const struct export_files *files;
    struct gguf_writer *writer;
    size_t count;
    const char **texts;
    int32_t *types;
    float *scores;
    char (*padding)[PADDING_SIZE]; // texts of ids that the tokenizer does not have
    bool sentencepiece;
    struct error *error;
};

static const json_t *model_of(const struct gguf_vocabulary *v) {
    return json_object_get(v->files->tokenizer, "model");
}

// ---- pre-tokenizers ----

// What a normalizer or pre-tokenizer does, as a text: equal for those that do the same.
static void sign(struct buffer *text, const json_t *part, int depth) {
    static const char *const fields[] = {"pattern", "behavior", "individual_digits",
        "add_prefix_space", "use_regex", "prepend", "content", "prepend_scheme", "replacement"};
    const char *type = json_string_value(json_object_get(part, "type"));
    json_t *each;
    size_t i;
    if (!type || depth == MAX_DEPTH) return;
    if (!strcmp(type, "Sequence")) {
        json_array_foreach(json_object_get(part, "pretokenizers"), i, each)
            sign(text, each, depth + 1);
        json_array_foreach(json_object_get(part, "normalizers"), i, each)
            sign(text, each, depth + 1);
        return;
    }
    buffer_append_text(text, type);
    for (i = 0; i < sizeof fields / sizeof *fields; i++) {
        const json_t *value = json_object_get(part, fields[i]);
        if (!value || json_is_null(value)) continue;
        char *said = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        buffer_append_format(text, " %s=%s", fields[i], said ? said : "");
        free(said);
    }
    buffer_append_char(text, '\n');
}

static bool does_the_same(const json_t *part, const char *json) {
    struct buffer first, second;
    json_t *other = json_loads(json, JSON_DECODE_ANY, NULL);
    buffer_init(&first, MAX_SIGNATURE);
    buffer_init(&second, MAX_SIGNATURE);
    sign(&first, part, 0);
    sign(&second, other, 0);
    bool same = !first.failed && !strcmp(buffer_text(&first), buffer_text(&second));
    buffer_free(&first);
    buffer_free(&second);
    json_decref(other);
    return same;
}

static const struct gguf_pre_tokenizer *find_pre_tokenizer(const struct gguf_vocabulary *v) {
    const json_t *pre = json_object_get(v->files->tokenizer, "pre_tokenizer");
    bool ignore = json_is_true(json_object_get(model_of(v), "ignore_merges"));
    const struct gguf_pre_tokenizer *each;
    for (size_t i = 0; (each = gguf_pre_tokenizer_at(i)); i++)
        if (each->ignore_merges == ignore && does_the_same(pre, each->json)) return each;
    return NULL;
}

// ---- tokens ----

static bool set_token(struct gguf_vocabulary *v, const char *text, json_int_t id, int32_t type) {
    if (id < 0 || (uint64_t)id >= v->count)
        return error_set(v->error, ERROR_INVALID,
            "the token '%.100s' has the id %lld; the model's vocabulary has %zu", text,
            (long long)id, v->count);
    v->texts[id] = text;
    v->types[id] = type;
    return true;
}

static bool is_byte(const char *text) {
    unsigned value;
    char end;
    return strlen(text) == 6 && sscanf(text, "<0x%2X%c", &value, &end) == 2 && end == '>';
}

static bool set_tokens(struct gguf_vocabulary *v) {
    json_t *vocab = json_object_get(model_of(v), "vocab"), *id, *each;
    const char *text, *unknown = json_string_value(json_object_get(model_of(v), "unk_token"));
    size_t i;
    json_object_foreach(vocab, text, id) {
        int32_t type = v->sentencepiece && is_byte(text) ? BYTE : NORMAL;
        if (!set_token(v, text, json_integer_value(id), type)) return false;
    }
    json_array_foreach(json_object_get(v->files->tokenizer, "added_tokens"), i, each) {
        bool special = json_is_true(json_object_get(each, "special"));
        text = json_string_value(json_object_get(each, "content"));
        if (text && !set_token(v, text, json_integer_value(json_object_get(each, "id")),
                        special ? CONTROL : USER_DEFINED))
            return false;
    }
    const json_t *unknown_id = unknown ? json_object_get(vocab, unknown) : NULL;
    return !unknown_id || set_token(v, unknown, json_integer_value(unknown_id), UNKNOWN);
}

static void fill_gaps(struct gguf_vocabulary *v) {
    for (size_t i = 0; i < v->count; i++) {
        if (v->texts[i]) continue;
        snprintf(v->padding[i], PADDING_SIZE, "[PAD%zu]", i);
        v->texts[i] = v->padding[i];
        v->types[i] = UNUSED;
    }
}

// ---- merges ----

static const char *merge_text(const json_t *merge, struct buffer *joined) {
    if (json_is_string(merge)) return json_string_value(merge);
    const char *left = json_string_value(json_array_get(merge, 0));
    const char *right = json_string_value(json_array_get(merge, 1));
    buffer_clear(joined);
    if (left && right) buffer_append_format(joined, "%s %s", left, right);
    return left && right ? buffer_text(joined) : NULL;
}

static bool write_merges(struct gguf_vocabulary *v) {
    const json_t *merges = json_object_get(model_of(v), "merges"), *each;
    size_t count = json_array_size(merges), i;
    char **texts = memory_alloc_zeroed(count + 1, sizeof *texts);
    struct buffer joined;
    bool ok = texts || memory_error(v->error, "the merges");
    buffer_init(&joined, 1 << 20);
    json_array_foreach(merges, i, each) {
        const char *text = ok ? merge_text(each, &joined) : NULL;
        ok = text && (texts[i] = memory_copy_string(text));
        if (!ok) break;
    }
    if (ok)
        gguf_writer_texts(v->writer, KEY "merges", (const char *const *)texts, count);
    else
        error_set(v->error, ERROR_INVALID, "tokenizer.json: a merge is not a pair");
    for (i = 0; texts && i < count; i++)
        memory_free(texts[i]);
    memory_free(texts);
    buffer_free(&joined);
    return ok;
}

// sentencepiece joins the pair whose result has the best score: that of a token is how early the
// first merge that makes it comes.
static bool set_scores(struct gguf_vocabulary *v) {
    const json_t *merges = json_object_get(model_of(v), "merges"), *each;
    json_t *vocab = json_object_get(model_of(v), "vocab");
    struct buffer joined;
    size_t i;
    bool ok = true;
    float worst = -(float)json_array_size(merges) - 1;
    for (i = 0; i < v->count; i++)
        v->scores[i] = v->types[i] == NORMAL ? worst : 0;
    buffer_init(&joined, 1 << 20);
    json_array_foreach(merges, i, each) {
        const char *text = merge_text(each, &joined);
        const char *space = text ? strchr(text, ' ') : NULL;
        char *whole = space ? memory_format("%.*s%s", (int)(space - text), text, space + 1) : NULL;
        const json_t *id = whole ? json_object_get(vocab, whole) : NULL;
        memory_free(whole);
        ok = id && (uint64_t)json_integer_value(id) < v->count;
        if (!ok) break;
        float *score = &v->scores[json_integer_value(id)];
        if (*score == worst) *score = -(float)i;
    }
    buffer_free(&joined);
    return ok || error_set(v->error, ERROR_INVALID,
                     "tokenizer.json: merge %zu does not make a token of the vocabulary", i);
}

// ---- special tokens and the rest ----

static void write_id(const struct gguf_vocabulary *v, const char *key, int64_t id) {
    if (id >= 0 && (uint64_t)id < v->count) gguf_writer_uint32(v->writer, key, (uint32_t)id);
}

// Of a list of end tokens in the config, the first.
static int64_t config_id(const struct gguf_vocabulary *v, const char *field) {
    const json_t *id = json_object_get(v->files->config, field);
    if (json_is_array(id)) id = json_array_get(id, 0);
    return json_is_integer(id) ? json_integer_value(id) : -1;
}

static void write_special(const struct gguf_vocabulary *v) {
    int64_t bos = export_token_id(v->files, "bos_token");
    int64_t eos = export_token_id(v->files, "eos_token");
    write_id(v, KEY "bos_token_id", bos >= 0 ? bos : config_id(v, "bos_token_id"));
    write_id(v, KEY "eos_token_id", eos >= 0 ? eos : config_id(v, "eos_token_id"));
    write_id(v, KEY "padding_token_id", export_token_id(v->files, "pad_token"));
    for (size_t i = 0; i < v->count; i++)
        if (v->types[i] == UNKNOWN) write_id(v, KEY "unknown_token_id", (int64_t)i);
    if (v->files->chat_template)
        gguf_writer_text(v->writer, "tokenizer.chat_template", v->files->chat_template);
}

static bool write_add_bos(const struct gguf_vocabulary *v) {
    struct tokenizer *tokenizer;
    if (!tokenizer_from_json(&tokenizer, v->files->tokenizer, v->error)) return false;
    int32_t bos = tokenizer_bos(tokenizer);
    tokenizer_close(tokenizer);
    gguf_writer_bool(v->writer, KEY "add_bos_token", bos >= 0);
    if (bos >= 0 && export_token_id(v->files, "bos_token") < 0 && config_id(v, "bos_token_id") < 0)
        write_id(v, KEY "bos_token_id", bos);
    return true;
}

static bool write_whole(const struct gguf_vocabulary *v) {
    char *text = json_dumps(v->files->tokenizer, JSON_COMPACT);
    if (!text) return memory_error(v->error, "a tokenizer");
    gguf_writer_text(v->writer, "tokenizer.huggingface.json", text);
    free(text);
    return true;
}

static bool adds_space(const struct gguf_vocabulary *v) {
    struct buffer text;
    buffer_init(&text, MAX_SIGNATURE);
    sign(&text, json_object_get(v->files->tokenizer, "normalizer"), 0);
    sign(&text, json_object_get(v->files->tokenizer, "pre_tokenizer"), 0);
    const char *said = buffer_text(&text);
    bool adds = strstr(said, "Prepend ") || strstr(said, "prepend_scheme=\"always\"") ||
                strstr(said, "prepend_scheme=\"first\"") || strstr(said, "add_prefix_space=true");
    buffer_free(&text);
    return adds;
}

// ---- the two kinds ----

static bool write_sentencepiece(struct gguf_vocabulary *v) {
    if (!set_scores(v)) return false;
    gguf_writer_text(v->writer, KEY "model", "llama");
    gguf_writer_text(v->writer, KEY "pre", "default");
    gguf_writer_floats(v->writer, KEY "scores", v->scores, v->count);
    gguf_writer_bool(v->writer, KEY "add_space_prefix", adds_space(v));
    return write_whole(v); // scores do not tell which of two ways to one token is a merge
}

static bool write_byte_level(struct gguf_vocabulary *v, char *note, size_t note_size) {
    const struct gguf_pre_tokenizer *pre = find_pre_tokenizer(v);
    gguf_writer_text(v->writer, KEY "model", "gpt2");
    gguf_writer_text(v->writer, KEY "pre", pre ? pre->name : GGUF_NEAREST_PRE_TOKENIZER);
    if (!write_merges(v)) return false;
    bool exact =
        pre && does_the_same(json_object_get(v->files->tokenizer, "normalizer"), pre->normalizer);
    if (!pre)
        snprintf(note, note_size,
            "llama.cpp has no pre-tokenizer that cuts text as this model's does: there, "
            "'" GGUF_NEAREST_PRE_TOKENIZER
            "' will cut some texts into other tokens. temper reads the "
            "file's own tokenizer.json");
    return exact || write_whole(v);
}

static bool allocate(struct gguf_vocabulary *v) {
    v->texts = memory_alloc_zeroed(v->count, sizeof *v->texts);
    v->types = memory_alloc_zeroed(v->count, sizeof *v->types);
    v->scores = memory_alloc_zeroed(v->count, sizeof *v->scores);
    v->padding = memory_alloc_zeroed(v->count, sizeof *v->padding);
    return (v->texts && v->types && v->scores && v->padding) ||
           memory_error(v->error, "the vocabulary");
}

static bool write_vocabulary(struct gguf_vocabulary *v, char *note, size_t note_size) {
    if (!allocate(v) || !set_tokens(v)) return false;
    fill_gaps(v);
    gguf_writer_texts(v->writer, KEY "tokens", v->texts, v->count);
    gguf_writer_int32s(v->writer, KEY "token_type", v->types, v->count);
    if (!(v->sentencepiece ? write_sentencepiece(v) : write_byte_level(v, note, note_size)))
        return false;
    write_special(v);
    return write_add_bos(v);
}

bool export_gguf_tokenizer(struct gguf_writer *writer, const struct export_files *files,
    size_t vocabulary, char *note, size_t note_size, struct error *error) {
    struct gguf_vocabulary v = {
        .files = files, .writer = writer, .count = vocabulary, .error = error};
    v.sentencepiece = json_is_true(json_object_get(model_of(&v), "byte_fallback"));
    bool ok = write_vocabulary(&v, note, note_size);
    memory_free(v.texts);
    memory_free(v.types);
    memory_free(v.scores);
    memory_free(v.padding);
    return ok;
}
