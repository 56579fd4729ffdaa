// Encoding: added tokens are found in the text, what is between them is normalized, searched for
// those that are found only then, cut up by the pre-tokenizers one after another, and each piece
// that they leave goes to BPE. Nothing is kept from one call to the next.
#include "model/tokenizer.h"
#include "base/memory.h"
#include "model/tokenizer_internal.h"

// ---- lists ----

bool token_ids_append(
    struct token_ids *list, const int32_t *ids, size_t count, struct error *error) {
    if (!count) return true;
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

// ---- pieces ----

struct encoding {
    const struct tokenizer *tokenizer;
    struct token_ids *ids;
    struct error *error;
};

// A pre-tokenizer and what to do with its pieces; after the last one it is BPE.
struct stage {
    struct encoding *encoding;
    size_t index;
};

static bool is_mark(const char *text, size_t left) {
    return left >= 3 && !memcmp(text, SPACE_MARK, 3);
}

// Where no merge reaches across the beginning of a word, words can be encoded one by one.
static bool encode_words(struct encoding *e, const char *text, size_t length) {
    size_t from = 0, mark_end = 0;
    for (size_t i = 0; i < length; i++) {
        if ((uint8_t)text[i] != 0xe2 || !is_mark(text + i, length - i)) continue;
        if (i > from && mark_end != i) {
            if (!bpe_encode(e->tokenizer, text + from, i - from, e->ids, e->error)) return false;
            from = i;
        }
        mark_end = i + 3;
        i += 2;
    }
    return bpe_encode(e->tokenizer, text + from, length - from, e->ids, e->error);
}

static bool pre_tokenize(void *context, const char *text, size_t length, bool first);

static bool split(struct stage *next, const struct pre_tokenizer *pre, const char *text,
    size_t length, bool first) {
    return split_text(pre, text, length, first, pre_tokenize, next, next->encoding->error);
}

static bool prefix(struct stage *next, const char *text, size_t length, bool first) {
    struct buffer prefixed;
    if (*text == ' ') return pre_tokenize(next, text, length, first);
    buffer_init(&prefixed, MAX_TEXT);
    buffer_append_char(&prefixed, ' ');
    buffer_append(&prefixed, text, length);
    bool ok = buffer_ok(&prefixed, "a text", next->encoding->error) &&
              pre_tokenize(next, prefixed.data, prefixed.length, first);
    buffer_free(&prefixed);
    return ok;
}

// A piece begins at each mark of a space.
static bool split_words(struct stage *next, const char *text, size_t length, bool first) {
    size_t from = 0;
    for (size_t i = 1; i < length; i++)
        if (is_mark(text + i, length - i)) {
            if (!pre_tokenize(next, text + from, i - from, first && !from)) return false;
            from = i;
        }
    return pre_tokenize(next, text + from, length - from, first && !from);
}

static bool metaspace(struct stage *next, const struct pre_tokenizer *pre, const char *text,
    size_t length, bool first) {
    struct buffer marked;
    bool begins = *text == ' ' || is_mark(text, length);
    buffer_init(&marked, MAX_TEXT);
    if (!begins && (pre->prepend == PREPEND_ALWAYS || (pre->prepend == PREPEND_FIRST && first)))
        buffer_append(&marked, SPACE_MARK, 3);
    for (size_t i = 0; i < length; i++)
        if (text[i] == ' ')
            buffer_append(&marked, SPACE_MARK, 3);
        else
            buffer_append_char(&marked, text[i]);
    bool ok = buffer_ok(&marked, "a text", next->encoding->error) &&
              (pre->split ? split_words(next, marked.data, marked.length, first)
                          : pre_tokenize(next, marked.data, marked.length, first));
    buffer_free(&marked);
    return ok;
}

static bool pre_tokenize(void *context, const char *text, size_t length, bool first) {
    const struct stage *stage = context;
    struct encoding *e = stage->encoding;
    if (!length) return true;
    if (stage->index == e->tokenizer->pre_tokenizer_count)
        return e->tokenizer->words_apart ? encode_words(e, text, length)
                                         : bpe_encode(e->tokenizer, text, length, e->ids, e->error);
    const struct pre_tokenizer *pre = &e->tokenizer->pre_tokenizers[stage->index];
    struct stage next = {e, stage->index + 1};
    switch (pre->kind) {
    case PRE_TOKENIZER_SPLIT:
        return split(&next, pre, text, length, first);
    case PRE_TOKENIZER_METASPACE:
        return metaspace(&next, pre, text, length, first);
    case PRE_TOKENIZER_PREFIX:
        return prefix(&next, text, length, first);
    }
    return false;
}

// ---- added tokens, and what is between ----

typedef bool (*span_taker)(struct encoding *e, const struct span *span);

static bool encode_pieces(struct encoding *e, const struct span *span) {
    struct stage stage = {e, 0};
    return pre_tokenize(&stage, span->text, span->length, span->first);
}

static struct span part(const struct span *span, size_t from, size_t to) {
    return (struct span){span->text + from, span->marked ? span->marked + from : NULL, to - from,
        span->special, span->first && !from};
}

// Gives what is between added tokens to `take`.
static bool encode_between(
    struct encoding *e, const struct added_set *set, const struct span *span, span_taker take) {
    size_t at = 0, done = 0;
    struct added_match match;
    while (set->count && added_set_next(e->tokenizer, set, span, &at, done, &match)) {
        struct span before = part(span, done, match.from > done ? match.from : done);
        if ((before.length && !take(e, &before)) ||
            !token_ids_append(e->ids, &match.id, 1, e->error))
            return false;
        done = match.to;
    }
    struct span rest = part(span, done, span->length);
    return !rest.length || take(e, &rest);
}

static bool encode_normalised(struct encoding *e, const struct span *span) {
    const struct tokenizer *t = e->tokenizer;
    if (!t->normaliser_count) return encode_between(e, &t->normalised, span, encode_pieces);
    struct buffer text, marks;
    buffer_init(&text, MAX_TEXT);
    buffer_init(&marks, MAX_TEXT);
    bool ok = tokenizer_normalise(t, span, &text, &marks, e->error);
    struct span normalised = {buffer_text(&text),
        span->marked ? (const uint8_t *)buffer_text(&marks) : NULL, text.length, span->special,
        span->first};
    ok = ok && encode_between(e, &t->normalised, &normalised, encode_pieces);
    buffer_free(&text);
    buffer_free(&marks);
    return ok;
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
    bool special, struct token_ids *ids, struct error *error) {
    struct encoding encoding = {tokenizer, ids, error};
    struct span span = {text, NULL, length, special, true};
    return encode_between(&encoding, &tokenizer->added, &span, encode_normalised);
}

bool tokenizer_encode_marked(const struct tokenizer *tokenizer, const char *text,
    const uint8_t *marked, size_t length, struct token_ids *ids, struct error *error) {
    struct encoding encoding = {tokenizer, ids, error};
    struct span span = {text, marked, length, true, true};
    return encode_between(&encoding, &tokenizer->added, &span, encode_normalised);
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

const char *tokenizer_first_bytes(const struct tokenizer *tokenizer, int32_t id, size_t *length) {
    const char *bytes = tokenizer_token_bytes(tokenizer, id, length);
    size_t most = tokenizer->first_space == FIRST_SPACE_STAYS  ? 0
                  : tokenizer->first_space == FIRST_SPACE_GOES ? 1
                                                               : *length;
    for (; most && *length && *bytes == ' '; most--, bytes++)
        --*length;
    return bytes;
}

const char *tokenizer_token_text(const struct tokenizer *tokenizer, int32_t id) {
    const struct token *token = token_of(tokenizer, id);
    return token ? token->text : NULL;
}

int32_t tokenizer_token_id(const struct tokenizer *tokenizer, const char *text) {
    return token_map_find_text(tokenizer, text, strlen(text));
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id) {
    const struct token *token = token_of(tokenizer, id);
    return token && token->special;
}

int32_t tokenizer_bos(const struct tokenizer *tokenizer) {
    return tokenizer->bos;
}
