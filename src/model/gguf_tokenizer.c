// A GGUF file's tokenizer as a tokenizer.json object: sentencepiece's BPE ("llama") with merges
// made of the scores, and byte-level BPE ("gpt2") with the pre-tokenizer that tokenizer.ggml.pre
// names. A file that holds its tokenizer.json as a whole (tokenizer.huggingface.json) is taken by
// that.
#include "base/memory.h"
#include "model/gguf_internal.h"
#include "model/gguf_layout.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_TOKENS = 1 << 22,
    MAX_MERGES = 1 << 22,
    MAX_TOKEN = 1024,
    MAX_PIECE = 256,
    MAX_TEXTS = 256 << 20
};

enum token_type {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN,
    TOKEN_CONTROL,
    TOKEN_USER,
    TOKEN_UNUSED,
    TOKEN_BYTE
};

#define KEY "tokenizer.ggml."

struct vocabulary {
    const struct gguf *file;
    size_t count;
    char **texts;   // [count]
    uint8_t *types; // [count]
    bool sentencepiece;
    struct error *error;
};

// ---- tokens ----

static bool read_types(struct vocabulary *v) {
    memset(v->types, TOKEN_NORMAL, v->count);
    if (!gguf_value_find(v->file, KEY "token_type")) return true;
    const struct gguf_value *types = gguf_array(v->file, KEY "token_type", GGUF_INT32, v->error);
    if (!types) return false;
    if (types->count != v->count)
        return error_set(v->error, ERROR_INVALID, KEY "token_type has %zu entries for %zu tokens",
            types->count, v->count);
    for (size_t i = 0; i < v->count; i++) {
        double type = gguf_element(types, i);
        if (!(type >= TOKEN_NORMAL && type <= TOKEN_BYTE))
            return error_set(v->error, ERROR_UNSUPPORTED, "token %zu is of type %g", i, type);
        v->types[i] = (uint8_t)type;
    }
    return true;
}

static bool copy_text(struct vocabulary *v, size_t id, struct gguf_text text) {
    if (text.length > MAX_TOKEN || memchr(text.bytes, 0, text.length))
        return error_set(v->error, ERROR_UNSUPPORTED,
            "token %zu is longer than %d bytes, or has a NUL in it", id, MAX_TOKEN);
    v->texts[id] = memory_copy_bytes(text.bytes, text.length);
    return v->texts[id] || memory_error(v->error, "the vocabulary");
}

static bool read_texts(struct vocabulary *v, const struct gguf_value *tokens) {
    const uint8_t *at = tokens->data;
    size_t bytes = 0;
    for (size_t i = 0; i < v->count; i++) {
        struct gguf_text text = gguf_next_text(&at);
        if (!copy_text(v, i, text)) return false;
        if ((bytes += text.length) > MAX_TEXTS)
            return error_set(v->error, ERROR_UNSUPPORTED, "a vocabulary of more than 256 MiB");
    }
    return true;
}

static bool read_model(struct vocabulary *v) {
    struct gguf_text model = {"", 0};
    if (!gguf_read_text(v->file, KEY "model", &model, v->error)) return false;
    v->sentencepiece = gguf_text_is(model, "llama");
    return v->sentencepiece || gguf_text_is(model, "gpt2") ||
           error_set(v->error, ERROR_UNSUPPORTED,
               KEY "model is '%.*s'; this version reads 'llama' and 'gpt2'",
               (int)(model.length < 64 ? model.length : 64), model.bytes);
}

static void close_vocabulary(struct vocabulary *v) {
    for (size_t i = 0; v->texts && i < v->count; i++)
        memory_free(v->texts[i]);
    memory_free(v->texts);
    memory_free(v->types);
}

static bool open_vocabulary(struct vocabulary *v) {
    const struct gguf_value *tokens = gguf_array(v->file, KEY "tokens", GGUF_STRING, v->error);
    if (!tokens) return false;
    if (!tokens->count || tokens->count > MAX_TOKENS)
        return error_set(v->error, ERROR_UNSUPPORTED, "a vocabulary of %zu tokens", tokens->count);
    v->count = tokens->count;
    v->texts = memory_alloc_zeroed(v->count, sizeof *v->texts);
    v->types = memory_alloc_zeroed(v->count, 1);
    if (!v->texts || !v->types) return memory_error(v->error, "the vocabulary");
    return read_model(v) && read_texts(v, tokens) && read_types(v);
}

