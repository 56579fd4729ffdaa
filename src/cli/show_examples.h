// Showing a training file's examples token by token: which of them bear loss.
#ifndef CLI_SHOW_EXAMPLES_H
#define CLI_SHOW_EXAMPLES_H

#include <jansson.h>
#include <stddef.h>

struct dataset;
struct tokenizer;

// Prints the first `count` examples. What is trained on is green on a terminal, and stands between
// ⟦ and ⟧ elsewhere (or where NO_COLOR is set).
void show_examples(const struct dataset *dataset, const struct tokenizer *tokenizer, size_t count);

// The same as a list of {"line", "tokens": [{"id", "text", "weight"}]}; texts as the vocabulary
// spells them. A new reference, NULL if memory is short.
json_t *show_examples_json(
    const struct dataset *dataset, const struct tokenizer *tokenizer, size_t count);

#endif
