// Checking queries by tables.
#include "service/query.h"
#include "service/fields.h"
#include "service/reply.h"
#include "service/request.h"
#include <stdlib.h>
#include <string.h>

// "metadata[]" in the table is any "metadata[key]" of a query.
static bool name_matches(const char *pattern, const char *name) {
    size_t length = strlen(pattern);
    if (length < 2 || strcmp(pattern + length - 2, "[]") != 0) return strcmp(pattern, name) == 0;
    size_t given = strlen(name);
    return given > length && strncmp(pattern, name, length - 1) == 0 && name[given - 1] == ']';
}

static const struct field *find(const struct shape *shape, const char *name) {
    for (size_t i = 0; shape && i < shape->count; i++)
        if (name_matches(shape->fields[i].name, name)) return &shape->fields[i];
    return NULL;
}

static bool is_repeated(const struct request *request, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (strcmp(request->query[i].name, request->query[index].name) == 0) return true;
    return false;
}

static bool check_integer(
    const struct field *field, const char *text, const char *name, struct reply *reply) {
    char *end;
    long value = strtol(text, &end, 10);
    bool whole = *text && strspn(text, "-0123456789") == strlen(text) && !*end;
    if (whole && (field->maximum <= 0 ||
                     ((double)value >= field->minimum && (double)value <= field->maximum)))
        return true;
    reply_error(reply, 400, whole ? "integer_out_of_range" : "invalid_type", name,
        "Invalid '%.100s': '%.40s'. Expected an integer from %.0f to %.0f.", name, text,
        field->minimum, field->maximum);
    return false;
}

static bool check_boolean(const char *text, const char *name, struct reply *reply) {
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) return true;
    reply_error(reply, 400, "invalid_type", name,
        "Invalid '%.100s': '%.40s'. Expected true or false.", name, text);
    return false;
}

static bool check_text(
    const struct field *field, const char *text, const char *name, struct reply *reply) {
    size_t length = strlen(text);
    if (!fields_check_text(field, text, name, reply)) return false;
    if (field->maximum <= 0 ||
        ((double)length >= field->minimum && (double)length <= field->maximum))
        return true;
    reply_error(reply, 400,
        (double)length > field->maximum ? "string_above_max_length" : "string_below_min_length",
        name, "Invalid '%.100s': expected %.0f to %.0f bytes.", name, field->minimum,
        field->maximum);
    return false;
}

bool query_check(const struct request *request, const struct shape *shape, struct reply *reply) {
    for (size_t i = 0; i < request->query_count; i++) {
        const char *name = request->query[i].name, *text = request->query[i].value;
        const struct field *field = find(shape, name);
        if (!field) {
            reply_error(
                reply, 400, "unknown_parameter", name, "Unknown query parameter: '%.100s'.", name);
            return false;
        }
        if (is_repeated(request, i)) {
            reply_error(reply, 400, "invalid_value", name,
                "The query parameter '%.100s' is given twice.", name);
            return false;
        }
        bool good = field->type == FIELD_INTEGER   ? check_integer(field, text, name, reply)
                    : field->type == FIELD_BOOLEAN ? check_boolean(text, name, reply)
                                                   : check_text(field, text, name, reply);
        if (!good) return false;
    }
    return true;
}

void query_page(const struct request *request, int *limit, const char **after) {
    const char *text = request_query(request, "limit");
    const struct field *field = find(request->match.route->query, "limit");
    if (!text && field) text = field->standard;
    *limit = text ? (int)strtol(text, NULL, 10) : 0;
    *after = request_query(request, "after");
}
