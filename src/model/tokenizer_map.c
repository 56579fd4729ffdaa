// From bytes to tokens and from pairs to merges: open addressing, filled when a tokenizer is opened
// and only read after.
#include "base/memory.h"
#include "model/tokenizer_internal.h"

uint64_t token_hash(const char *text, size_t length) {
    const uint64_t factor = 0x9e3779b97f4a7c15u;
    uint64_t hash = length * factor, word;
    for (; length >= 8; text += 8, length -= 8) {
        memcpy(&word, text, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
    }
    word = 0;
    for (size_t i = 0; i < length; i++)
        word |= (uint64_t)(uint8_t)text[i] << (8 * i);
    hash = (hash ^ word) * factor;
    return hash ^ hash >> 29;
}

static size_t power_above(size_t count) {
    size_t size = 16;
    while (size < 2 * count)
        size *= 2;
    return size;
}

bool token_map_create(struct token_map *map, size_t count, struct error *error) {
    size_t size = power_above(count);
    map->slots = memory_alloc_array(size, sizeof *map->slots);
    if (!map->slots) return memory_error(error, "the vocabulary");
    memset(map->slots, 0xff, size * sizeof *map->slots);
    map->mask = size - 1;
    return true;
}

void token_map_add(struct token_map *map, const char *text, size_t length, int32_t id) {
    uint64_t hash = token_hash(text, length);
    size_t at = hash & map->mask;
    while (map->slots[at].id >= 0)
        at = (at + 1) & map->mask;
    map->slots[at] = (struct token_slot){(uint32_t)(hash >> 32), id};
}

int32_t token_map_find_piece(const struct tokenizer *t, const char *piece, size_t length) {
    uint64_t hash = token_hash(piece, length);
    for (size_t at = hash & t->by_piece.mask;; at = (at + 1) & t->by_piece.mask) {
        struct token_slot slot = t->by_piece.slots[at];
        if (slot.id < 0) return -1;
        const struct token *token = &t->tokens[slot.id];
        if (slot.tag == (uint32_t)(hash >> 32) && token->piece_length == length &&
            !memcmp(token->piece, piece, length))
            return slot.id;
    }
}

int32_t token_map_find_text(const struct tokenizer *t, const char *text, size_t length) {
    uint64_t hash = token_hash(text, length);
    for (size_t at = hash & t->by_text.mask;; at = (at + 1) & t->by_text.mask) {
        struct token_slot slot = t->by_text.slots[at];
        if (slot.id < 0) return -1;
        const struct token *token = &t->tokens[slot.id];
        if (slot.tag == (uint32_t)(hash >> 32) && token->text_length == length &&
            !memcmp(token->text, text, length))
            return slot.id;
    }
}

bool merge_map_create(struct merge_map *map, size_t count, struct error *error) {
    size_t size = power_above(count);
    map->slots = memory_alloc_array(size, sizeof *map->slots);
    if (!map->slots) return memory_error(error, "the merges");
    map->mask = size - 1;
    for (size_t i = 0; i < size; i++)
        map->slots[i] = (struct merge){0, UINT32_MAX, -1};
    return true;
}

void merge_map_add(struct merge_map *map, struct merge merge) {
    size_t at = (merge.pair * 0x9e3779b97f4a7c15u >> 32) & map->mask;
    while (map->slots[at].rank != UINT32_MAX && map->slots[at].pair != merge.pair)
        at = (at + 1) & map->mask;
    map->slots[at] = merge;
}
