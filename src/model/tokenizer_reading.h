// The parts of reading a tokenizer.json.
#ifndef MODEL_TOKENIZER_READING_H
#define MODEL_TOKENIZER_READING_H

#include "model/tokenizer_internal.h"

// Refuses by name what is not done. Returns false.
bool tokenizer_unsupported(struct error *error, const char *what, const char *name);

bool tokenizer_is_type(const json_t *object, const char *name);
const char *tokenizer_type(const json_t *object); // NULL: it has none

// normalizer, pre_tokenizer, post_processor and decoder; the vocabulary must be there.
bool tokenizer_read_steps(
    struct tokenizer *tokenizer, const json_t *root, struct error *error) WARN_UNUSED;

// What tokens stand for, once the steps are known.
bool tokenizer_set_bytes(struct tokenizer *tokenizer, struct error *error) WARN_UNUSED;

// Which pieces are one token, once the merges are there.
bool tokenizer_find_whole(struct tokenizer *tokenizer, struct error *error) WARN_UNUSED;

#endif
