// Byte-pair encoding (Sennrich et al. 2016) of one piece of text: starting from single bytes or
// characters, the neighbouring pair of lowest rank is merged until no pair has a rank. Short pieces
// are searched for that pair from left to right; in long ones pairs wait in a heap and symbols in a
// linked list, so that a piece of n symbols takes n log n time whatever it holds.
#include "base/memory.h"
#include "model/tokenizer_internal.h"
#include "model/unicode.h"

enum { SHORT_PIECE = 48 };

// A symbol, and the merge of it with the next one.
struct symbol {
    int32_t id;
    int32_t previous, next; // indices, -1 at the ends
    uint32_t rank;          // UINT32_MAX: they do not merge, or this symbol is gone
    int32_t result;
};

struct work {
    const struct tokenizer *tokenizer;
    struct symbol *symbols;
    size_t count;
    uint64_t *heap; // rank << 32 | index of the left symbol
    size_t heap_count;
};

// ---- the first symbols ----

// Unknown characters are held back until a known one follows: neighbours may become one token.
struct starting {
    const struct tokenizer *tokenizer;
    int32_t *ids; // room for a symbol for each byte
    size_t count;
    bool unknown;
};

static void flush_unknown(struct starting *s) {
    if (s->unknown) s->ids[s->count++] = s->tokenizer->unknown;
    s->unknown = false;
}

static void add_unknown(struct starting *s) {
    if (s->tokenizer->unknown < 0) return;
    if (!s->tokenizer->fuse_unknown) flush_unknown(s);
    s->unknown = true;
}

static bool add_bytes(struct starting *s, const char *text, size_t length) {
    const int32_t *bytes = s->tokenizer->byte_tokens;
    for (size_t i = 0; i < length; i++)
        if (bytes[(uint8_t)text[i]] < 0) return false;
    for (size_t i = 0; i < length; i++)
        s->ids[s->count++] = bytes[(uint8_t)text[i]];
    return true;
}

static void add_character(struct starting *s, const char *text, size_t length) {
    const struct tokenizer *t = s->tokenizer;
    int32_t id = token_map_find_piece(t, text, length);
    if (id >= 0) {
        flush_unknown(s);
        s->ids[s->count++] = id;
    } else if (!t->byte_fallback || !add_bytes(s, text, length))
        add_unknown(s);
}

static size_t first_symbols(
    const struct tokenizer *t, const char *piece, size_t length, int32_t *ids) {
    struct starting s = {.tokenizer = t, .ids = ids};
    for (size_t at = 0, size = 1; at < length; at += size) {
        if (!t->byte_level) {
            unicode_character(piece + at, length - at, &size);
            add_character(&s, piece + at, size);
            continue;
        }
        int32_t id = t->byte_tokens[(uint8_t)piece[at]];
        if (id < 0) {
            add_unknown(&s);
            continue;
        }
        flush_unknown(&s);
        s.ids[s.count++] = id;
    }
    flush_unknown(&s);
    return s.count;
}

// ---- short pieces ----

static const struct merge no_merge = {0, UINT32_MAX, -1};

static const struct merge *merge_of(const struct tokenizer *t, int32_t left, int32_t right) {
    const struct merge *merge = merge_map_find(&t->merges, left, right);
    return merge ? merge : &no_merge;
}

// Merges in place; returns how many ids are left.
static size_t merge_short(const struct tokenizer *t, int32_t *ids, size_t count) {
    const struct merge *merges[SHORT_PIECE];
    for (size_t i = 0; i + 1 < count; i++)
        merges[i] = merge_of(t, ids[i], ids[i + 1]);
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++)
            if (merges[i]->rank < merges[best]->rank) best = i;
        if (merges[best]->rank == UINT32_MAX) break;
        ids[best] = merges[best]->result;
        memmove(ids + best + 1, ids + best + 2, (count - best - 2) * sizeof *ids);
        if (count - best > 2)
            memmove(merges + best, merges + best + 1, (count - best - 2) * sizeof *merges);
        count--;
        if (best) merges[best - 1] = merge_of(t, ids[best - 1], ids[best]);
        if (best + 1 < count) merges[best] = merge_of(t, ids[best], ids[best + 1]);
    }
    return count;
}

// ---- long pieces: a heap of four branches, lowest rank first, then leftmost ----

