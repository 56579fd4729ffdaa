// What reading tokenizer.json and encoding share.
#ifndef MODEL_TOKENIZER_INTERNAL_H
#define MODEL_TOKENIZER_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/buffer.h"
#include "model/tokenizer.h"
#include <pcre2.h>
#include <string.h>

#define SPACE_MARK "\xe2\x96\x81" // ▁, sentencepiece's space

struct token {
    char *text;           // as the vocabulary spells it; NULL where there is no such id
    char *bytes;          // what it decodes to
    char *piece;          // of the model's vocabulary: the bytes that it is found by; may be `text`
    uint32_t text_length; // these may hold no NUL
    uint32_t length;      // of bytes
    uint32_t piece_length;
    bool special;
    bool in_model; // in the model's vocabulary
    bool whole;    // the model makes its piece this one token
};

// From bytes to an id: open addressing.
struct token_slot {
    uint32_t tag; // more of the hash
    int32_t id;   // -1: free
};

struct token_map {
    size_t mask;
    struct token_slot *slots;
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

// ---- added tokens ----

struct added_token {
    char *text; // as it is looked for: of normalized ones, normalized
    size_t length;
    int32_t id;
    uint32_t order;
    bool left_strip, right_strip; // spaces beside it belong to it
    bool single_word;
};

// Sorted by text.
struct added_set {
    struct added_token *tokens;
    size_t count;
    bool starts[256]; // first bytes
};

struct added_match {
    size_t from, to;
    int32_t id;
};

// A text on its way, and which of its bytes are nothing but text (NULL: none).
struct span {
    const char *text;
    const uint8_t *marked;
    size_t length;
    bool special; // special tokens are looked for
    bool first;   // it is where the whole text begins
};

// ---- steps ----

enum normaliser_kind {
    NORMALISER_PREPEND, // `to` before the text
    NORMALISER_REPLACE, // each `from` by `to`
    NORMALISER_NFC,
    NORMALISER_NFD
};

struct normaliser {
    enum normaliser_kind kind;
    char *from, *to;
};

enum pre_tokenizer_kind {
    PRE_TOKENIZER_SPLIT,     // pieces by a pattern
    PRE_TOKENIZER_METASPACE, // spaces become ▁, one more stands before the text
    PRE_TOKENIZER_PREFIX     // a space before the text
};

enum finder { FIND_PATTERN, FIND_LITERAL, FIND_DIGITS, FIND_GPT2_WORDS, FIND_WORDS };

enum behaviour {
    BEHAVIOUR_ISOLATED,
    BEHAVIOUR_REMOVED,
    BEHAVIOUR_CONTIGUOUS,
    BEHAVIOUR_MERGED_WITH_PREVIOUS,
    BEHAVIOUR_MERGED_WITH_NEXT
};

enum prepend_scheme { PREPEND_ALWAYS, PREPEND_NEVER, PREPEND_FIRST };

struct pre_tokenizer {
    enum pre_tokenizer_kind kind;
    enum finder finder;          // SPLIT
    enum behaviour behaviour;    // SPLIT
    bool invert;                 // SPLIT: what is between matches counts as the match
    pcre2_code *pattern;         // FIND_PATTERN
    char *literal;               // FIND_LITERAL
    size_t most_digits;          // FIND_WORDS: digits in a piece
    enum prepend_scheme prepend; // METASPACE
    bool split;                  // METASPACE: a piece for each word
};

enum first_space { FIRST_SPACE_STAYS, FIRST_SPACE_GOES, FIRST_SPACES_GO };

enum decoder { DECODER_BYTE_LEVEL, DECODER_MARKS, DECODER_PLAIN };

enum { MAX_STEPS = 16, MAX_ADDED = 1 << 16, MAX_TEXT = 1 << 30 };

struct tokenizer {
    size_t count;
    struct token *tokens;
    struct token_map by_text;  // every token, by the vocabulary's spelling
    struct token_map by_piece; // those of the model
    struct merge_map merges;
    struct added_set added;      // looked for in the text as it is
    struct added_set normalised; // looked for in the normalized text
    size_t normaliser_count;
    struct normaliser normalisers[MAX_STEPS];
    size_t pre_tokenizer_count;
    struct pre_tokenizer pre_tokenizers[MAX_STEPS];
    int32_t byte_tokens[256]; // byte-level: the token of each byte; byte fallback: <0xXX>; or -1
    bool byte_level;
    bool byte_fallback;
    bool ignore_merges;
    bool fuse_unknown;
    bool words_apart; // no merge crosses from a character to a ▁ behind it
    enum decoder decoder;
    bool decodes_fallback; // <0xXX> decodes to a byte
    enum first_space first_space;
    int32_t unknown; // or -1
    int32_t bos;
};

// ---- maps ----

uint64_t token_hash(const char *text, size_t length);
bool token_map_create(struct token_map *map, size_t count, struct error *error) WARN_UNUSED;
void token_map_add(struct token_map *map, const char *text, size_t length, int32_t id);

// Keys are the pieces, or the spellings, of tokens.
int32_t token_map_find_piece(const struct tokenizer *tokenizer, const char *piece, size_t length);
int32_t token_map_find_text(const struct tokenizer *tokenizer, const char *text, size_t length);

bool merge_map_create(struct merge_map *map, size_t count, struct error *error) WARN_UNUSED;
void merge_map_add(struct merge_map *map, struct merge merge); // replaces one of the same pair

static inline const struct merge *merge_map_find(
    const struct merge_map *map, int32_t left, int32_t right) {
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint64_t hash = pair * 0x9e3779b97f4a7c15u;
    for (size_t at = (hash >> 32) & map->mask;; at = (at + 1) & map->mask) {
        const struct merge *merge = &map->slots[at];
        if (merge->rank == UINT32_MAX) return NULL;
        if (merge->pair == pair) return merge;
    }
}

// ---- the parts ----

// Sorts a set and notes its first bytes.
void added_set_finish(struct added_set *set);
void added_set_free(struct added_set *set);

// The next token of the set that begins at or after `*at` and counts; false if there is none. `*at`
// moves behind it; `done` is the end of the one before.
bool added_set_next(const struct tokenizer *tokenizer, const struct added_set *set,
    const struct span *span, size_t *at, size_t done, struct added_match *match);

// Appends the normalized text, and marks for its bytes where the text has marks.
bool tokenizer_normalise(const struct tokenizer *tokenizer, const struct span *span,
    struct buffer *text, struct buffer *marks, struct error *error) WARN_UNUSED;

typedef bool (*piece_taker)(void *context, const char *piece, size_t length, bool first);

// Gives the pieces of a text to `take`, in order; none is empty.
bool split_text(const struct pre_tokenizer *pre, const char *text, size_t length, bool first,
    piece_taker take, void *context, struct error *error) WARN_UNUSED;

// A pattern of tokenizer.json (Oniguruma's syntax) made ready: a finder of our own where it is a
// well-known one, else PCRE2's. What the two engines understand differently is refused.
bool split_pattern_set(
    struct pre_tokenizer *pre, const char *pattern, struct error *error) WARN_UNUSED;
extern const char split_gpt2_pattern[];

// Where the word ends that begins at `at`, by the well-known patterns.
size_t split_gpt2_word(const char *text, size_t length, size_t at);
size_t split_word(const char *text, size_t length, size_t at, size_t most_digits);

// Appends the ids of one piece.
bool bpe_encode(const struct tokenizer *tokenizer, const char *piece, size_t length,
    struct token_ids *ids, struct error *error) WARN_UNUSED;

// The same by merging alone: no piece is looked up as a whole.
bool bpe_merge(const struct tokenizer *tokenizer, const char *piece, size_t length,
    struct token_ids *ids, struct error *error) WARN_UNUSED;

#endif
