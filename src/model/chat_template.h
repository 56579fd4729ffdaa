// Chat templates: the part of Jinja that models' chat_template texts use, with the whitespace rules
// of transformers' apply_chat_template (trim_blocks and lstrip_blocks on). A template is foreign
// code: it can read what it is given and write text, nothing else, within bounds on steps, depth
// and memory.
//
// Every byte of the output is known to come from the template or from the data, so that whoever
// turns it into tokens can keep a user's text from becoming control. What a template asks for and
// this program does not do is refused by name, with its line.
#ifndef MODEL_CHAT_TEMPLATE_H
#define MODEL_CHAT_TEMPLATE_H

#include "base/error.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct chat_template;

// Parses a template.
bool chat_template_parse(struct chat_template **parsed, const char *text, size_t length,
    struct error *error) WARN_UNUSED;
void chat_template_free(struct chat_template *parsed);

struct chat_text {
    char *text;         // followed by a NUL
    uint8_t *from_data; // [length]: 1 for bytes that came from the variables
    size_t length;
};

// Renders with the members of `variables` (an object) as the template's variables. Strings among
// `constants` (an object, may be NULL: bos_token and the like) count as the template's own text.
// With `now` (seconds, 0 for none) the template can ask for the date. What the template raises is
// ERROR_INVALID. May be called from several threads.
bool chat_template_render(const struct chat_template *parsed, const json_t *constants,
    const json_t *variables, int64_t now, struct chat_text *output,
    struct error *error) WARN_UNUSED;
void chat_text_free(struct chat_text *text);

#endif
