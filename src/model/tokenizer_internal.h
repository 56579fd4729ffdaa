// What reading tokenizer.json and encoding share.
#ifndef MODEL_TOKENIZER_INTERNAL_H
#define MODEL_TOKENIZER_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/tokenizer.h"
#include <pcre2.h>

struct token {
    char *text;      // as the vocabulary spells it; NULL where there is no such id
    char *bytes;     // what it stands for
    uint32_t length; // of bytes
    bool special;
    bool added;
};

// From bytes to an id: open addressing, the key is tokens[id].
struct token_map {
    size_t mask;
    int32_t *slots; // -1: free
};

struct merge {
    uint64_t pair; // left id << 32 | right id
    uint32_t rank;
    int32_t result;
};

struct merge_map {
    size_t mask;
    struct merge *slots; // rank UINT32_MAX: free
};

enum pre_tokenizer_kind { PRE_TOKENIZER_SPLIT, PRE_TOKENIZER_METASPACE };

enum { MAX_PRE_TOKENIZERS = 8, MAX_ADDED = 4096 };

struct pre_tokenizer {
    enum pre_tokenizer_kind kind;
    pcre2_code *pattern; // every match, and every stretch between two, is a piece
    bool prepend;        // METASPACE: a space before the text
    bool split;          // METASPACE: a piece for each word
};

struct tokenizer {
    size_t count;
    struct token *tokens;
    struct token_map by_text; // the vocabulary's spelling
    struct merge_map merges;
    size_t pre_tokenizer_count;
    struct pre_tokenizer pre_tokenizers[MAX_PRE_TOKENIZERS];
    size_t added_count;
    int32_t added[MAX_ADDED]; // longest first
    bool added_starts[256];   // first bytes of added tokens
    int32_t byte_tokens[256]; // byte-level: the token of each byte; byte fallback: <0xXX>; or -1
    bool byte_level;
    bool byte_fallback;
    bool ignore_merges;
    bool fuse_unknown;
    bool normalise_spaces; // " " becomes "▁"
    bool prepend_space;    // and one stands before every text
    int32_t unknown;       // or -1
    int32_t bos;
};

int32_t token_map_find(
    const struct token_map *map, const struct token *tokens, const char *text, size_t length);
const struct merge *merge_map_find(const struct merge_map *map, int32_t left, int32_t right);

// Byte-level alphabets spell each byte as a character: bytes of that spelling, or false if a
// character is not of the alphabet. `bytes` has room for `length`.
bool byte_level_decode(const char *text, size_t length, char *bytes, size_t *decoded);

// Appends the ids of one piece.
bool bpe_encode(const struct tokenizer *tokenizer, const char *piece, size_t length,
    struct token_ids *ids, struct error *error) WARN_UNUSED;

#endif
