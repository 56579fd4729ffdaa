// Table-driven checks of JSON objects that come from clients.
#include "service/fields.h"
#include "service/reply.h"
#include <stdio.h>
#include <string.h>

enum {
    PARAM_SIZE = 256,
    METADATA_PAIRS = 16,
    METADATA_KEY_LENGTH = 64,
    METADATA_VALUE_LENGTH = 512,
};

json_t *fields_get(const json_t *object, const char *name) {
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

const char *fields_type_name(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a decimal";
    case JSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

static bool check_value(
    const struct field *field, const json_t *value, const char *param, struct reply *reply);

static bool type_matches(enum field_type type, const json_t *value) {
    switch (type) {
    case FIELD_STRING:
        return json_is_string(value);
    case FIELD_INTEGER:
        return json_is_integer(value);
    case FIELD_NUMBER:
        return json_is_number(value);
    case FIELD_BOOLEAN:
        return json_is_boolean(value);
    case FIELD_ARRAY:
        return json_is_array(value);
    case FIELD_OBJECT:
        return json_is_object(value);
    case FIELD_FILE:
        return false;
    case FIELD_ANY:
        return true;
    }
    return false;
}

void fields_refuse_type(
    struct reply *reply, const char *param, const char *expected, const json_t *value) {
    reply_error(reply, 400, "invalid_type", param,
        "Invalid type for '%s': expected %s, but got %s instead.", param, expected,
        fields_type_name(value));
}

static bool check_range(
    const struct field *field, const json_t *value, const char *param, struct reply *reply) {
    if (field->maximum <= 0 || field->type == FIELD_ANY) return true;
    bool is_text = json_is_string(value);
    double amount = is_text ? (double)json_string_length(value) : json_number_value(value);
    if (amount >= field->minimum && amount <= field->maximum) return true;
    bool above = amount > field->maximum;
    const char *kind = field->type == FIELD_INTEGER ? "integer" : "decimal";
    char code[64];
    if (is_text) {
        reply_error(reply, 400, above ? "string_above_max_length" : "string_below_min_length",
            param, "Invalid '%s': expected a string of %g to %g bytes, but got one of %g.", param,
            field->minimum, field->maximum, amount);
        return false;
    }
    snprintf(code, sizeof code, "%s_%s_value", kind, above ? "above_max" : "below_min");
    reply_error(reply, 400, code, param,
        "Invalid '%s': %s %s value. Expected a value %s %g, but got %g instead.", param, kind,
        above ? "above maximum" : "below minimum",
        above ? "<=" : ">=", above ? field->maximum : field->minimum, amount);
    return false;
}

// Writes "'a', 'b' and 'c'".
static void write_values(char *text, size_t size, const char *const *values) {
    size_t used = 0;
    for (size_t i = 0; values[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s'%s'",
            i == 0          ? ""
            : values[i + 1] ? ", "
                            : " and ",
            values[i]);
}

bool fields_check_text(
    const struct field *field, const char *value, const char *param, struct reply *reply) {
    char allowed[400];
    if (!field->values) return true;
    for (size_t i = 0; field->values[i]; i++)
        if (strcmp(field->values[i], value) == 0) return true;
    write_values(allowed, sizeof allowed, field->values);
    reply_error(reply, 400, "invalid_value", param,
        "Invalid value: '%.100s'. Supported values are: %s.", value, allowed);
    return false;
}

static bool same_value(const json_t *left, const json_t *right) {
    if (json_is_number(left) && json_is_number(right))
        return json_number_value(left) == json_number_value(right);
    return json_equal(left, right);
}

static bool is_neutral(const struct field *field, const json_t *value) {
    if (!field->neutral) return false;
    json_t *neutral = json_loads(field->neutral, JSON_DECODE_ANY, NULL);
    bool same = neutral && same_value(neutral, value);
    json_decref(neutral);
    return same;
}

// What an object or an array holds.
static bool check_inside(
    const struct field *field, const json_t *value, const char *param, struct reply *reply) {
    size_t index;
    json_t *member;
    char name[PARAM_SIZE];
    if (json_is_object(value) && field->shape)
        return shape_check(value, param, field->shape, reply);
    json_array_foreach((json_t *)value, index, member) {
        struct field one = {"", field->shape ? FIELD_OBJECT : field->items, .shape = field->shape};
        snprintf(name, sizeof name, "%.200s[%zu]", param, index);
        if (!check_value(&one, member, name, reply)) return false;
    }
    return true;
}

static bool check_value(
    const struct field *field, const json_t *value, const char *param, struct reply *reply) {
    static const char *const expected[] = {
        [FIELD_STRING] = "a string",
        [FIELD_INTEGER] = "an integer",
        [FIELD_NUMBER] = "a number",
        [FIELD_BOOLEAN] = "a boolean",
        [FIELD_ARRAY] = "an array",
        [FIELD_OBJECT] = "an object",
        [FIELD_FILE] = "a file",
        [FIELD_ANY] = "a value",
    };
    if (field->use == FIELD_UNSUPPORTED) {
        if (is_neutral(field, value)) return true;
        reply_error(reply, 400, "unsupported_parameter", param,
            "Unsupported parameter: '%s' is not supported by this server. Leave it out.", param);
        return false;
    }
    if (!type_matches(field->type, value)) {
        fields_refuse_type(reply, param, expected[field->type], value);
        return false;
    }
    if (json_is_string(value) && !fields_check_text(field, json_string_value(value), param, reply))
        return false;
    return check_range(field, value, param, reply) && check_inside(field, value, param, reply);
}

static const struct field *find(const struct field *fields, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0) return &fields[i];
    return NULL;
}

static void param_name(char *param, const char *path, const char *name) {
    snprintf(param, PARAM_SIZE, "%s%s%.100s", path ? path : "", path ? "." : "", name);
}

bool fields_check(const json_t *object, const char *path, const struct field *fields, size_t count,
    struct reply *reply) {
    char param[PARAM_SIZE];
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value) {
        const struct field *field = find(fields, count, name);
        param_name(param, path, name);
        if (!field) {
            reply_error(reply, 400, "unknown_parameter", param, "Unknown parameter: '%s'.", param);
            return false;
        }
        if (!json_is_null(value) && !check_value(field, value, param, reply)) return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].use != FIELD_REQUIRED || fields_get(object, fields[i].name)) continue;
        param_name(param, path, fields[i].name);
        reply_error(reply, 400, "missing_required_parameter", param,
            "Missing required parameter: '%s'.", param);
        return false;
    }
    return true;
}

bool shape_check(
    const json_t *object, const char *path, const struct shape *shape, struct reply *reply) {
    return fields_check(object, path, shape->fields, shape->count, reply);
}

bool fields_check_metadata(const json_t *metadata, struct reply *reply) {
    const char *key;
    json_t *value;
    if (!metadata) return true;
    if (json_object_size(metadata) > METADATA_PAIRS) {
        reply_error(reply, 400, "object_above_max_properties", "metadata",
            "Invalid 'metadata': at most %d pairs are allowed.", METADATA_PAIRS);
        return false;
    }
    json_object_foreach((json_t *)metadata, key, value) {
        if (json_is_string(value) && json_string_length(value) <= METADATA_VALUE_LENGTH &&
            strlen(key) <= METADATA_KEY_LENGTH)
            continue;
        reply_error(reply, 400, "invalid_value", "metadata",
            "Invalid 'metadata': '%.64s' must have a key of at most %d and a text of at most %d "
            "characters.",
            key, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH);
        return false;
    }
    return true;
}
