// Checking a JSON object against a table of its fields: the one place that refuses unknown fields,
// wrong types, values out of range, and what we do not support, each by its name, in OpenAI's
// words.
//
// null counts as absent everywhere, as it does with OpenAI.
#ifndef SERVICE_FIELDS_H
#define SERVICE_FIELDS_H

#include "base/error.h"
#include <jansson.h>
#include <stddef.h>

struct reply;

enum field_type {
    FIELD_STRING,
    FIELD_INTEGER,
    FIELD_NUMBER,
    FIELD_BOOLEAN,
    FIELD_ARRAY,
    FIELD_OBJECT,
    FIELD_ANY, // the reader checks it
};

enum field_use {
    FIELD_OPTIONAL,
    FIELD_REQUIRED,
    FIELD_ADVISORY,    // taken and not acted on: it only advises
    FIELD_UNSUPPORTED, // refused by name, unless it says what holds anyway (`neutral`)
};

struct field {
    const char *name;
    enum field_type type;
    enum field_use use;
    double minimum,
        maximum;         // of numbers, and of the length (in bytes) of strings, where maximum > 0
    const char *neutral; // JSON text of the value that asks for nothing; NULL if there is none
};

// Checks `object`. `path` stands before names ("hyperparameters", NULL at the top). On failure the
// reply is made and false returned.
bool fields_check(const json_t *object, const char *path, const struct field *fields, size_t count,
    struct reply *reply) WARN_UNUSED;

// The member, NULL where it is absent or null.
json_t *fields_get(const json_t *object, const char *name);

// OpenAI's metadata: at most 16 pairs, keys up to 64 and values up to 512 characters.
bool fields_check_metadata(const json_t *metadata, struct reply *reply) WARN_UNUSED;

// "an integer", "a string", …: what stands there, for messages.
const char *fields_type_name(const json_t *value);

// 400 invalid_type: "Invalid type for 'param': expected …, but got … instead."
void fields_refuse_type(
    struct reply *reply, const char *param, const char *expected, const json_t *value);

#endif
