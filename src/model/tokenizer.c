// Encoding: added tokens first, then the normalizer, the pre-tokenizers one after another, and BPE
// for each piece that they leave.
#include "model/tokenizer.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "model/tokenizer_internal.h"
#include <string.h>

enum { MAX_TEXT = 1 << 30 };

// ---- lists and maps ----

bool token_ids_append(
    struct token_ids *list, const int32_t *ids, size_t count, struct error *error) {
    if (list->count + count > list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        while (capacity < list->count + count)
            capacity *= 2;
        int32_t *grown = memory_resize(list->ids, capacity, sizeof *grown);
        if (!grown) return memory_error(error, "a list of tokens");
        list->ids = grown;
        list->capacity = capacity;
    }
    memcpy(list->ids + list->count, ids, count * sizeof *ids);
    list->count += count;
    return true;
}

void token_ids_free(struct token_ids *list) {
    memory_free(list->ids);
    memset(list, 0, sizeof *list);
}

static uint64_t hash_bytes(const char *bytes, size_t length) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)bytes[i]) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

int32_t token_map_find(
    const struct token_map *map, const struct token *tokens, const char *text, size_t length) {
    for (size_t at = hash_bytes(text, length) & map->mask;; at = (at + 1) & map->mask) {
        int32_t id = map->slots[at];
        if (id < 0) return -1;
        if (strlen(tokens[id].text) == length && !memcmp(tokens[id].text, text, length)) return id;
    }
}

const struct merge *merge_map_find(const struct merge_map *map, int32_t left, int32_t right) {
    if (left < 0 || right < 0) return NULL;
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint64_t hash = pair * 0x9e3779b97f4a7c15u;
    for (size_t at = (hash >> 20) & map->mask;; at = (at + 1) & map->mask) {
        const struct merge *merge = &map->slots[at];
        if (merge->rank == UINT32_MAX) return NULL;
        if (merge->pair == pair) return merge;
    }
}

// ---- pieces ----

struct encoding {
    const struct tokenizer *tokenizer;
    pcre2_match_data *match;
    struct token_ids *ids;
    struct error *error;
};

static bool encode_piece(struct encoding *e, const char *piece, size_t length) {
    const struct tokenizer *t = e->tokenizer;
    if (!length) return true;
    if (t->ignore_merges && t->byte_level) {
        struct token_ids *ids = e->ids;
        // The vocabulary spells bytes as characters; a piece of one token is rare enough to look up
        // so.
        char spelled[256];
        size_t size = 0;
        for (size_t i = 0; i < length && size + 4 < sizeof spelled; i++) {
            const char *text = t->tokens[t->byte_tokens[(uint8_t)piece[i]]].text;
            for (; *text; text++)
                spelled[size++] = *text;
        }
        int32_t id = length < 100 ? token_map_find(&t->by_text, t->tokens, spelled, size) : -1;
        if (id >= 0) return token_ids_append(ids, &id, 1, e->error);
    }
    return bpe_encode(t, piece, length, e->ids, e->error);
}

static bool pre_tokenize(struct encoding *e, size_t stage, const char *text, size_t length);

// Matches and the stretches between them, each through the next stage.
static bool split(struct encoding *e, size_t stage, const char *text, size_t length) {
    const struct pre_tokenizer *pre = &e->tokenizer->pre_tokenizers[stage];
    size_t done = 0, at = 0;
    while (at < length) {
        int found = pcre2_match(pre->pattern, (PCRE2_SPTR)text, length, at, 0, e->match, NULL);
        if (found < 0 && found != PCRE2_ERROR_NOMATCH)
            return error_set(e->error, ERROR_INVALID,
                "the tokenizer's pattern failed on this text (PCRE2 error %d)", found);
        if (found < 0) break;
        const size_t *where = pcre2_get_ovector_pointer(e->match);
        if (where[1] == where[0]) {
            at = where[1] + 1;
            continue;
        }
        size_t from = where[0], to = where[1];
        if (!pre_tokenize(e, stage + 1, text + done, from - done) ||
            !pre_tokenize(e, stage + 1, text + from, to - from))
            return false;
        at = done = to;
    }
    return pre_tokenize(e, stage + 1, text + done, length - done);
}

static const char space_mark[] = "\xe2\x96\x81"; // ▁

static void mark_spaces(struct buffer *marked, const char *text, size_t length, bool prepend) {
    if (prepend && length) buffer_append_text(marked, space_mark);
    for (size_t i = 0; i < length; i++)
        if (text[i] == ' ')
            buffer_append_text(marked, space_mark);
        else
            buffer_append_char(marked, text[i]);
}

// A piece begins at each mark of a space.
static bool split_words(struct encoding *e, size_t stage, const char *text, size_t length) {
    size_t from = 0;
    for (size_t i = 1; i + 3 <= length; i++)
        if (!memcmp(text + i, space_mark, 3)) {
            if (!pre_tokenize(e, stage + 1, text + from, i - from)) return false;
            from = i;
        }
    return pre_tokenize(e, stage + 1, text + from, length - from);
}

