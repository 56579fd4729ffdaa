// What opening a chat format, checking chats and rendering them share.
#ifndef MODEL_CHAT_INTERNAL_H
#define MODEL_CHAT_INTERNAL_H

#include "model/chat_example.h"
#include "model/chat_template.h"

enum { CHAT_MAX_MESSAGES = 4096, CHAT_MAX_TOOLS = 1024, CHAT_MAX_ENDS = 16 };

struct chat_format {
    struct tokenizer *tokenizer;
    struct chat_template *template;  // NULL: the model has none
    struct chat_template *for_tools; // in its place where a chat has tools; NULL: the same
    json_t *constants;               // bos_token and the like
    int32_t ends[CHAT_MAX_ENDS];
    size_t end_count;
    int32_t text_begin; // around a plain text; -1 for none
    int32_t text_end;
    bool adds_space; // the tokenizer puts a space before a text: a part of one needs care
};

// The messages as templates know them (a new reference), as transformers hands them over: no
// members that are null, a plain role, content as one text, arguments of tool calls as objects,
// reasoning under each of its names. NULL with an error.
json_t *chat_plain_messages(const json_t *messages, struct error *error) WARN_UNUSED;

// Renders the first `count` of plain messages.
bool chat_render(const struct chat_format *format, const struct chat *chat, const json_t *plain,
    size_t count, bool opening, struct chat_text *text, struct error *error) WARN_UNUSED;

// A fault if the template passes over the chat's tools, calls of tools, or what tools answered:
// `whole` is all of it, rendered.
bool chat_check_written(const struct chat_format *format, const struct chat *chat,
    const json_t *plain, bool opening, const struct chat_text *whole,
    struct error *error) WARN_UNUSED;

#endif
