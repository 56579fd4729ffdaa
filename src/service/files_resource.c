// /v1/files: what users upload, and what jobs leave for them.
#include "base/memory.h"
#include "service/byte_range.h"
#include "service/file_object.h"
#include "service/query.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "service/upload_form.h"
#include "store/store.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXPIRY_MINIMUM = 3600, EXPIRY_MAXIMUM = 2592000 }; // seconds

static const char *const orders[] = {"asc", "desc", NULL};

static const struct field file_query_fields[] = {
    SHAPE_PAGE_FIELDS(10000, 10000),
    {"purpose", FIELD_STRING, .about = "Only files of this purpose."},
    SHAPE_SEARCH_FIELD("Only files whose name or id has this text (ours)."),
    {"order", FIELD_STRING, .values = orders, .standard = "\"desc\"",
        .about = "By the time of creation: oldest or newest first."},
};
const struct shape file_query_shape = SHAPE("FileQuery", file_query_fields);

static const struct field file_form_fields[] = {
    {"file", FIELD_FILE, FIELD_REQUIRED, .about = "The file, at most 100 MB."},
    {"purpose", FIELD_STRING, FIELD_REQUIRED, .values = file_purposes},
    {"expires_after[anchor]", FIELD_STRING, .about = "\"created_at\""},
    {"expires_after[seconds]", FIELD_STRING, .about = "An hour to 30 days: 3600 to 2592000."},
};
const struct shape file_form_shape = SHAPE("CreateFileForm", file_form_fields);

static bool purpose_allowed(const char *purpose) {
    for (const char *const *at = file_purposes; *at; at++)
        if (strcmp(purpose, *at) == 0) return true;
    return false;
}

static bool check_form(const struct upload_form *form, struct reply *reply) {
    static const char *const fields[] = {
        "purpose", "expires_after[anchor]", "expires_after[seconds]", NULL};
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

// Reads when the file is to expire, seconds from now; 0 for never. False with the reply made.
static bool read_expiry(const struct upload_form *form, int64_t *seconds, struct reply *reply) {
    const char *anchor = upload_form_field(form, "expires_after[anchor]");
    const char *text = upload_form_field(form, "expires_after[seconds]");
    *seconds = 0;
    if (!anchor && !text) return true;
    if (!anchor || !text) {
        reply_error(reply, 400, "missing_required_parameter",
            anchor ? "expires_after[seconds]" : "expires_after[anchor]",
            "'expires_after' needs both 'anchor' and 'seconds'.");
        return false;
    }
    if (strcmp(anchor, "created_at") != 0) {
        reply_error(reply, 400, "invalid_value", "expires_after[anchor]",
            "Invalid value: '%.40s'. Supported values are: 'created_at'.", anchor);
        return false;
    }
    size_t digits = strspn(text, "0123456789");
    *seconds = digits && digits <= 9 && !text[digits] ? strtol(text, NULL, 10) : 0;
    if (*seconds >= EXPIRY_MINIMUM && *seconds <= EXPIRY_MAXIMUM) return true;
    reply_error(reply, 400, "invalid_value", "expires_after[seconds]",
        "Invalid 'expires_after[seconds]': expected an integer from %d to %d.", EXPIRY_MINIMUM,
        EXPIRY_MAXIMUM);
    return false;
}

void files_create(struct service *service, struct request *request, struct reply *reply) {
    struct upload_form *form = request->form;
    struct error error = {0};
    int64_t expiry;
    if (!check_form(form, reply) || !read_expiry(form, &expiry, reply)) return;
    char *name = file_plain_name(upload_form_file_name(form), "file", reply);
    if (!name) return;
    struct file_record file = {
        .account = request->account,
        .filename = name,
        .purpose = (char *)upload_form_field(form, "purpose"),
        .status = (char *)"processed",
        .bytes = (int64_t)upload_form_size(form),
    };
    if (expiry) file.expires_at = (int64_t)time(NULL) + expiry;
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
    query.search = request_query(request, "search");
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

// Answers with the open file, or the part of it that the request asks for.
static void answer_content(const struct request *request, const struct file_record *file,
    int descriptor, uint64_t size, struct reply *reply) {
    uint64_t first = 0, count = size;
    enum byte_range range = byte_range_read(request->range, size, &first, &count);
    reply_header(reply, "Accept-Ranges", "bytes");
    if (range == BYTE_RANGE_OUTSIDE) {
        close(descriptor);
        reply_header(reply, "Content-Range", "bytes */%llu", (unsigned long long)size);
        reply_error(reply, 416, "invalid_range", NULL,
            "The file has %llu bytes; the range lies behind its end.", (unsigned long long)size);
        return;
    }
    if (range == BYTE_RANGE_PART)
        reply_header(reply, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)first,
            (unsigned long long)(first + count - 1), (unsigned long long)size);
    reply->status = range == BYTE_RANGE_PART ? 206 : 200;
    reply->content_type = "application/octet-stream";
    reply->file = descriptor;
    reply->file_offset = first;
    reply->file_size = count;
    reply->file_name = header_name(file->filename);
}

void files_content(struct service *service, struct request *request, struct reply *reply) {
    struct file_record file;
    struct error error = {0};
    int descriptor;
    uint64_t size;
    if (!get_file(service, request, &file, reply)) return;
    if (file_open(service->store, file.id, &descriptor, &size, &error))
        answer_content(request, &file, descriptor, size, reply);
    else
        reply_failure(reply, "reading the file", &error);
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
