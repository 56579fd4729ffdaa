// Byte-pair encoding (Sennrich et al. 2016) of one piece of text: starting from single bytes or
// characters, the neighbouring pair of lowest rank is merged until no pair has a rank. Pairs wait
// in a heap, symbols in a linked list, so that a piece of n symbols takes n log n time whatever it
// holds.
#include "base/memory.h"
#include "model/tokenizer_internal.h"
#include <string.h>

struct symbol {
    int32_t id;
    int32_t previous, next; // indices, -1 at the ends
};

struct candidate {
    uint32_t rank;
    int32_t left; // index of the left symbol
    int32_t left_id, right_id;
    int32_t result;
};

struct work {
    const struct tokenizer *tokenizer;
    struct symbol *symbols;
    size_t count;
    struct candidate *heap;
    size_t heap_count;
};

enum { SMALL_PIECE = 64 };

// ---- the heap: lowest rank first, then leftmost ----

static bool before(const struct candidate *a, const struct candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static void heap_push(struct work *w, struct candidate candidate) {
    size_t at = w->heap_count++;
    while (at && before(&candidate, &w->heap[(at - 1) / 2])) {
        w->heap[at] = w->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    w->heap[at] = candidate;
}

static struct candidate heap_pop(struct work *w) {
    struct candidate top = w->heap[0], last = w->heap[--w->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= w->heap_count) break;
        if (child + 1 < w->heap_count && before(&w->heap[child + 1], &w->heap[child])) child++;
        if (!before(&w->heap[child], &last)) break;
        w->heap[at] = w->heap[child];
        at = child;
    }
    w->heap[at] = last;
    return top;
}

// ---- merging ----

static void consider(struct work *w, int32_t left) {
    int32_t right = left < 0 ? -1 : w->symbols[left].next;
    if (right < 0) return;
    int32_t left_id = w->symbols[left].id, right_id = w->symbols[right].id;
    const struct merge *merge = merge_map_find(&w->tokenizer->merges, left_id, right_id);
    if (merge)
        heap_push(w, (struct candidate){merge->rank, left, left_id, right_id, merge->result});
}

// A candidate is stale if one of its symbols was merged since.
static bool still_there(const struct work *w, const struct candidate *candidate) {
    const struct symbol *left = &w->symbols[candidate->left];
    return left->id == candidate->left_id && left->next >= 0 &&
           w->symbols[left->next].id == candidate->right_id;
}

static void merge_all(struct work *w) {
    for (size_t i = 0; i + 1 < w->count; i++)
        consider(w, (int32_t)i);
    while (w->heap_count) {
        struct candidate candidate = heap_pop(w);
        if (!still_there(w, &candidate)) continue;
        struct symbol *left = &w->symbols[candidate.left], *right = &w->symbols[left->next];
        left->id = candidate.result;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0) w->symbols[left->next].previous = candidate.left;
        consider(w, left->previous);
        consider(w, candidate.left);
    }
}

// ---- the first symbols ----

static void add_symbol(struct work *w, int32_t id) {
    int32_t at = (int32_t)w->count++;
    w->symbols[at] = (struct symbol){id, at - 1, -1};
    if (at) w->symbols[at - 1].next = at;
}

static size_t character_length(const char *text, size_t left) {
    uint8_t first = (uint8_t)*text;
    size_t length = first < 0x80    ? 1
                    : first >= 0xf0 ? 4
                    : first >= 0xe0 ? 3
                    : first >= 0xc0 ? 2
                                    : 1;
    return length < left ? length : left;
}

static void add_bytes(struct work *w, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        add_symbol(w, w->tokenizer->byte_tokens[(uint8_t)text[i]]);
}

static bool has_bytes(const struct tokenizer *t, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (t->byte_tokens[(uint8_t)text[i]] < 0) return false;
    return t->byte_fallback;
}

// Neighbouring unknown characters are one unknown token where the model fuses them.
static void add_unknown(struct work *w) {
    int32_t unknown = w->tokenizer->unknown;
    bool fuse = w->tokenizer->fuse_unknown && w->count && w->symbols[w->count - 1].id == unknown;
    if (unknown >= 0 && !fuse) add_symbol(w, unknown);
}

static void add_characters(struct work *w, const char *piece, size_t length) {
    const struct tokenizer *t = w->tokenizer;
    for (size_t at = 0; at < length;) {
        size_t size = character_length(piece + at, length - at);
        int32_t id = token_map_find(&t->by_text, t->tokens, piece + at, size);
        if (id >= 0)
            add_symbol(w, id);
        else if (has_bytes(t, piece + at, size))
            add_bytes(w, piece + at, size);
        else
            add_unknown(w);
        at += size;
    }
}

static bool emit(struct work *w, struct token_ids *ids, struct error *error) {
    for (int32_t at = w->count ? 0 : -1; at >= 0; at = w->symbols[at].next)
        if (w->symbols[at].id >= 0 && !token_ids_append(ids, &w->symbols[at].id, 1, error))
            return false;
    return true;
}

static bool encode_with(
    struct work *w, const char *piece, size_t length, struct token_ids *ids, struct error *error) {
    if (w->tokenizer->byte_level)
        add_bytes(w, piece, length);
    else
        add_characters(w, piece, length);
    merge_all(w);
    return emit(w, ids, error);
}

bool bpe_encode(const struct tokenizer *tokenizer, const char *piece, size_t length,
    struct token_ids *ids, struct error *error) {
    struct symbol symbols[SMALL_PIECE];
    struct candidate heap[3 * SMALL_PIECE];
    struct work work = {tokenizer, symbols, 0, heap, 0};
    if (length <= SMALL_PIECE) return encode_with(&work, piece, length, ids, error);
    if (length > INT32_MAX / 4)
        return error_set(error, ERROR_INVALID, "a text of %zu bytes is too long", length);
    // Each symbol is considered once at first and twice for each of its merges.
    work.symbols = memory_alloc_array(length, sizeof *work.symbols);
    work.heap = memory_alloc_array(3 * length, sizeof *work.heap);
    bool ok = work.symbols && work.heap ? encode_with(&work, piece, length, ids, error)
                                        : memory_error(error, "encoding a long text");
    memory_free(work.symbols);
    memory_free(work.heap);
    return ok;
}
