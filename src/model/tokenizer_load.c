// Reading tokenizer.json. Everything that changes how text becomes tokens is either done or
// refused.
#include "base/file.h"
#include "base/memory.h"
#include "model/gguf.h"
#include "model/tokenizer_internal.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 256 << 20, MAX_ID = 1 << 22 };

static bool unsupported(struct error *error, const char *what, const char *name) {
    return error_set(error, ERROR_UNSUPPORTED, "tokenizer.json: the %s '%.100s' is not supported",
        what, name ? name : "without a type");
}

static const char *type_of(const json_t *object) {
    return json_string_value(json_object_get(object, "type"));
}

static bool is_type(const json_t *object, const char *name) {
    const char *type = type_of(object);
    return type && !strcmp(type, name);
}

// ---- GPT-2's alphabet of bytes ----

// The printable bytes stand for themselves, the others for U+0100 and on, in order: 0 … 0x20, 0x7f
// … 0xa0, 0xad.
static uint32_t byte_character(int byte) {
    if (byte <= ' ') return 256 + (uint32_t)byte;
    if (byte >= 0x7f && byte <= 0xa0) return 256 + 33 + (uint32_t)(byte - 0x7f);
    return byte == 0xad ? 256 + 67 : (uint32_t)byte;
}

// The inverse; -1 for characters that stand for no byte.
static int character_byte(uint32_t character) {
    int byte = character < 256        ? (int)character
               : character < 256 + 33 ? (int)character - 256
               : character < 256 + 67 ? (int)character - 256 - 33 + 0x7f
                                      : 0xad;
    return byte_character(byte) == character ? byte : -1;
}

static size_t put_character(char *text, uint32_t character) {
    if (character < 0x80) {
        text[0] = (char)character;
        return 1;
    }
    text[0] = (char)(0xc0 | character >> 6);
    text[1] = (char)(0x80 | (character & 0x3f));
    return 2;
}

bool byte_level_decode(const char *text, size_t length, char *bytes, size_t *decoded) {
    *decoded = 0;
    for (size_t at = 0; at < length;) {
        uint32_t character = (uint8_t)text[at++];
        if (character >= 0x80) {
            if (character >> 5 != 6 || at == length) return false;
            character = (character & 0x1f) << 6 | ((uint8_t)text[at++] & 0x3f);
        }
        int byte = character_byte(character);
        if (byte < 0) return false;
        bytes[(*decoded)++] = (char)byte;
    }
    return true;
}

// ---- vocabulary ----

static size_t power_above(size_t count) {
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    return size;
}

static bool grow_tokens(struct tokenizer *t, size_t count, struct error *error) {
    if (count <= t->count) return true;
    if (count > MAX_ID)
        return error_set(error, ERROR_INVALID, "tokenizer.json: a token's id is too large");
    struct token *grown = memory_resize(t->tokens, count, sizeof *grown);
    if (!grown) return memory_error(error, "the vocabulary");
    memset(grown + t->count, 0, (count - t->count) * sizeof *grown);
    t->tokens = grown;
    t->count = count;
    return true;
}

static bool set_token(struct tokenizer *t, const char *text, json_int_t id, struct error *error) {
    if (id < 0 || id >= MAX_ID || !*text)
        return error_set(error, ERROR_INVALID, "tokenizer.json: the token '%.100s' has the id %lld",
            text, (long long)id);
    if (!grow_tokens(t, (size_t)id + 1, error)) return false;
    struct token *token = &t->tokens[id];
    if (token->text && strcmp(token->text, text))
        return error_set(error, ERROR_INVALID,
            "tokenizer.json: '%.100s' and '%.100s' have the same id", token->text, text);
    if (!token->text && !(token->text = memory_copy_string(text)))
        return memory_error(error, "the vocabulary");
    return true;
}

static size_t slot_of(const struct token_map *map, const char *text, size_t length) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3u;
    return (hash ^ hash >> 29) & map->mask;
}

static bool index_tokens(struct tokenizer *t, struct error *error) {
    size_t size = power_above(t->count);
    t->by_text.slots = memory_alloc_array(size, sizeof *t->by_text.slots);
    if (!t->by_text.slots) return memory_error(error, "the vocabulary");
    t->by_text.mask = size - 1;
    memset(t->by_text.slots, 0xff, size * sizeof *t->by_text.slots);
    for (size_t id = 0; id < t->count; id++) {
        const char *text = t->tokens[id].text;
        if (!text) continue;
        size_t at = slot_of(&t->by_text, text, strlen(text));
        while (t->by_text.slots[at] >= 0)
            at = (at + 1) & t->by_text.mask;
        t->by_text.slots[at] = (int32_t)id;
    }
    return true;
}

