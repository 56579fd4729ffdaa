// /v1/files: what users upload, and what jobs leave for them.
#include "base/memory.h"
#include "service/query.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "service/upload_form.h"
#include "store/store.h"
#include <string.h>

enum { FILE_NAME_LENGTH = 255 };

// What may be uploaded. Files of other purposes (results) come from the server alone.
static const char *const purposes[] = {"fine-tune", "batch", NULL};
static const char *const orders[] = {"asc", "desc", NULL};

static const struct field file_query_fields[] = {
    SHAPE_PAGE_FIELDS(10000, 10000),
    {"purpose", FIELD_STRING, .about = "Only files of this purpose."},
    {"order", FIELD_STRING, .values = orders, .standard = "\"desc\"",
        .about = "By the time of creation: oldest or newest first."},
};
const struct shape file_query_shape = SHAPE("FileQuery", file_query_fields);

static const struct field file_form_fields[] = {
    {"file", FIELD_FILE, FIELD_REQUIRED, .about = "The file, at most 100 MB."},
    {"purpose", FIELD_STRING, FIELD_REQUIRED, .values = purposes},
};
const struct shape file_form_shape = SHAPE("CreateFileForm", file_form_fields);

static const struct field file_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("bytes"),
    SHAPE_COUNT("created_at"),
    SHAPE_COUNT_OR_NULL("expires_at"),
    SHAPE_TEXT("filename"),
    SHAPE_TEXT("purpose"),
    SHAPE_TEXT("status"),
    SHAPE_TEXT_OR_NULL("status_details"),
};
const struct shape file_shape = SHAPE("File", file_fields);

static json_t *file_object(const struct file_record *file) {
    return json_pack("{s:s, s:s, s:I, s:I, s:n, s:s, s:s, s:s, s:s?}", "id", file->id, "object",
        "file", "bytes", (json_int_t)file->bytes, "created_at", (json_int_t)file->created_at,
        "expires_at", "filename", file->filename, "purpose", file->purpose, "status", file->status,
        "status_details", file->status_details);
}

static bool purpose_allowed(const char *purpose) {
    for (const char *const *at = purposes; *at; at++)
        if (strcmp(purpose, *at) == 0) return true;
    return false;
}

static bool check_form(const struct upload_form *form, struct reply *reply) {
    static const char *const fields[] = {"purpose", NULL};
    const char *unknown = upload_form_unknown(form, fields);
    const char *purpose = upload_form_field(form, "purpose");
    if (unknown)
        reply_error(reply, 400, "unknown_parameter", unknown,
            "Unsupported parameter: '%.100s' is not supported by this server. Leave it out.",
            unknown);
    else if (!upload_form_path(form))
        reply_error(
            reply, 400, "missing_required_parameter", "file", "'file' is a required property");
    else if (!purpose)
        reply_error(reply, 400, "missing_required_parameter", "purpose",
            "'purpose' is a required property");
    else if (!purpose_allowed(purpose))
        reply_error(reply, 400, "invalid_value", "purpose",
            "'%.100s' is not one of ['fine-tune', 'batch'] - 'purpose'", purpose);
    else if (upload_form_size(form) == 0)
        reply_error(reply, 400, "empty_file", "file",
            "File is empty. Ensure that you have uploaded a valid, non-empty file.");
    return reply->status == 0;
}

// A name that can stand in JSON and in a header: the client's text, without any folders.
static char *plain_name(const char *name) {
    const char *slash = strrchr(name, '/');
    char *copy = memory_copy_string(slash ? slash + 1 : name);
    for (char *at = copy; at && *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f) *at = '_';
    json_t *text = copy ? json_string(copy) : NULL;
    bool good = text && *copy && strlen(copy) <= FILE_NAME_LENGTH;
    json_decref(text);
    if (good) return copy;
    memory_free(copy);
    return NULL;
}

void files_create(struct service *service, struct request *request, struct reply *reply) {
    struct upload_form *form = request->form;
    struct error error = {0};
    if (!check_form(form, reply)) return;
    char *name = plain_name(upload_form_file_name(form));
    if (!name) {
        reply_error(reply, 400, "invalid_value", "file",
            "The file's name must be 1 to %d bytes of UTF-8.", FILE_NAME_LENGTH);
        return;
    }
    struct file_record file = {
        .account = request->account,
        .filename = name,
        .purpose = (char *)upload_form_field(form, "purpose"),
        .status = (char *)"processed",
        .bytes = (int64_t)upload_form_size(form),
    };
    if (file_create(service->store, &file, upload_form_path(form), &error)) {
        upload_form_taken(form);
        reply_json(reply, 200, file_object(&file));
        memory_free(file.id);
    } else {
        reply_failure(reply, "storing the file", &error);
    }
    memory_free(name);
}

void files_list(struct service *service, struct request *request, struct reply *reply) {
    const char *order = request_query(request, "order");
    struct file_query query = {
        .account = request->account,
        .purpose = request_query(request, "purpose"),
    };
    struct file_record *files;
    struct error error = {0};
    size_t count;
    bool more;
    query.ascending = order && strcmp(order, "asc") == 0;
    query_page(request, &query.limit, &query.after);
    if (!file_list(service->store, &query, &files, &count, &more, &error)) {
        reply_failure(reply, "listing files", &error);
        return;
    }
    json_t *data = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(data, file_object(&files[i]));
    file_list_free(files, count);
    reply_json(reply, 200, reply_list(data, more));
}

// Gets the file that the path names. False with the reply made.
static bool get_file(struct service *service, const struct request *request,
    struct file_record *file, struct reply *reply) {
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (file_get(service->store, request->account, id, file, &error)) return true;
    if (error.code == ERROR_NOT_FOUND)
        reply_not_found(reply, "File", id);
    else
        reply_failure(reply, "looking the file up", &error);
    return false;
}

void files_retrieve(struct service *service, struct request *request, struct reply *reply) {
    struct file_record file;
    if (!get_file(service, request, &file, reply)) return;
    reply_json(reply, 200, file_object(&file));
    file_record_free(&file);
}

// The name as a quoted string of a header can hold it.
static char *header_name(const char *name) {
    char *copy = memory_copy_string(name);
    for (char *at = copy; at && *at; at++)
        if (*at == '"' || *at == '\\' || (unsigned char)*at >= 0x80) *at = '_';
    return copy;
}

void files_content(struct service *service, struct request *request, struct reply *reply) {
    struct file_record file;
    struct error error = {0};
    int descriptor;
    uint64_t size;
    if (!get_file(service, request, &file, reply)) return;
    if (file_open(service->store, file.id, &descriptor, &size, &error)) {
        reply->status = 200;
        reply->content_type = "application/octet-stream";
        reply->file = descriptor;
        reply->file_size = size;
        reply->file_name = header_name(file.filename);
    } else {
        reply_failure(reply, "reading the file", &error);
    }
    file_record_free(&file);
}

void files_delete(struct service *service, struct request *request, struct reply *reply) {
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (file_delete(service->store, request->account, id, &error))
        reply_json(
            reply, 200, json_pack("{s:s, s:s, s:b}", "id", id, "object", "file", "deleted", true));
    else if (error.code == ERROR_NOT_FOUND)
        reply_not_found(reply, "File", id);
    else
        reply_failure(reply, "deleting the file", &error);
}
