// Tokenizers as Hugging Face's tokenizer.json describes them: BPE, byte-level (GPT-2, Llama 3,
// Qwen, SmolLM) or with sentencepiece's alphabet and byte fallback (Llama 2, Mistral, TinyLlama).
// The ids are those of Hugging Face's `tokenizers`. What a file asks for and this program does not
// do is refused by its name when the file is opened.
//
// After opening, a tokenizer is read-only (it holds no cache) and may be used from several threads.
// A text takes time in proportion to its length (n log n for one piece of n bytes without a cut); a
// pattern of a file that would take longer is an error.
#ifndef MODEL_TOKENIZER_H
#define MODEL_TOKENIZER_H

#include "base/error.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct tokenizer;

// A growing list of token ids. Start with zeros; free with token_ids_free.
struct token_ids {
    int32_t *ids;
    size_t count;
    size_t capacity;
};

bool token_ids_append(
    struct token_ids *list, const int32_t *ids, size_t count, struct error *error) WARN_UNUSED;
void token_ids_free(struct token_ids *list);

// Reads the content of a tokenizer.json.
bool tokenizer_from_json(
    struct tokenizer **tokenizer, const json_t *root, struct error *error) WARN_UNUSED;

// Reads directory/tokenizer.json, or the tokenizer of a GGUF file at this path (model/gguf.h).
bool tokenizer_open(
    struct tokenizer **tokenizer, const char *directory, struct error *error) WARN_UNUSED;
void tokenizer_close(struct tokenizer *tokenizer);

// One more than the largest id.
size_t tokenizer_vocabulary_size(const struct tokenizer *tokenizer);

// Appends the ids of `text` (UTF-8; bytes that are not are kept as bytes). With `special`, texts of
// special tokens in it become those tokens; without, they are text like any other: what a user
// wrote is never control. No token is put before or behind.
bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
    bool special, struct token_ids *ids, struct error *error) WARN_UNUSED;

// The same, with special tokens only where none of their bytes is marked: `marked` (of `length`,
// may be NULL) holds 1 for bytes that are nothing but text.
bool tokenizer_encode_marked(const struct tokenizer *tokenizer, const char *text,
    const uint8_t *marked, size_t length, struct token_ids *ids, struct error *error) WARN_UNUSED;

// The bytes that a token stands for, "" for special ones and unknown ids. A character may be spread
// over several tokens.
const char *tokenizer_token_bytes(const struct tokenizer *tokenizer, int32_t id, size_t *length);

// The same of the token with which a text begins: sentencepiece's tokenizers put a space before a
// text, and take it away again.
const char *tokenizer_first_bytes(const struct tokenizer *tokenizer, int32_t id, size_t *length);

// The text of a token as the vocabulary spells it, special ones too; NULL for unknown ids.
const char *tokenizer_token_text(const struct tokenizer *tokenizer, int32_t id);

// The id of a token by that spelling, or -1.
int32_t tokenizer_token_id(const struct tokenizer *tokenizer, const char *text);

bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id);

// The token that this tokenizer's post-processor puts before every text, or -1.
int32_t tokenizer_bos(const struct tokenizer *tokenizer);

#endif