// ---- special tokens ----

// The id that a key names, or -1: absent, or "none" as some writers spell it.
static bool read_id(const struct vocabulary *v, const char *key, int64_t otherwise, int64_t *id) {
    size_t value = otherwise < 0 ? UINT32_MAX : (size_t)otherwise;
    if (!gguf_read_size(v->file, key, UINT32_MAX, &value, v->error)) return false;
    *id = value < v->count ? (int64_t)value : -1;
    return value < v->count || value == UINT32_MAX ||
           error_set(v->error, ERROR_INVALID, "'%s' is %zu, of %zu tokens", key, value, v->count);
}

static bool read_bos(const struct vocabulary *v, int64_t *id) {
    return read_id(v, KEY "bos_token_id", v->sentencepiece ? 1 : -1, id);
}

static bool read_eos(const struct vocabulary *v, int64_t *id) {
    return read_id(v, KEY "eos_token_id", v->sentencepiece ? 2 : -1, id);
}

static void add_end(json_t *ends, int64_t id) {
    for (size_t i = 0; i < json_array_size(ends); i++)
        if (json_integer_value(json_array_get(ends, i)) == id) return;
    if (id >= 0 && json_array_size(ends) < 8) json_array_append_new(ends, json_integer(id));
}

// Control tokens by which models of these families end an answer: files often name just one.
static void add_known_ends(const struct vocabulary *v, json_t *ends) {
    static const char *const known[] = {
        "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end_of_text|>", "<|endoftext|>"};
    for (size_t id = 0; id < v->count; id++)
        for (size_t i = 0; v->types[id] == TOKEN_CONTROL && i < sizeof known / sizeof *known; i++)
            if (!strcmp(v->texts[id], known[i])) add_end(ends, (int64_t)id);
}

static bool fill_special_tokens(const struct vocabulary *v, json_t *config) {
    int64_t bos, eos, turn, message;
    if (!read_bos(v, &bos) || !read_eos(v, &eos) || !read_id(v, KEY "eot_token_id", -1, &turn) ||
        !read_id(v, KEY "eom_token_id", -1, &message))
        return false;
    json_t *ends = json_array();
    add_end(ends, eos);
    add_end(ends, turn);
    add_end(ends, message);
    add_known_ends(v, ends);
    if (bos >= 0) json_object_set_new(config, "bos_token_id", json_integer(bos));
    json_object_set_new(config, "eos_token_id", ends);
    return true;
}

bool gguf_special_tokens(const struct gguf *file, json_t *config, struct error *error) {
    struct vocabulary v = {.file = file, .error = error};
    bool ok = open_vocabulary(&v) && fill_special_tokens(&v, config);
    close_vocabulary(&v);
    return ok;
}

// ---- tokenizer_config.json ----

static bool set_named(const struct vocabulary *v, json_t *config, const char *field,
    const char *key, int64_t otherwise) {
    int64_t id;
    if (!read_id(v, key, otherwise, &id)) return false;
    return id < 0 || !json_object_set_new(config, field, json_string(v->texts[id])) ||
           error_set(v->error, ERROR_INVALID, "the token of '%s' is not UTF-8", key);
}

static bool set_template(const struct vocabulary *v, json_t *config) {
    struct gguf_text text = {NULL, 0};
    if (!gguf_read_text(v->file, "tokenizer.chat_template", &text, v->error)) return false;
    return !text.bytes ||
           !json_object_set_new(config, "chat_template", json_stringn(text.bytes, text.length)) ||
           error_set(v->error, ERROR_INVALID, "tokenizer.chat_template is not UTF-8");
}

static bool fill_tokenizer_config(const struct vocabulary *v, json_t *config) {
    bool spm = v->sentencepiece;
    return set_named(v, config, "bos_token", KEY "bos_token_id", spm ? 1 : -1) &&
           set_named(v, config, "eos_token", KEY "eos_token_id", spm ? 2 : -1) &&
           set_named(v, config, "unk_token", KEY "unknown_token_id", spm ? 0 : -1) &&
           set_named(v, config, "pad_token", KEY "padding_token_id", -1) && set_template(v, config);
}