static bool read_vocabulary(struct tokenizer *t, const json_t *model, struct error *error) {
    json_t *vocabulary = json_object_get(model, "vocab"), *id;
    const char *text;
    if (!json_is_object(vocabulary) || !json_object_size(vocabulary))
        return error_set(error, ERROR_INVALID, "tokenizer.json: the model has no 'vocab'");
    json_object_foreach(vocabulary, text, id) {
        if (!json_is_integer(id))
            return error_set(
                error, ERROR_INVALID, "tokenizer.json: the id of '%.100s' is not a number", text);
        if (!set_token(t, text, json_integer_value(id), error)) return false;
    }
    return true;
}

static int longest_first(const void *a, const void *b, void *tokens) {
    const struct token *table = tokens;
    size_t first = strlen(table[*(const int32_t *)a].text);
    size_t second = strlen(table[*(const int32_t *)b].text);
    return first < second ? 1 : first > second ? -1 : 0;
}

static bool read_added_token(struct tokenizer *t, const json_t *entry, struct error *error) {
    const char *text = json_string_value(json_object_get(entry, "content"));
    json_t *id = json_object_get(entry, "id");
    if (!text || !json_is_integer(id) || t->added_count == MAX_ADDED)
        return error_set(error, ERROR_INVALID, "tokenizer.json: a wrong or one more added token");
    static const char *const switches[] = {"lstrip", "rstrip", "single_word"};
    for (size_t i = 0; i < 3; i++)
        if (json_is_true(json_object_get(entry, switches[i])))
            return unsupported(error, "added token's option", switches[i]);
    if (!set_token(t, text, json_integer_value(id), error)) return false;
    struct token *token = &t->tokens[json_integer_value(id)];
    token->added = true;
    token->special = json_is_true(json_object_get(entry, "special"));
    t->added_starts[(uint8_t)*text] = true;
    t->added[t->added_count++] = (int32_t)json_integer_value(id);
    return true;
}

static bool read_added(struct tokenizer *t, const json_t *root, struct error *error) {
    json_t *list = json_object_get(root, "added_tokens"), *entry;
    size_t i;
    json_array_foreach(list, i, entry) if (!read_added_token(t, entry, error)) return false;
    qsort_r(t->added, t->added_count, sizeof *t->added, longest_first, t->tokens);
    return true;
}

// ---- what tokens stand for ----

static bool byte_of_fallback(const char *text, int *byte) {
    char end;
    unsigned value;
    if (strlen(text) != 6 || sscanf(text, "<0x%2X%c", &value, &end) != 2 || end != '>')
        return false;
    *byte = (int)value;
    return true;
}

static void unmark_spaces(char *bytes, uint32_t *length) {
    uint32_t to = 0;
    for (uint32_t from = 0; from < *length; to++) {
        bool mark = *length - from >= 3 && !memcmp(bytes + from, "\xe2\x96\x81", 3);
        bytes[to] = mark ? ' ' : bytes[from];
        from += mark ? 3 : 1;
    }
    *length = to;
}

static bool set_bytes(struct tokenizer *t, struct token *token, struct error *error) {
    size_t length = strlen(token->text), decoded;
    int byte;
    token->bytes = memory_copy_bytes(token->text, length);
    if (!token->bytes) return memory_error(error, "the vocabulary");
    token->length = (uint32_t)length;
    if (token->added) return true;
    if (t->byte_level) {
        if (!byte_level_decode(token->text, length, token->bytes, &decoded))
            return error_set(error, ERROR_INVALID,
                "tokenizer.json: '%.100s' is not spelled in the byte-level alphabet", token->text);
        token->length = (uint32_t)decoded;
    } else if (t->byte_fallback && byte_of_fallback(token->text, &byte)) {
        token->bytes[0] = (char)byte;
        token->length = 1;
    } else
        unmark_spaces(token->bytes, &token->length);
    return true;
}

