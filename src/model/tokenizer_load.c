// Reading tokenizer.json: the file, the model's vocabulary and merges, and the added tokens.
#include "base/file.h"
#include "base/memory.h"
#include "model/gguf.h"
#include "model/tokenizer_reading.h"

enum {
    MAX_FILE = 256 << 20,
    MAX_ID = 1 << 24,
    MOST_HOLES = 1 << 16, // ids without a token, beyond as many as there are tokens
    MAX_TOKEN = 1 << 16   // bytes
};

// ---- vocabulary ----

static bool check_id(const char *text, const json_t *id, size_t limit, struct error *error) {
    if (!json_is_integer(id))
        return error_set(
            error, ERROR_INVALID, "tokenizer.json: the id of '%.100s' is not a number", text);
    json_int_t value = json_integer_value(id);
    if (value < 0 || value >= MAX_ID || (size_t)value >= limit || !*text ||
        strlen(text) > MAX_TOKEN)
        return error_set(error, ERROR_INVALID,
            "tokenizer.json: the token '%.100s' has the id %lld, of %zu at most", text,
            (long long)value, limit);
    return true;
}

// Ids may have holes, but not so many that a small file asks for much memory.
static bool make_tokens(
    struct tokenizer *t, const json_t *vocabulary, const json_t *added, struct error *error) {
    size_t entries = json_object_size(vocabulary) + json_array_size(added);
    size_t limit = 2 * entries + MOST_HOLES, count = 0, i;
    const char *text;
    json_t *id, *entry;
    json_object_foreach((json_t *)vocabulary, text, id) {
        if (!check_id(text, id, limit, error)) return false;
        if ((size_t)json_integer_value(id) >= count) count = (size_t)json_integer_value(id) + 1;
    }
    json_array_foreach(added, i, entry) {
        text = json_string_value(json_object_get(entry, "content"));
        id = json_object_get(entry, "id");
        if (!text) return error_set(error, ERROR_INVALID, "tokenizer.json: a wrong added token");
        if (!check_id(text, id, limit, error)) return false;
        if ((size_t)json_integer_value(id) >= count) count = (size_t)json_integer_value(id) + 1;
    }
    t->tokens = memory_alloc_zeroed(count, sizeof *t->tokens);
    if (!t->tokens) return memory_error(error, "the vocabulary");
    t->count = count;
    return token_map_create(&t->by_text, entries, error);
}

static bool set_token(struct tokenizer *t, const char *text, int32_t id, struct error *error) {
    struct token *token = &t->tokens[id];
    if (token->text && strcmp(token->text, text))
        return error_set(error, ERROR_INVALID,
            "tokenizer.json: '%.100s' and '%.100s' have the same id, %d", token->text, text, id);
    if (token->text) return true;
    token->text = memory_copy_string(text);
    token->text_length = (uint32_t)strlen(text);
    if (!token->text) return memory_error(error, "the vocabulary");
    token_map_add(&t->by_text, token->text, token->text_length, id);
    return true;
}

static bool read_vocabulary(struct tokenizer *t, const json_t *vocabulary, struct error *error) {
    const char *text;
    json_t *id;
    json_object_foreach((json_t *)vocabulary, text, id) {
        int32_t value = (int32_t)json_integer_value(id);
        if (!set_token(t, text, value, error)) return false;
        t->tokens[value].in_model = true;
    }
    return true;
}

// ---- added tokens ----

static bool flag_of(const json_t *entry, const char *name, bool otherwise) {
    const json_t *value = json_object_get(entry, name);
    return value ? json_is_true(value) : otherwise;
}

static bool add_to_set(struct added_set *set, const char *text, size_t length, const json_t *entry,
    struct error *error) {
    if (!length) return error_set(error, ERROR_INVALID, "tokenizer.json: an added token is empty");
    if (!(set->count & (set->count - 1))) {
        struct added_token *grown =
            memory_resize(set->tokens, set->count ? 2 * set->count : 1, sizeof *grown);
        if (!grown) return memory_error(error, "the added tokens");
        set->tokens = grown;
    }
    char *copy = memory_copy_bytes(text, length);
    if (!copy) return memory_error(error, "the added tokens");
    set->tokens[set->count] = (struct added_token){.text = copy,
        .length = length,
        .id = (int32_t)json_integer_value(json_object_get(entry, "id")),
        .order = (uint32_t)set->count,
        .left_strip = flag_of(entry, "lstrip", false),
        .right_strip = flag_of(entry, "rstrip", false),
        .single_word = flag_of(entry, "single_word", false)};
    set->count++;
    return true;
}