bool gguf_tokenizer_config_of(const struct gguf *file, json_t **config, struct error *error) {
    struct vocabulary v = {.file = file, .error = error};
    json_t *new = json_pack("{s:s, s:b}", "tokenizer_class", "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces", 0);
    bool ok = (new || memory_error(error, "a tokenizer's config")) && open_vocabulary(&v) &&
              fill_tokenizer_config(&v, new);
    close_vocabulary(&v);
    if (ok)
        *config = new;
    else
        json_decref(new);
    return ok;
}

// ---- the vocabulary in tokenizer.json's terms ----

static bool add_token(const struct vocabulary *v, size_t id, json_t *vocab, json_t *added) {
    enum token_type type = v->types[id];
    if (type == TOKEN_UNUSED) return true;
    if (!*v->texts[id] || json_object_get(vocab, v->texts[id]))
        return error_set(v->error, ERROR_UNSUPPORTED, "token %zu, '%.100s', %s", id, v->texts[id],
            *v->texts[id] ? "stands twice in the vocabulary" : "is empty");
    if (json_object_set_new(vocab, v->texts[id], json_integer((json_int_t)id)))
        return error_set(v->error, ERROR_UNSUPPORTED, "token %zu is not UTF-8", id);
    if (type == TOKEN_NORMAL || type == TOKEN_BYTE) return true;
    json_array_append_new(
        added, json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)id, "content",
                   v->texts[id], "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0,
                   "special", type != TOKEN_USER));
    return true;
}

// ---- merges of scores ----

struct scored_merge {
    char *left; // and, behind its NUL, the right side
    size_t left_characters;
    size_t right_characters;
    double score;
    size_t order;
};

struct scored_merges {
    struct scored_merge *list;
    size_t count;
    size_t capacity;
};

// Better scores first; of two ways to one token, as transformers has it, the longer left side.
static int compare_merges(const void *a, const void *b) {
    const struct scored_merge *first = a, *second = b;
    if (first->score != second->score) return first->score > second->score ? -1 : 1;
    if (first->left_characters != second->left_characters)
        return first->left_characters > second->left_characters ? -1 : 1;
    if (first->right_characters != second->right_characters)
        return first->right_characters > second->right_characters ? -1 : 1;
    return first->order < second->order ? -1 : 1;
}

