// /v1/uploads: files that come in parts.
#include "base/memory.h"
#include "jobs/upload_keeper.h"
#include "service/file_object.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "service/stream.h"
#include "service/upload_form.h"
#include "store/store_uploads.h"
#include <string.h>

#define UPLOAD_MAXIMUM 8589934592.0 // 8 GB

enum { TEXT_LENGTH = 256, PARTS_MAXIMUM = 10000 };

static const struct field upload_request_fields[] = {
    {"filename", FIELD_STRING, FIELD_REQUIRED, 1, TEXT_LENGTH},
    {"purpose", FIELD_STRING, FIELD_REQUIRED, .values = file_purposes},
    {"bytes", FIELD_INTEGER, FIELD_REQUIRED, 1, UPLOAD_MAXIMUM,
        .about = "Of the whole: at most 8 GB, and 100 MB for purpose \"fine-tune\"."},
    {"mime_type", FIELD_STRING, FIELD_REQUIRED, 1, TEXT_LENGTH},
    {"expires_after", FIELD_OBJECT, .shape = &expires_after_shape},
};
const struct shape upload_request_shape = SHAPE("CreateUpload", upload_request_fields);

static const struct field part_form_fields[] = {
    {"data", FIELD_FILE, FIELD_REQUIRED, .about = "The bytes of the part, at most 64 MB."},
};
const struct shape part_form_shape = SHAPE("AddUploadPartForm", part_form_fields);

static const struct field complete_fields[] = {
    {"part_ids", FIELD_ARRAY, FIELD_REQUIRED, .items = FIELD_STRING,
        .about = "The parts, in the order in which they make the file."},
    {"md5", FIELD_STRING, .about = "Of the whole, in hexadecimal: checked."},
};
const struct shape complete_shape = SHAPE("CompleteUpload", complete_fields);

static const char *const statuses[] = {"pending", "completed", "cancelled", "expired", NULL};

static const struct field upload_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("bytes"),
    SHAPE_COUNT("created_at"),
    SHAPE_TEXT("filename"),
    SHAPE_TEXT("purpose"),
    {"status", FIELD_STRING, FIELD_REQUIRED, .values = statuses},
    SHAPE_COUNT("expires_at"),
    {"file", FIELD_OBJECT, FIELD_REQUIRED, .nullable = true, .shape = &file_shape},
};
const struct shape upload_shape = SHAPE("Upload", upload_fields);

static const struct field part_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("created_at"),
    SHAPE_TEXT("upload_id"),
};
const struct shape part_shape = SHAPE("UploadPart", part_fields);

// With the file, where there is one (and it was not deleted since).
static json_t *upload_object(struct service *service, const struct upload_record *upload) {
    struct file_record file;
    struct error ignored;
    json_t *whole = json_null();
    if (upload->file && file_get(service->store, upload->account, upload->file, &file, &ignored)) {
        whole = file_object(&file);
        file_record_free(&file);
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:o}", "id", upload->id, "object",
        "upload", "bytes", (json_int_t)upload->bytes, "created_at", (json_int_t)upload->created_at,
        "filename", upload->filename, "purpose", upload->purpose, "status", upload->status,
        "expires_at", (json_int_t)upload->expires_at, "file", whole);
}

static void create(struct service *service, const struct request *request, const json_t *body,
    char *filename, struct reply *reply) {
    const json_t *expiry = fields_get(body, "expires_after");
    struct error error = {0};
    struct upload_record upload = {
        .account = request->account,
        .filename = filename,
        .purpose = (char *)json_string_value(json_object_get(body, "purpose")),
        .mime_type = (char *)json_string_value(json_object_get(body, "mime_type")),
        .status = (char *)"pending",
        .bytes = json_integer_value(json_object_get(body, "bytes")),
        .file_expires_after = json_integer_value(json_object_get(expiry, "seconds")),
    };
    if (upload_create(service->store, &upload, &error))
        reply_json(reply, 200, upload_object(service, &upload));
    else
        reply_failure(reply, "creating the upload", &error);
    memory_free(upload.id);
}