static bool metaspace(struct encoding *e, size_t stage, const char *text, size_t length) {
    const struct pre_tokenizer *pre = &e->tokenizer->pre_tokenizers[stage];
    struct buffer marked;
    buffer_init(&marked, MAX_TEXT);
    mark_spaces(&marked, text, length, pre->prepend && *text != ' ');
    bool ok = buffer_ok(&marked, "a text", e->error) &&
              (pre->split ? split_words(e, stage, marked.data, marked.length)
                          : pre_tokenize(e, stage + 1, marked.data, marked.length));
    buffer_free(&marked);
    return ok;
}

static bool pre_tokenize(struct encoding *e, size_t stage, const char *text, size_t length) {
    if (!length) return true;
    if (stage == e->tokenizer->pre_tokenizer_count) return encode_piece(e, text, length);
    return e->tokenizer->pre_tokenizers[stage].kind == PRE_TOKENIZER_SPLIT
               ? split(e, stage, text, length)
               : metaspace(e, stage, text, length);
}

static bool encode_text(struct encoding *e, const char *text, size_t length) {
    if (!length) return true;
    if (!e->tokenizer->normalise_spaces) return pre_tokenize(e, 0, text, length);
    struct buffer marked;
    buffer_init(&marked, MAX_TEXT);
    mark_spaces(&marked, text, length, e->tokenizer->prepend_space);
    bool ok =
        buffer_ok(&marked, "a text", e->error) && pre_tokenize(e, 0, marked.data, marked.length);
    buffer_free(&marked);
    return ok;
}

// ---- added tokens ----

static int32_t added_at(const struct tokenizer *t, const char *text, size_t left, bool special) {
    if (!t->added_starts[(uint8_t)*text]) return -1;
    for (size_t i = 0; i < t->added_count; i++) {
        const struct token *token = &t->tokens[t->added[i]];
        size_t length = strlen(token->text);
        if ((special || !token->special) && length <= left && !memcmp(token->text, text, length))
            return t->added[i];
    }
    return -1;
}

// How many bytes from `at` on are not marked.
static size_t unmarked(const uint8_t *marked, size_t at, size_t length) {
    const uint8_t *mark = marked ? memchr(marked + at, 1, length - at) : NULL;
    return mark ? (size_t)(mark - marked) - at : length - at;
}

static bool encode_all(
    struct encoding *e, const char *text, const uint8_t *marked, size_t length, bool special) {
    size_t from = 0;
    for (size_t at = 0; at < length;) {
        int32_t id = added_at(e->tokenizer, text + at, length - at, special);
        if (id >= 0 && e->tokenizer->tokens[id].special &&
            unmarked(marked, at, length) < strlen(e->tokenizer->tokens[id].text))
            id = added_at(e->tokenizer, text + at, length - at, false);
        if (id < 0) {
            at++;
            continue;
        }
        if (!encode_text(e, text + from, at - from) || !token_ids_append(e->ids, &id, 1, e->error))
            return false;
        at += strlen(e->tokenizer->tokens[id].text);
        from = at;
    }
    return encode_text(e, text + from, length - from);
}

static bool encode(const struct tokenizer *tokenizer, const char *text, const uint8_t *marked,
    size_t length, bool special, struct token_ids *ids, struct error *error) {
    struct encoding encoding = {tokenizer, pcre2_match_data_create(4, NULL), ids, error};
    if (!encoding.match) return memory_error(error, "a match");
    bool ok = encode_all(&encoding, text, marked, length, special);
    pcre2_match_data_free(encoding.match);
    return ok;
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
    bool special, struct token_ids *ids, struct error *error) {
    return encode(tokenizer, text, NULL, length, special, ids, error);
}

bool tokenizer_encode_marked(const struct tokenizer *tokenizer, const char *text,
    const uint8_t *marked, size_t length, struct token_ids *ids, struct error *error) {
    return encode(tokenizer, text, marked, length, true, ids, error);
}

// ---- asking ----

static const struct token *token_of(const struct tokenizer *tokenizer, int32_t id) {
    if (id < 0 || (size_t)id >= tokenizer->count || !tokenizer->tokens[id].text) return NULL;
    return &tokenizer->tokens[id];
}

size_t tokenizer_vocabulary_size(const struct tokenizer *tokenizer) {
    return tokenizer->count;
}

const char *tokenizer_token_bytes(const struct tokenizer *tokenizer, int32_t id, size_t *length) {
    const struct token *token = token_of(tokenizer, id);
    *length = 0;
    if (!token || token->special) return "";
    *length = token->length;
    return token->bytes;
}

const char *tokenizer_token_text(const struct tokenizer *tokenizer, int32_t id) {
    const struct token *token = token_of(tokenizer, id);
    return token ? token->text : NULL;
}

int32_t tokenizer_token_id(const struct tokenizer *tokenizer, const char *text) {
    return token_map_find(&tokenizer->by_text, tokenizer->tokens, text, strlen(text));
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id) {
    const struct token *token = token_of(tokenizer, id);
    return token && token->special;
}

int32_t tokenizer_bos(const struct tokenizer *tokenizer) {
    return tokenizer->bos;
}