static bool find_byte_tokens(struct tokenizer *t, struct error *error) {
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        size_t length;
        if (t->byte_level)
            length = put_character(text, byte_character(byte));
        else
            length = (size_t)snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
        t->byte_tokens[byte] = token_map_find(&t->by_text, t->tokens, text, length);
        if (t->byte_level && t->byte_tokens[byte] < 0)
            return error_set(error, ERROR_UNSUPPORTED,
                "tokenizer.json: the vocabulary has no token for byte 0x%02X", (unsigned)byte);
    }
    return true;
}

static bool set_all_bytes(struct tokenizer *t, struct error *error) {
    for (size_t id = 0; id < t->count; id++)
        if (t->tokens[id].text && !set_bytes(t, &t->tokens[id], error)) return false;
    return find_byte_tokens(t, error);
}

// ---- merges ----

// "a b", or ["a", "b"] in newer files.
static bool merge_sides(const json_t *entry, const char **left, size_t *left_length,
    const char **right, size_t *right_length) {
    if (json_is_string(entry)) {
        *left = json_string_value(entry);
        const char *space = strchr(*left, ' ');
        if (!space) return false;
        *left_length = (size_t)(space - *left);
        *right = space + 1;
    } else {
        *left = json_string_value(json_array_get(entry, 0));
        *right = json_string_value(json_array_get(entry, 1));
        if (!*left || !*right || json_array_size(entry) != 2) return false;
        *left_length = strlen(*left);
    }
    *right_length = strlen(*right);
    return true;
}

static int32_t find_joined(const struct tokenizer *t, const char *left, size_t left_length,
    const char *right, size_t right_length) {
    char joined[1024];
    if (left_length + right_length > sizeof joined) return -1;
    memcpy(joined, left, left_length);
    memcpy(joined + left_length, right, right_length);
    return token_map_find(&t->by_text, t->tokens, joined, left_length + right_length);
}

static bool add_merge(
    struct tokenizer *t, const json_t *entry, uint32_t rank, struct error *error) {
    const char *left, *right;
    size_t left_length, right_length;
    if (!merge_sides(entry, &left, &left_length, &right, &right_length))
        return error_set(error, ERROR_INVALID, "tokenizer.json: merge %u is not a pair", rank);
    int32_t a = token_map_find(&t->by_text, t->tokens, left, left_length);
    int32_t b = token_map_find(&t->by_text, t->tokens, right, right_length);
    int32_t result = find_joined(t, left, left_length, right, right_length);
    if (a < 0 || b < 0 || result < 0)
        return error_set(error, ERROR_INVALID,
            "tokenizer.json: merge %u is of tokens that are not in the vocabulary", rank);
    uint64_t pair = (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
    size_t at = (pair * 0x9e3779b97f4a7c15u >> 20) & t->merges.mask;
    while (t->merges.slots[at].rank != UINT32_MAX) {
        if (t->merges.slots[at].pair == pair) return true;
        at = (at + 1) & t->merges.mask;
    }
    t->merges.slots[at] = (struct merge){pair, rank, result};
    return true;
}

static bool read_merges(struct tokenizer *t, const json_t *model, struct error *error) {
    json_t *merges = json_object_get(model, "merges"), *entry;
    size_t i, size = power_above(json_array_size(merges));
    if (!json_is_array(merges))
        return error_set(error, ERROR_INVALID, "tokenizer.json: the model has no 'merges'");
    t->merges.slots = memory_alloc_array(size, sizeof *t->merges.slots);
    if (!t->merges.slots) return memory_error(error, "the merges");
    t->merges.mask = size - 1;
    for (size_t j = 0; j < size; j++)
        t->merges.slots[j] = (struct merge){0, UINT32_MAX, -1};
    json_array_foreach(merges, i, entry) if (!add_merge(t, entry, (uint32_t)i, error)) return false;
    return true;
}

static bool read_model_options(struct tokenizer *t, const json_t *model, struct error *error) {
    static const char *const absent[] = {
        "dropout", "continuing_subword_prefix", "end_of_word_suffix"};
    if (!is_type(model, "BPE")) return unsupported(error, "model", type_of(model));
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_object_get(model, absent[i]);
        if (json_is_number(value) || (json_is_string(value) && *json_string_value(value)))
            return unsupported(error, "model's option", absent[i]);
    }
    t->byte_fallback = json_is_true(json_object_get(model, "byte_fallback"));
    t->fuse_unknown = json_is_true(json_object_get(model, "fuse_unk"));
    t->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    return true;
}

// ---- normalizer ----