static bool check_size(const json_t *body, struct reply *reply) {
    const char *purpose = json_string_value(json_object_get(body, "purpose"));
    json_int_t bytes = json_integer_value(json_object_get(body, "bytes"));
    if (strcmp(purpose, "fine-tune") != 0 || bytes <= FILE_FINE_TUNE_MAXIMUM) return true;
    reply_error(reply, 400, "integer_above_max_value", "bytes",
        "Invalid 'bytes': a file with purpose 'fine-tune' has at most %d bytes (100 MB).",
        FILE_FINE_TUNE_MAXIMUM);
    return false;
}

void uploads_create(struct service *service, struct request *request, struct reply *reply) {
    json_t *body = request_json(request, reply);
    if (body && shape_check(body, NULL, &upload_request_shape, reply) && check_size(body, reply)) {
        char *filename = file_plain_name(
            json_string_value(json_object_get(body, "filename")), "filename", reply);
        if (filename) create(service, request, body, filename, reply);
        memory_free(filename);
    }
    json_decref(body);
}

// Gets the upload that the path names. False with the reply made.
static bool get_upload(struct service *service, const char *account, const char *id,
    struct upload_record *upload, struct reply *reply) {
    struct error error = {0};
    if (upload_get(service->store, account, id, upload, &error)) return true;
    if (error.code == ERROR_NOT_FOUND)
        reply_not_found(reply, "Upload", id);
    else
        reply_failure(reply, "looking the upload up", &error);
    return false;
}

static void answer_upload(
    struct service *service, const char *account, const char *id, struct reply *reply) {
    struct upload_record upload;
    if (!get_upload(service, account, id, &upload, reply)) return;
    reply_json(reply, 200, upload_object(service, &upload));
    upload_record_free(&upload);
}

void uploads_retrieve(struct service *service, struct request *request, struct reply *reply) {
    answer_upload(service, request->account, request_parameter(request, 0), reply);
}

static bool check_form(const struct upload_form *form, struct reply *reply) {
    static const char *const fields[] = {NULL};
    const char *unknown = upload_form_unknown(form, fields);
    if (unknown)
        reply_error(
            reply, 400, "unknown_parameter", unknown, "Unknown parameter: '%.100s'.", unknown);
    else if (!upload_form_path(form))
        reply_error(
            reply, 400, "missing_required_parameter", "data", "'data' is a required property");
    else if (upload_form_size(form) == 0)
        reply_error(reply, 400, "empty_file", "data", "The part is empty.");
    return reply->status == 0;
}

void uploads_add_part(struct service *service, struct request *request, struct reply *reply) {
    struct upload_record upload;
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (!check_form(request->form, reply) ||
        !get_upload(service, request->account, id, &upload, reply))
        return;
    upload_record_free(&upload);
    struct upload_part part = {.bytes = (int64_t)upload_form_size(request->form)};
    if (upload_part_add(
            service->store, request->account, id, upload_form_path(request->form), &part, &error)) {
        upload_form_taken(request->form);
        reply_json(reply, 200,
            json_pack("{s:s, s:s, s:I, s:s}", "id", part.id, "object", "upload.part", "created_at",
                (json_int_t)part.created_at, "upload_id", id));
        memory_free(part.id);
    } else {
        reply_failure(reply, "storing the part", &error);
    }
}

void uploads_cancel(struct service *service, struct request *request, struct reply *reply) {
    struct upload_record upload;
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (!get_upload(service, request->account, id, &upload, reply)) return;
    upload_record_free(&upload);
    if (upload_cancel(service->store, request->account, id, &error))
        answer_upload(service, request->account, id, reply);
    else
        reply_failure(reply, "cancelling the upload", &error);
}

// ---- completing: the answer comes when the keeper has put the parts together ----

struct completing {
    struct service *service;
    struct stream *stream; // a reference
    char *account, *id;
};