static void heap_push(struct work *w, uint64_t key) {
    size_t at = w->heap_count++;
    while (at && key < w->heap[(at - 1) / 4]) {
        w->heap[at] = w->heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    w->heap[at] = key;
}

static size_t least_child(const struct work *w, size_t first) {
    size_t least = first, end = first + 4 < w->heap_count ? first + 4 : w->heap_count;
    for (size_t child = first + 1; child < end; child++)
        if (w->heap[child] < w->heap[least]) least = child;
    return least;
}

static uint64_t heap_pop(struct work *w) {
    uint64_t top = w->heap[0], last = w->heap[--w->heap_count];
    size_t at = 0;
    while (4 * at + 1 < w->heap_count) {
        size_t child = least_child(w, 4 * at + 1);
        if (w->heap[child] >= last) break;
        w->heap[at] = w->heap[child];
        at = child;
    }
    w->heap[at] = last;
    return top;
}

static void consider(struct work *w, int32_t left) {
    if (left < 0) return;
    struct symbol *symbol = &w->symbols[left];
    symbol->rank = UINT32_MAX;
    if (symbol->next < 0) return;
    const struct merge *merge = merge_of(w->tokenizer, symbol->id, w->symbols[symbol->next].id);
    symbol->rank = merge->rank;
    symbol->result = merge->result;
    if (merge->rank != UINT32_MAX) heap_push(w, (uint64_t)merge->rank << 32 | (uint32_t)left);
}

// An entry of the heap is stale if its symbol has another merge, or none, since.
static void merge_long(struct work *w) {
    for (size_t i = 0; i < w->count; i++)
        consider(w, (int32_t)i);
    while (w->heap_count) {
        uint64_t key = heap_pop(w);
        int32_t at = (int32_t)(uint32_t)key;
        struct symbol *left = &w->symbols[at];
        if (left->rank != (uint32_t)(key >> 32)) continue;
        struct symbol *right = &w->symbols[left->next];
        left->id = left->result;
        left->next = right->next;
        right->rank = UINT32_MAX;
        if (left->next >= 0) w->symbols[left->next].previous = at;
        consider(w, left->previous);
        consider(w, at);
    }
}

// Merges in place through a list and a heap; returns how many ids are left.
static size_t merge_in(struct work *w, int32_t *ids) {
    size_t count = 0;
    for (size_t i = 0; i < w->count; i++)
        w->symbols[i] =
            (struct symbol){ids[i], (int32_t)i - 1, i + 1 < w->count ? (int32_t)i + 1 : -1};
    merge_long(w);
    for (int32_t at = 0; at >= 0; at = w->symbols[at].next)
        ids[count++] = w->symbols[at].id;
    return count;
}

static bool encode_long(const struct tokenizer *t, const char *piece, size_t length,
    struct token_ids *ids, struct error *error) {
    if (length > INT32_MAX / 4)
        return error_set(error, ERROR_INVALID, "a text of %zu bytes is too long", length);
    int32_t *symbols = memory_alloc_array(length, sizeof *symbols);
    struct work work = {.tokenizer = t};
    bool ok = symbols || memory_error(error, "encoding a long text");
    if (ok) work.count = first_symbols(t, piece, length, symbols);
    if (ok && work.count) {
        // Each pair is considered once at first, and two more for each merge.
        work.symbols = memory_alloc_array(work.count, sizeof *work.symbols);
        work.heap = memory_alloc_array(3 * work.count, sizeof *work.heap);
        ok = (work.symbols && work.heap) || memory_error(error, "encoding a long text");
        ok = ok && token_ids_append(ids, symbols, merge_in(&work, symbols), error);
    }
    memory_free(work.symbols);
    memory_free(work.heap);
    memory_free(symbols);
    return ok;
}

// ---- pieces ----

bool bpe_merge(const struct tokenizer *t, const char *piece, size_t length, struct token_ids *ids,
    struct error *error) {
    int32_t symbols[SHORT_PIECE];
    if (length > SHORT_PIECE) return encode_long(t, piece, length, ids, error);
    size_t count = first_symbols(t, piece, length, symbols);
    return token_ids_append(ids, symbols, merge_short(t, symbols, count), error);
}

bool bpe_encode(const struct tokenizer *t, const char *piece, size_t length, struct token_ids *ids,
    struct error *error) {
    int32_t id = token_map_find_piece(t, piece, length);
    if (id < 0 || !t->tokens[id].whole) return bpe_merge(t, piece, length, ids, error);
    if (ids->count == ids->capacity) return token_ids_append(ids, &id, 1, error);
    ids->ids[ids->count++] = id;
    return true;
}