static bool begins_character(char byte) {
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static size_t characters(const char *text) {
    size_t count = 0;
    for (; *text; text++)
        count += begins_character(*text);
    return count;
}

static bool add_merge(
    struct scored_merges *m, const char *text, size_t cut, double score, struct error *error) {
    if (m->count == MAX_MERGES)
        return error_set(
            error, ERROR_UNSUPPORTED, "the scores make more than %d merges", MAX_MERGES);
    if (m->count == m->capacity) {
        size_t wanted = m->capacity ? 2 * m->capacity : 1024;
        struct scored_merge *grown = memory_resize(m->list, wanted, sizeof *grown);
        if (!grown) return memory_error(error, "the merges");
        m->list = grown;
        m->capacity = wanted;
    }
    size_t length = strlen(text);
    char *sides = memory_alloc(length + 2);
    if (!sides) return memory_error(error, "the merges");
    memcpy(sides, text, cut);
    sides[cut] = 0;
    memcpy(sides + cut + 1, text + cut, length - cut + 1);
    m->list[m->count] = (struct scored_merge){
        sides, characters(sides), characters(sides + cut + 1), score, m->count};
    m->count++;
    return true;
}

static bool is_piece(const struct vocabulary *v, const json_t *vocab, const char *text) {
    const json_t *id = json_object_get(vocab, text);
    return id && v->types[json_integer_value(id)] == TOKEN_NORMAL;
}

static bool add_merges_of(const struct vocabulary *v, const json_t *vocab, size_t id, double score,
    struct scored_merges *merges) {
    char left[MAX_PIECE + 1];
    const char *text = v->texts[id];
    size_t length = strlen(text);
    if (length > MAX_PIECE)
        return error_set(
            v->error, ERROR_UNSUPPORTED, "token %zu is longer than %d bytes", id, MAX_PIECE);
    for (size_t cut = 1; cut < length; cut++) {
        if (!begins_character(text[cut]) || !is_piece(v, vocab, text + cut)) continue;
        memcpy(left, text, cut);
        left[cut] = 0;
        if (is_piece(v, vocab, left) && !add_merge(merges, text, cut, score, v->error))
            return false;
    }
    return true;
}

static bool find_merges(
    const struct vocabulary *v, const json_t *vocab, struct scored_merges *merges) {
    const struct gguf_value *scores = gguf_array(v->file, KEY "scores", GGUF_FLOAT32, v->error);
    if (!scores) return false;
    if (scores->count != v->count)
        return error_set(v->error, ERROR_INVALID, KEY "scores has %zu entries for %zu tokens",
            scores->count, v->count);
    for (size_t id = 0; id < v->count; id++) {
        double score = gguf_element(scores, id);
        if (score != score) return error_set(v->error, ERROR_INVALID, "a score is no number");
        if (v->types[id] == TOKEN_NORMAL && !add_merges_of(v, vocab, id, score, merges))
            return false;
    }
    if (merges->count) qsort(merges->list, merges->count, sizeof *merges->list, compare_merges);
    return true;
}

static bool scored_merges(const struct vocabulary *v, const json_t *vocab, json_t *list) {
    struct scored_merges merges = {0};
    bool ok = find_merges(v, vocab, &merges);
    for (size_t i = 0; i < merges.count; i++) {
        char *sides = merges.list[i].left;
        if (ok) json_array_append_new(list, json_pack("[s, s]", sides, sides + strlen(sides) + 1));
        memory_free(sides);
    }
    memory_free(merges.list);
    return ok;
}

// ---- merges of byte-level vocabularies ----

static bool written_merges(const struct vocabulary *v, json_t *list) {
    const struct gguf_value *merges = gguf_array(v->file, KEY "merges", GGUF_STRING, v->error);
    if (!merges) return false;
    const uint8_t *at = merges->data;
    for (size_t i = 0; i < merges->count; i++) {
        struct gguf_text text = gguf_next_text(&at);
        if (text.length > 2 * MAX_TOKEN + 1 || memchr(text.bytes, 0, text.length) ||
            json_array_append_new(list, json_stringn(text.bytes, text.length)))
            return error_set(v->error, ERROR_INVALID,
                "merge %zu is too long, has a NUL in it, or is not UTF-8", i);
    }
    return true;
}

// ---- around the model ----

static bool set_json(json_t *root, const char *field, const char *text) {
    return !json_object_set_new(root, field, json_loads(text, JSON_DECODE_ANY, NULL));
}

#define MARK "\xe2\x96\x81"

static bool set_sentencepiece(const struct vocabulary *v, json_t *root, bool *add_bos) {
    static const char replace[] =
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" MARK "\"}";
    static const char prepend[] = "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
                                  "\"prepend\":\"" MARK "\"},{\"type\":\"Replace\",\"pattern\":"
                                  "{\"String\":\" \"},\"content\":\"" MARK "\"}]}";
    static const char decoder[] =
        "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
        "\"" MARK "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
        "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}";
    bool space = true, squeeze = false;
    struct gguf_text pre = {"default", 7};
    *add_bos = true;
    if (!gguf_read_bool(v->file, KEY "add_space_prefix", &space, v->error) ||
        !gguf_read_bool(v->file, KEY "remove_extra_whitespaces", &squeeze, v->error) ||
        !gguf_read_text(v->file, KEY "pre", &pre, v->error))
        return false;
    if (squeeze)
        return error_set(
            v->error, ERROR_UNSUPPORTED, KEY "remove_extra_whitespaces is true: not supported");
    if (!gguf_text_is(pre, "default"))
        return error_set(v->error, ERROR_UNSUPPORTED,
            KEY "pre is '%.*s' in a vocabulary of model 'llama': not supported",
            (int)(pre.length < 64 ? pre.length : 64), pre.bytes);
    return (set_json(root, "normalizer", space ? prepend : replace) &&
               set_json(root, "decoder", decoder)) ||
           memory_error(v->error, "a tokenizer");
}

static bool set_byte_level(const struct vocabulary *v, json_t *root, json_t *model, bool *add_bos) {
    static const char decoder[] = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
                                  "\"trim_offsets\":true,\"use_regex\":true}";
    struct gguf_text name = {"default", 7};
    if (!gguf_read_text(v->file, KEY "pre", &name, v->error)) return false;
    const struct gguf_pre_tokenizer *pre = gguf_pre_tokenizer_find(name.bytes, name.length);
    if (!pre)
        return error_set(v->error, ERROR_UNSUPPORTED,
            KEY "pre is '%.*s', a pre-tokenizer that this version does not know",
            (int)(name.length < 64 ? name.length : 64), name.bytes);
    *add_bos = pre->add_bos;
    json_object_set_new(model, "ignore_merges", json_boolean(pre->ignore_merges));
    return (set_json(root, "pre_tokenizer", pre->json) &&
               set_json(root, "normalizer", pre->normalizer) &&
               set_json(root, "decoder", decoder)) ||
           memory_error(v->error, "a tokenizer");
}

static bool set_post_processor(const struct vocabulary *v, json_t *root, bool add_bos) {
    bool add_eos = false;
    int64_t bos;
    if (!gguf_read_bool(v->file, KEY "add_bos_token", &add_bos, v->error) ||
        !gguf_read_bool(v->file, KEY "add_eos_token", &add_eos, v->error) || !read_bos(v, &bos))
        return false;
    if (add_eos)
        return error_set(v->error, ERROR_UNSUPPORTED, KEY "add_eos_token is true: not supported");
    if (!add_bos || bos < 0) return true;
    const char *text = v->texts[bos];
    json_t *post =
        json_pack("{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}], s:[], s:{s:{s:s, s:[I], s:[s]}}}",
            "type", "TemplateProcessing", "single", "SpecialToken", "id", text, "type_id", 0,
            "Sequence", "id", "A", "type_id", 0, "pair", "special_tokens", text, "id", text, "ids",
            (json_int_t)bos, "tokens", text);
    return (post && !json_object_set_new(root, "post_processor", post)) ||
           error_set(v->error, ERROR_INVALID, "the token of '" KEY "bos_token_id' is not UTF-8");
}

static bool fill_model(const struct vocabulary *v, json_t *model, json_t *added) {
    json_t *vocab = json_object(), *merges = json_array();
    json_object_set_new(model, "vocab", vocab);
    json_object_set_new(model, "merges", merges);
    if (!vocab || !merges) return memory_error(v->error, "a tokenizer");
    int64_t unknown;
    for (size_t id = 0; id < v->count; id++)
        if (!add_token(v, id, vocab, added)) return false;
    if (!v->sentencepiece) return written_merges(v, merges);
    if (!read_id(v, KEY "unknown_token_id", 0, &unknown)) return false;
    if (unknown >= 0) json_object_set_new(model, "unk_token", json_string(v->texts[unknown]));
    return scored_merges(v, vocab, merges);
}

static bool fill_tokenizer(const struct vocabulary *v, json_t *root) {
    json_t *model = json_object_get(root, "model");
    bool add_bos = false;
    return fill_model(v, model, json_object_get(root, "added_tokens")) &&
           (v->sentencepiece ? set_sentencepiece(v, root, &add_bos)
                             : set_byte_level(v, root, model, &add_bos)) &&
           set_post_processor(v, root, add_bos);
}

static json_t *empty_tokenizer(bool sentencepiece) {
    return json_pack("{s:s, s:n, s:n, s:[], s:n, s:n, s:n, s:n, s:{s:s, s:n, s:n, s:n, s:n, s:b, "
                     "s:b, s:b}}",
        "version", "1.0", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
        "post_processor", "decoder", "model", "type", "BPE", "dropout", "unk_token",
        "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", sentencepiece,
        "byte_fallback", sentencepiece, "ignore_merges", 0);
}

static bool whole_tokenizer(struct gguf_text text, json_t **tokenizer, struct error *error) {
    json_error_t fault;
    *tokenizer = json_loadb(text.bytes, text.length, JSON_REJECT_DUPLICATES, &fault);
    return *tokenizer || error_set(error, ERROR_INVALID, "tokenizer.huggingface.json, line %d: %s",
                             fault.line, fault.text);
}

bool gguf_tokenizer_of(const struct gguf *file, json_t **tokenizer, struct error *error) {
    struct vocabulary v = {.file = file, .error = error};
    struct gguf_text whole = {NULL, 0};
    if (!gguf_read_text(file, "tokenizer.huggingface.json", &whole, error)) return false;
    if (whole.bytes) return whole_tokenizer(whole, tokenizer, error);
    json_t *root = NULL;
    bool ok = open_vocabulary(&v) &&
              ((root = empty_tokenizer(v.sentencepiece)) || memory_error(error, "a tokenizer")) &&
              fill_tokenizer(&v, root);
    close_vocabulary(&v);
    if (ok)
        *tokenizer = root;
    else
        json_decref(root);
    return ok;
}