static void free_completing(struct completing *completing) {
    stream_release(completing->stream);
    memory_free(completing->account);
    memory_free(completing->id);
    memory_free(completing);
}

static void completed(void *context, const struct error *error) {
    struct completing *completing = context;
    struct reply reply;
    reply_init(&reply);
    if (!error)
        answer_upload(completing->service, completing->account, completing->id, &reply);
    else if (error->code == ERROR_INVALID)
        reply_error(&reply, 400, "invalid_value",
            strstr(error->message, "md5") ? "md5" : "part_ids", "%s", error->message);
    else
        reply_failure(&reply, "completing the upload", error);
    stream_start(completing->stream, &reply, false);
    stream_end(completing->stream);
    free_completing(completing);
}

static struct completing *begin_completing(
    struct service *service, const struct request *request, struct stream *stream) {
    struct completing *completing = memory_alloc_zeroed(1, sizeof *completing);
    if (!completing) return NULL;
    *completing = (struct completing){
        .service = service,
        .stream = stream_retain(stream),
        .account = memory_copy_string(request->account),
        .id = memory_copy_string(request_parameter(request, 0)),
    };
    if (completing->account && completing->id) return completing;
    free_completing(completing);
    return NULL;
}

static bool hand_over(struct service *service, const struct request *request, const json_t *body,
    const char *const *parts, struct stream *stream, struct error *error) {
    const json_t *ids = json_object_get(body, "part_ids");
    struct completing *completing = begin_completing(service, request, stream);
    if (!completing) return memory_error(error, "an upload");
    struct upload_assembly assembly = {
        .account = request->account,
        .upload = request_parameter(request, 0),
        .parts = parts,
        .part_count = json_array_size(ids),
        .md5 = json_string_value(fields_get(body, "md5")),
        .done = completed,
        .context = completing,
    };
    if (upload_keeper_complete(service->uploads, &assembly, error)) return true;
    free_completing(completing);
    return false;
}

static void complete(struct service *service, const struct request *request, const json_t *body,
    struct reply *reply) {
    const json_t *ids = json_object_get(body, "part_ids");
    struct error error = {0};
    struct stream *stream = NULL;
    size_t index;
    json_t *id;
    const char **parts = memory_alloc_zeroed(json_array_size(ids) + 1, sizeof *parts);
    bool good = parts ? stream_open(&stream, &error) : memory_error(&error, "an upload");
    if (good) {
        json_array_foreach(ids, index, id) parts[index] = json_string_value(id);
        good = hand_over(service, request, body, (const char *const *)parts, stream, &error);
    }
    if (good) {
        reply->stream = stream;
    } else {
        stream_release(stream);
        reply_failure(reply, "completing the upload", &error);
    }
    memory_free(parts);
}

static bool check_completion(const json_t *body, struct reply *reply) {
    const char *md5 = json_string_value(fields_get(body, "md5"));
    size_t count = json_array_size(json_object_get(body, "part_ids"));
    if (count < 1 || count > PARTS_MAXIMUM) {
        reply_error(reply, 400, "invalid_value", "part_ids",
            "Invalid 'part_ids': expected 1 to %d ids of parts.", PARTS_MAXIMUM);
        return false;
    }
    if (!md5 || (strlen(md5) == UPLOAD_MD5_LENGTH &&
                    strspn(md5, "0123456789abcdefABCDEF") == UPLOAD_MD5_LENGTH))
        return true;
    reply_error(reply, 400, "invalid_value", "md5",
        "Invalid 'md5': expected %d hexadecimal digits.", UPLOAD_MD5_LENGTH);
    return false;
}

void uploads_complete(struct service *service, struct request *request, struct reply *reply) {
    struct upload_record upload;
    json_t *body = request_json(request, reply);
    if (body && shape_check(body, NULL, &complete_shape, reply) && check_completion(body, reply) &&
        get_upload(service, request->account, request_parameter(request, 0), &upload, reply)) {
        upload_record_free(&upload);
        complete(service, request, body, reply);
    }
    json_decref(body);
}