// Tokens that are looked for in normalized text are looked for as the normalizer spells them.
static bool add_normalised(
    struct tokenizer *t, const char *text, const json_t *entry, struct error *error) {
    struct buffer spelled, marks;
    struct span span = {text, NULL, strlen(text), false, true};
    buffer_init(&spelled, MAX_TEXT);
    buffer_init(&marks, MAX_TEXT);
    bool ok = tokenizer_normalise(t, &span, &spelled, &marks, error);
    if (ok)
        ok = t->normaliser_count
                 ? add_to_set(&t->normalised, spelled.data, spelled.length, entry, error)
                 : add_to_set(&t->normalised, text, span.length, entry, error);
    buffer_free(&spelled);
    buffer_free(&marks);
    return ok;
}

static bool read_added(struct tokenizer *t, const json_t *list, struct error *error) {
    if (json_array_size(list) > MAX_ADDED)
        return error_set(error, ERROR_UNSUPPORTED,
            "tokenizer.json: %zu added tokens, of %d at most", json_array_size(list), MAX_ADDED);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *text = json_string_value(json_object_get(entry, "content"));
        int32_t id = (int32_t)json_integer_value(json_object_get(entry, "id"));
        int32_t known = tokenizer_token_id(t, text);
        if (known >= 0 && known != id)
            return error_set(error, ERROR_INVALID,
                "tokenizer.json: the added token '%.100s' has the id %d, and %d as well", text, id,
                known);
        if (!set_token(t, text, id, error)) return false;
        t->tokens[id].special = flag_of(entry, "special", false);
    }
    return true;
}

// Once the normalizer is known.
static bool index_added(struct tokenizer *t, const json_t *list, struct error *error) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *text = json_string_value(json_object_get(entry, "content"));
        bool special = flag_of(entry, "special", false);
        if (!(flag_of(entry, "normalized", !special)
                    ? add_normalised(t, text, entry, error)
                    : add_to_set(&t->added, text, strlen(text), entry, error)))
            return false;
    }
    added_set_finish(&t->added);
    added_set_finish(&t->normalised);
    return true;
}

// ---- merges ----

struct sides {
    const char *left, *right;
    size_t left_length, right_length;
};

// "a b", or ["a", "b"] in newer files.
static bool read_sides(const json_t *entry, struct sides *sides) {
    if (json_is_string(entry)) {
        sides->left = json_string_value(entry);
        const char *space = strchr(sides->left, ' ');
        if (!space || strchr(space + 1, ' ')) return false;
        sides->left_length = (size_t)(space - sides->left);
        sides->right = space + 1;
    } else {
        sides->left = json_string_value(json_array_get(entry, 0));
        sides->right = json_string_value(json_array_get(entry, 1));
        if (!sides->left || !sides->right || json_array_size(entry) != 2) return false;
        sides->left_length = strlen(sides->left);
    }
    sides->right_length = strlen(sides->right);
    return true;
}

static int32_t find_model_token(const struct tokenizer *t, const char *text, size_t length) {
    int32_t id = token_map_find_text(t, text, length);
    return id >= 0 && t->tokens[id].in_model ? id : -1;
}

static int32_t find_joined(
    const struct tokenizer *t, const struct sides *sides, struct buffer *joined) {
    buffer_clear(joined);
    buffer_append(joined, sides->left, sides->left_length);
    buffer_append(joined, sides->right, sides->right_length);
    return joined->failed ? -1 : find_model_token(t, buffer_text(joined), joined->length);
}

// Whether a merge joins a character with the mark of a space behind it.
static bool crosses_words(const struct sides *sides) {
    bool marked =
        sides->left_length >= 3 && !memcmp(sides->left + sides->left_length - 3, SPACE_MARK, 3);
    return !marked && sides->right_length >= 3 && !memcmp(sides->right, SPACE_MARK, 3);
}