static bool read_normalizer(struct tokenizer *t, const json_t *normalizer, struct error *error) {
    if (!normalizer || json_is_null(normalizer)) return true;
    if (is_type(normalizer, "Sequence")) {
        json_t *each;
        size_t i;
        json_array_foreach(json_object_get(normalizer, "normalizers"), i,
            each) if (!read_normalizer(t, each, error)) return false;
        return true;
    }
    const char *mark = "\xe2\x96\x81";
    const char *prepend = json_string_value(json_object_get(normalizer, "prepend"));
    const char *content = json_string_value(json_object_get(normalizer, "content"));
    const char *pattern =
        json_string_value(json_object_get(json_object_get(normalizer, "pattern"), "String"));
    if (is_type(normalizer, "Prepend") && prepend && !strcmp(prepend, mark))
        return t->prepend_space = true;
    if (is_type(normalizer, "Replace") && content && pattern && !strcmp(content, mark) &&
        !strcmp(pattern, " "))
        return t->normalise_spaces = true;
    return unsupported(error, "normalizer", type_of(normalizer));
}

// ---- pre-tokenizers ----

static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
    "\\s+(?!\\S)|\\s+";

static bool add_split(struct tokenizer *t, const char *pattern, struct error *error) {
    int code;
    size_t where;
    if (t->pre_tokenizer_count == MAX_PRE_TOKENIZERS)
        return unsupported(error, "pre_tokenizer", "Sequence of more than 8");
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
        PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &code, &where, NULL);
    if (!compiled) {
        char reason[128];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)reason, sizeof reason);
        return error_set(error, ERROR_UNSUPPORTED,
            "tokenizer.json: the pre_tokenizer's pattern, at %zu: %s", where, reason);
    }
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
    t->pre_tokenizers[t->pre_tokenizer_count++] =
        (struct pre_tokenizer){PRE_TOKENIZER_SPLIT, compiled, false, false};
    return true;
}

// A literal text as a pattern.
static bool add_literal_split(struct tokenizer *t, const char *text, struct error *error) {
    char *pattern = strstr(text, "\\E") ? NULL : memory_format("\\Q%s\\E", text);
    bool ok = pattern ? add_split(t, pattern, error)
                      : unsupported(error, "pre_tokenizer's pattern", text);
    memory_free(pattern);
    return ok;
}

