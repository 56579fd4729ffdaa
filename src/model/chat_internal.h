// What opening a chat format, reading chats and rendering them share.
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

// How a message that calls tools looks to a template: as transformers has it, or, for templates
// that fail on that, as they were written for.
enum chat_calls {
    CHAT_CALLS_PLAIN,         // no content where it has none, arguments as objects
    CHAT_CALLS_WITH_CONTENT,  // "" where it has none
    CHAT_CALLS_AS_CLIENTS_DO, // null where it has none, arguments as JSON in a text
    CHAT_CALLS_COUNT
};

// The messages as templates know them (a new reference), as transformers hands them over: no
// members that are null, a plain role, content as one text, reasoning under each of its names.
// NULL with an error.
json_t *chat_plain_messages(
    const json_t *messages, enum chat_calls calls, struct error *error) WARN_UNUSED;

#endif
