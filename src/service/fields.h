// Tables of fields. One table says what an object, a form or a query of the API may hold: requests
// are checked against it, here alone, and refused in OpenAI's words (unknown fields, wrong types,
// values out of range, what we do not support, each by its name); answers are described by it; and
// /openapi.json is made of it.
//
// null counts as absent everywhere in requests, as it does with OpenAI.
#ifndef SERVICE_FIELDS_H
#define SERVICE_FIELDS_H

#include "base/error.h"
#include <jansson.h>
#include <stddef.h>

struct reply;

enum field_type {
    FIELD_ANY, // the reader checks it
    FIELD_STRING,
    FIELD_INTEGER,
    FIELD_NUMBER,
    FIELD_BOOLEAN,
    FIELD_ARRAY,
    FIELD_OBJECT,
    FIELD_FILE, // of a form: bytes
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
    const char *const *values; // the texts that are allowed, NULL-terminated; NULL for any
    const struct shape *shape; // of an object, or of each member of an array; NULL for any
    enum field_type items;     // of an array without a shape: what its members are
    bool nullable;             // in answers: may be null
    const char *standard;      // what holds where it is absent, as JSON text; NULL if nothing does
    const char *about;         // a sentence for the documentation
    const char *schema; // JSON Schema, where the members above cannot say it; the reader checks it
};

// A table and the name that the documentation knows it by ("FineTuningJob"). A field whose name
// ends in "[]" stands for all "name[key]" of a query.
struct shape {
    const char *name;
    const struct field *fields;
    size_t count;
};

#define SHAPE(title, table)                                                                        \
    { title, table, sizeof(table) / sizeof((table)[0]) }

// Checks `object`. `path` stands before names ("hyperparameters", NULL at the top). On failure the
// reply is made and false returned.
bool fields_check(const json_t *object, const char *path, const struct field *fields, size_t count,
    struct reply *reply) WARN_UNUSED;

// The same by a shape, and by the shapes of what it holds, with names such as "messages[2].role".
bool shape_check(const json_t *object, const char *path, const struct shape *shape,
    struct reply *reply) WARN_UNUSED;

// The member, NULL where it is absent or null.
json_t *fields_get(const json_t *object, const char *name);

// Whether a text is one of the field's values; else the reply names them.
bool fields_check_text(const struct field *field, const char *value, const char *param,
    struct reply *reply) WARN_UNUSED;

// As JSON Schema, what fields_check_metadata checks.
#define FIELDS_METADATA_SCHEMA                                                                     \
    "{\"type\": [\"object\", \"null\"], \"maxProperties\": 16, "                                   \
    "\"propertyNames\": {\"maxLength\": 64}, "                                                     \
    "\"additionalProperties\": {\"type\": \"string\", \"maxLength\": 512}}"

// OpenAI's metadata: at most 16 pairs, keys up to 64 and values up to 512 characters.
bool fields_check_metadata(const json_t *metadata, struct reply *reply) WARN_UNUSED;

// "an integer", "a string", …: what stands there, for messages.
const char *fields_type_name(const json_t *value);

// 400 invalid_type: "Invalid type for 'param': expected …, but got … instead."
void fields_refuse_type(
    struct reply *reply, const char *param, const char *expected, const json_t *value);

#endif
