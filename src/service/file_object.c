// Writing files as JSON, and checking their names.
#include "service/file_object.h"
#include "base/memory.h"
#include "service/reply.h"
#include "service/shapes.h"
#include "store/store.h"
#include <string.h>

const char *const file_purposes[] = {"fine-tune", "batch", NULL};

static const char *const file_statuses[] = {"uploaded", "processed", "error", NULL};

static const struct field file_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("bytes"),
    SHAPE_COUNT("created_at"),
    SHAPE_COUNT_OR_NULL("expires_at"),
    SHAPE_TEXT("filename"),
    SHAPE_TEXT("purpose"),
    {"status", FIELD_STRING, FIELD_REQUIRED, .values = file_statuses},
    SHAPE_TEXT_OR_NULL("status_details"),
};
const struct shape file_shape = SHAPE("File", file_fields);

static const char *const anchors[] = {"created_at", NULL};

static const struct field expires_after_fields[] = {
    {"anchor", FIELD_STRING, FIELD_REQUIRED, .values = anchors},
    {"seconds", FIELD_INTEGER, FIELD_REQUIRED, 3600, 2592000, .about = "An hour to 30 days."},
};
const struct shape expires_after_shape = SHAPE("ExpiresAfter", expires_after_fields);

json_t *file_object(const struct file_record *file) {
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:s, s:s, s:s, s:s?}", "id", file->id, "object",
        "file", "bytes", (json_int_t)file->bytes, "created_at", (json_int_t)file->created_at,
        "expires_at", file->expires_at ? json_integer(file->expires_at) : json_null(), "filename",
        file->filename, "purpose", file->purpose, "status", file->status, "status_details",
        file->status_details);
}

char *file_plain_name(const char *name, const char *param, struct reply *reply) {
    const char *slash = strrchr(name, '/');
    char *copy = memory_copy_string(slash ? slash + 1 : name);
    for (char *at = copy; at && *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f) *at = '_';
    json_t *text = copy ? json_string(copy) : NULL;
    bool good = text && *copy && strlen(copy) <= FILE_NAME_LENGTH;
    json_decref(text);
    if (good) return copy;
    memory_free(copy);
    reply_error(reply, 400, "invalid_value", param,
        "The file's name must be 1 to %d bytes of UTF-8.", FILE_NAME_LENGTH);
    return NULL;
}