static bool add_merge(struct tokenizer *t, const json_t *entry, uint32_t rank,
    struct buffer *joined, struct error *error) {
    struct sides sides;
    if (!read_sides(entry, &sides))
        return error_set(error, ERROR_INVALID, "tokenizer.json: merge %u is not a pair", rank);
    int32_t left = find_model_token(t, sides.left, sides.left_length);
    int32_t right = find_model_token(t, sides.right, sides.right_length);
    int32_t result = find_joined(t, &sides, joined);
    if (left < 0 || right < 0 || result < 0)
        return error_set(error, ERROR_INVALID,
            "tokenizer.json: merge %u is of tokens that are not in the vocabulary", rank);
    if (t->tokens[result].special)
        return error_set(error, ERROR_UNSUPPORTED,
            "tokenizer.json: merge %u makes the special token '%.100s' of ordinary text", rank,
            t->tokens[result].text);
    t->words_apart = t->words_apart && !crosses_words(&sides);
    merge_map_add(
        &t->merges, (struct merge){(uint64_t)(uint32_t)left << 32 | (uint32_t)right, rank, result});
    return true;
}

static bool read_merges(struct tokenizer *t, const json_t *model, struct error *error) {
    const json_t *merges = json_object_get(model, "merges");
    struct buffer joined;
    if (!json_is_array(merges))
        return error_set(error, ERROR_INVALID, "tokenizer.json: the model has no 'merges'");
    if (!merge_map_create(&t->merges, json_array_size(merges), error)) return false;
    buffer_init(&joined, 2 * MAX_TOKEN + 1);
    t->words_apart = !t->byte_level && !t->ignore_merges &&
                     find_model_token(t, SPACE_MARK, strlen(SPACE_MARK)) >= 0;
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(merges); i++)
        ok = add_merge(t, json_array_get(merges, i), (uint32_t)i, &joined, error);
    buffer_free(&joined);
    return ok;
}

// ---- the model ----

static bool read_model_options(struct tokenizer *t, const json_t *model, struct error *error) {
    static const char *const absent[] = {
        "dropout", "continuing_subword_prefix", "end_of_word_suffix"};
    if (!tokenizer_is_type(model, "BPE"))
        return tokenizer_unsupported(error, "model", tokenizer_type(model));
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_object_get(model, absent[i]);
        if ((json_is_number(value) && json_number_value(value) != 0) ||
            (json_is_string(value) && *json_string_value(value)))
            return tokenizer_unsupported(error, "model's option", absent[i]);
    }
    t->byte_fallback = json_is_true(json_object_get(model, "byte_fallback"));
    t->fuse_unknown = json_is_true(json_object_get(model, "fuse_unk"));
    t->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    return true;
}

static bool read_unknown(struct tokenizer *t, const json_t *model, struct error *error) {
    const char *text = json_string_value(json_object_get(model, "unk_token"));
    t->unknown = text ? find_model_token(t, text, strlen(text)) : -1;
    return !text || t->unknown >= 0 ||
           error_set(error, ERROR_INVALID,
               "tokenizer.json: the unk_token '%.100s' is not in the vocabulary", text);
}

// ---- all of it ----

static bool read_root(struct tokenizer *t, const json_t *root, struct error *error) {
    const json_t *model = json_object_get(root, "model");
    const json_t *vocabulary = json_object_get(model, "vocab");
    const json_t *added = json_object_get(root, "added_tokens");
    t->unknown = t->bos = -1;
    if (!read_model_options(t, model, error)) return false;
    if (!json_is_object(vocabulary) || !json_object_size(vocabulary))
        return error_set(error, ERROR_INVALID, "tokenizer.json: the model has no 'vocab'");
    return make_tokens(t, vocabulary, added, error) && read_vocabulary(t, vocabulary, error) &&
           read_added(t, added, error) && tokenizer_read_steps(t, root, error) &&
           index_added(t, added, error) && read_merges(t, model, error) &&
           read_unknown(t, model, error) && tokenizer_set_bytes(t, error) &&
           tokenizer_find_whole(t, error);
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
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
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
        memory_free(tokenizer->tokens[i].piece);
    }
    for (size_t i = 0; i < tokenizer->normaliser_count; i++) {
        memory_free(tokenizer->normalisers[i].from);
        memory_free(tokenizer->normalisers[i].to);
    }
    for (size_t i = 0; i < tokenizer->pre_tokenizer_count; i++) {
        pcre2_code_free(tokenizer->pre_tokenizers[i].pattern);
        memory_free(tokenizer->pre_tokenizers[i].literal);
    }
    added_set_free(&tokenizer->added);
    added_set_free(&tokenizer->normalised);
    memory_free(tokenizer->tokens);
    memory_free(tokenizer->by_text.slots);
    memory_free(tokenizer->by_piece.slots);
    memory_free(tokenizer->merges.slots);
    memory_free(tokenizer);
}
