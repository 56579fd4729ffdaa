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

// Reads tokenizer.json, tokenizer_config.json (chat_template, or the files chat_template.jinja and
// additional_chat_templates/tool_use.jinja beside it), special_tokens_map.json and the
// end-of-sequence ids of generation_config.json and config.json; or what a GGUF file has of them.
// A model without a chat template opens: only rendering chats is then ERROR_UNSUPPORTED.
bool chat_format_open(
    struct chat_format **format, const char *directory, struct error *error) WARN_UNUSED;
void chat_format_close(struct chat_format *format);

// Takes the template in this file in place of the model's own. Before the format is shared.
bool chat_format_take_template(
    struct chat_format *format, const char *path, struct error *error) WARN_UNUSED;

// The format for a model with an adapter (or NULL): with the template in the file `template` (or
// NULL), else with the one that the adapter was trained with, where it brings one
// (chat_template.jinja), else with the model's own.
bool chat_format_open_with(struct chat_format **format, const char *directory, const char *adapter,
    const char *template, struct error *error) WARN_UNUSED;

const struct tokenizer *chat_format_tokenizer(const struct chat_format *format);

bool chat_format_has_template(const struct chat_format *format);

// True for the tokens that end an answer.
bool chat_format_ends(const struct chat_format *format, int32_t id);

// ---- chats ----

struct chat {
    const json_t *messages; // a list of objects with "role", "content" and the like, as the API's
    const json_t *tools;    // a list that is not empty, or NULL
    int64_t time;           // what a template takes for now: seconds of the local clock on the wall
};

int64_t chat_time_now(void);

// Reads {"messages", "tools", "parallel_tool_calls"}, borrowing from it; chat->time stays. Checks
// roles, contents, calls of tools and tools. Errors say which message is wrong, what, and what to
// do.
bool chat_read(struct chat *chat, const json_t *root, struct error *error) WARN_UNUSED;

// Checks that there is at least one assistant message with a weight above 0.
bool chat_has_answers(const struct chat *chat, struct error *error) WARN_UNUSED;

// Appends the prompt after which the assistant's answer begins. A chat whose tools, or calls of
// tools, the template passes over in silence is ERROR_UNSUPPORTED.
bool chat_prompt(const struct chat_format *format, const struct chat *chat, struct token_ids *ids,
    struct error *error) WARN_UNUSED;

// The same for messages alone, now.
bool chat_format_prompt(const struct chat_format *format, const json_t *messages,
    struct token_ids *ids, struct error *error) WARN_UNUSED;

// A training example. Start with zeros; it may be used again and again; free with
// chat_example_free.
struct chat_example {
    struct token_ids tokens;
    float *weights; // [tokens.count]: of the loss on predicting that token; the first is 0
    size_t weight_capacity;
    size_t trained; // tokens with a weight above 0
    bool endless;   // an answer has no end-of-turn token: nothing says when to stop
};

void chat_example_free(struct chat_example *example);

// Renders a whole chat. Each assistant message's text and the end of its turn weigh 1 (but not
// where the message says "weight": 0), all else `prompt_weight`. The tokens before an answer are
// those of its chat_prompt. Where the template writes the chat before an answer, or the answer,
// otherwise in the whole chat than when that answer is asked for, this is ERROR_UNSUPPORTED.
bool chat_make_example(const struct chat_format *format, const struct chat *chat,
    float prompt_weight, struct chat_example *example, struct error *error) WARN_UNUSED;

// A plain text: begin-of-sequence, the text, end-of-sequence (each where the model has one), all
// but the first with `weight`.
bool chat_format_text(const struct chat_format *format, const char *text, size_t length,
    float weight, struct chat_example *example, struct error *error) WARN_UNUSED;

#endif