static bool read_split(struct tokenizer *t, const json_t *pre, struct error *error) {
    const char *behavior = json_string_value(json_object_get(pre, "behavior"));
    const json_t *pattern = json_object_get(pre, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *literal = json_string_value(json_object_get(pattern, "String"));
    // "Removed" with "invert" keeps just the matches; with a pattern that matches everything, as
    // the families that use it have, that is the same as "Isolated".
    bool isolated = behavior && !strcmp(behavior, "Isolated");
    if (!isolated) return unsupported(error, "Split pre_tokenizer's behavior", behavior);
    return regex     ? add_split(t, regex, error)
           : literal ? add_literal_split(t, literal, error)
                     : unsupported(error, "Split pre_tokenizer's pattern", NULL);
}

static bool read_byte_level(struct tokenizer *t, const json_t *pre, struct error *error) {
    const json_t *use_regex = json_object_get(pre, "use_regex");
    if (json_is_true(json_object_get(pre, "add_prefix_space")))
        return unsupported(error, "ByteLevel pre_tokenizer's option", "add_prefix_space");
    t->byte_level = true;
    return json_is_false(use_regex) || add_split(t, gpt2_pattern, error);
}

static bool read_metaspace(struct tokenizer *t, const json_t *pre, struct error *error) {
    const char *scheme = json_string_value(json_object_get(pre, "prepend_scheme"));
    const char *mark = json_string_value(json_object_get(pre, "replacement"));
    if (!mark || strcmp(mark, "\xe2\x96\x81"))
        return unsupported(error, "Metaspace pre_tokenizer's replacement", mark);
    if (t->pre_tokenizer_count == MAX_PRE_TOKENIZERS)
        return unsupported(error, "pre_tokenizer", "Sequence of more than 8");
    if (scheme && strcmp(scheme, "always") && strcmp(scheme, "never"))
        return unsupported(error, "Metaspace pre_tokenizer's prepend_scheme", scheme);
    bool prepend = scheme ? !strcmp(scheme, "always")
                          : !json_is_false(json_object_get(pre, "add_prefix_space"));
    bool words = !json_is_false(json_object_get(pre, "split"));
    t->pre_tokenizers[t->pre_tokenizer_count++] =
        (struct pre_tokenizer){PRE_TOKENIZER_METASPACE, NULL, prepend, words};
    return true;
}

static bool read_pre_tokenizer(struct tokenizer *t, const json_t *pre, struct error *error) {
    if (!pre || json_is_null(pre)) return true;
    if (is_type(pre, "Sequence")) {
        json_t *each;
        size_t i;
        json_array_foreach(json_object_get(pre, "pretokenizers"), i,
            each) if (!read_pre_tokenizer(t, each, error)) return false;
        return true;
    }
    if (is_type(pre, "Split")) return read_split(t, pre, error);
    if (is_type(pre, "ByteLevel")) return read_byte_level(t, pre, error);
    if (is_type(pre, "Metaspace")) return read_metaspace(t, pre, error);
    if (is_type(pre, "Digits"))
        return add_split(t,
            json_is_true(json_object_get(pre, "individual_digits")) ? "\\p{N}" : "\\p{N}+", error);
    return unsupported(error, "pre_tokenizer", type_of(pre));
}

// ---- post-processor ----

static void find_bos(struct tokenizer *t, const json_t *post) {
    if (is_type(post, "Sequence")) {
        json_t *each;
        size_t i;
        json_array_foreach(json_object_get(post, "processors"), i, each) find_bos(t, each);
    }
    const json_t *first = json_array_get(json_object_get(post, "single"), 0);
    const char *text =
        json_string_value(json_object_get(json_object_get(first, "SpecialToken"), "id"));
    if (text) t->bos = token_map_find(&t->by_text, t->tokens, text, strlen(text));
}

// ---- all of it ----

static bool read_root(struct tokenizer *t, const json_t *root, struct error *error) {
    const json_t *model = json_object_get(root, "model");
    const char *unknown = json_string_value(json_object_get(model, "unk_token"));
    t->unknown = t->bos = -1;
    if (!read_model_options(t, model, error) || !read_vocabulary(t, model, error) ||
        !read_added(t, root, error) || !index_tokens(t, error) ||
        !read_normalizer(t, json_object_get(root, "normalizer"), error) ||
        !read_pre_tokenizer(t, json_object_get(root, "pre_tokenizer"), error) ||
        !read_merges(t, model, error))
        return false;
    if (unknown) t->unknown = token_map_find(&t->by_text, t->tokens, unknown, strlen(unknown));
    find_bos(t, json_object_get(root, "post_processor"));
    return set_all_bytes(t, error);
}

bool tokenizer_from_json(struct tokenizer **tokenizer, const json_t *root, struct error *error) {
    struct tokenizer *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "a tokenizer");
    if (!read_root(new, root, error)) {
        tokenizer_close(new);
        return false;
    }
    *tokenizer = new;
    return true;
}

static json_t *load_root(const char *directory, struct error *error) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    json_t *root = NULL;
    if (gguf_find(path, sizeof path, directory))
        return gguf_tokenizer(&root, path, error) ? root : NULL;
    if (!file_path(path, sizeof path, error, directory, "tokenizer.json") ||
        !file_read(path, MAX_FILE, &text, &length, error))
        return NULL;
    json_error_t fault;
    root = json_loadb(text, length, 0, &fault);
    memory_free(text);
    if (!root) error_set(error, ERROR_INVALID, "%s, line %d: %s", path, fault.line, fault.text);
    return root;
}

bool tokenizer_open(struct tokenizer **tokenizer, const char *directory, struct error *error) {
    json_t *root = load_root(directory, error);
    if (!root) return false;
    bool ok = tokenizer_from_json(tokenizer, root, error);
    json_decref(root);
    return ok || error_prefix(error, "%s", directory);
}

void tokenizer_close(struct tokenizer *tokenizer) {
    if (!tokenizer) return;
    for (size_t i = 0; i < tokenizer->count; i++) {
        memory_free(tokenizer->tokens[i].text);
        memory_free(tokenizer->tokens[i].bytes);
    }
    for (size_t i = 0; i < tokenizer->pre_tokenizer_count; i++)
        pcre2_code_free(tokenizer->pre_tokenizers[i].pattern);
    memory_free(tokenizer->tokens);
    memory_free(tokenizer->by_text.slots);
    memory_free(tokenizer->merges.slots);
    memory_free(tokenizer);
}
