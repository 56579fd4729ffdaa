// Chats as token ids: a model's tokenizer, its chat template and its end-of-turn tokens together.
// The same rendering serves training (with a loss weight for each token) and generation (a prompt).
//
// What a message says is text, never control: special tokens come from the template alone, whatever
// a user wrote. After opening, a chat_format is read-only and may be used from several threads.
#ifndef MODEL_CHAT_EXAMPLE_H
#define MODEL_CHAT_EXAMPLE_H

#include "base/error.h"
#include "model/tokenizer.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct chat_format;

// Reads tokenizer.json, tokenizer_config.json (chat_template, or the file chat_template.jinja
// beside it) and the end-of-sequence ids of generation_config.json and config.json. A model without
// a chat template opens: only rendering chats is then ERROR_UNSUPPORTED.
bool chat_format_open(
    struct chat_format **format, const char *directory, struct error *error) WARN_UNUSED;
void chat_format_close(struct chat_format *format);

const struct tokenizer *chat_format_tokenizer(const struct chat_format *format);

bool chat_format_has_template(const struct chat_format *format);

// True for the tokens that end an answer.
bool chat_format_ends(const struct chat_format *format, int32_t id);

// Appends the prompt after which the assistant's answer begins. `messages` is an array of objects
// with "role" and "content", as the API takes them.
bool chat_format_prompt(const struct chat_format *format, const json_t *messages,
    struct token_ids *ids, struct error *error) WARN_UNUSED;

// A training example. Start with zeros; it may be used again and again; free with
// chat_example_free.
struct chat_example {
    struct token_ids tokens;
    float *weights; // [tokens.count]: of the loss on predicting that token; the first is 0
    size_t weight_capacity;
    size_t trained; // tokens with a weight above 0
};

void chat_example_free(struct chat_example *example);

// Renders a whole chat. Each assistant message's text and the end of its turn weigh 1 (0 where the
// message says "weight": 0), all else `prompt_weight`. The tokens before an answer are those of its
// chat_format_prompt.
bool chat_format_example(const struct chat_format *format, const json_t *messages,
    float prompt_weight, struct chat_example *example, struct error *error) WARN_UNUSED;

// A plain text: begin-of-sequence, the text, end-of-sequence (each where the model has one), all
// but the first with `weight`.
bool chat_format_text(const struct chat_format *format, const char *text, size_t length,
    float weight, struct chat_example *example, struct error *error) WARN_UNUSED;

// Checks messages as a training example needs them: known roles, contents, at least one assistant
// message with a weight above 0. The error says which message is wrong, what, and what to do.
bool chat_messages_check(const json_t *messages, struct error *error) WARN_UNUSED;

#endif
