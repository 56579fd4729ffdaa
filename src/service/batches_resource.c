// /v1/batches: many requests in one file, answered when there is time.
#include "base/memory.h"
#include "jobs/batch_runner.h"
#include "service/batch_object.h"
#include "service/query.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "store/store_batches.h"
#include <stdlib.h>
#include <string.h>

enum { ID_LENGTH = 128 };

static const char *const endpoints[] = {"/v1/chat/completions", NULL};

static const struct field batch_request_fields[] = {
    {"input_file_id", FIELD_STRING, FIELD_REQUIRED, 1, ID_LENGTH,
        .about = "The id of an uploaded file with purpose \"batch\": a request a line."},
    {"endpoint", FIELD_STRING, FIELD_REQUIRED, .values = endpoints},
    {"completion_window", FIELD_STRING, FIELD_REQUIRED, .values = batch_windows,
        .about = "What is not answered by then expires."},
    {"metadata", FIELD_OBJECT, .schema = FIELDS_METADATA_SCHEMA},
    {"output_expires_after", FIELD_OBJECT, .shape = &expires_after_shape,
        .about = "When the files of results are deleted, counted from their creation."},
};
const struct shape batch_request_shape = SHAPE("CreateBatch", batch_request_fields);

// Checks that the account has that file, for a batch. False with the reply made.
static bool check_file(
    struct service *service, const struct request *request, const char *id, struct reply *reply) {
    struct file_record file;
    struct error error = {0};
    if (!file_get(service->store, request->account, id, &file, &error)) {
        if (error.code == ERROR_NOT_FOUND)
            reply_error(reply, 400, NULL, "input_file_id",
                "Invalid input_file_id: %.128s. Upload it with POST /v1/files and purpose 'batch' "
                "first.",
                id);
        else
            reply_failure(reply, "looking the file up", &error);
        return false;
    }
    bool good = strcmp(file.purpose, "batch") == 0;
    if (!good)
        reply_error(reply, 400, "invalid_file_purpose", "input_file_id",
            "Invalid input_file_id: %.128s has the purpose '%.40s', but must have 'batch'.", id,
            file.purpose);
    file_record_free(&file);
    return good;
}

static void create(struct service *service, const struct request *request, const json_t *body,
    struct reply *reply) {
    const json_t *metadata = fields_get(body, "metadata");
    const json_t *expiry = fields_get(body, "output_expires_after");
    const char *window = json_string_value(json_object_get(body, "completion_window"));
    struct error error = {0};
    struct batch_record record = {
        .account = request->account,
        .endpoint = (char *)json_string_value(json_object_get(body, "endpoint")),
        .input_file = (char *)json_string_value(json_object_get(body, "input_file_id")),
        .completion_window = (char *)window,
        .status = (char *)"validating",
        .metadata = metadata ? json_dumps(metadata, JSON_COMPACT) : NULL,
        .output_expires_after = json_integer_value(json_object_get(expiry, "seconds")),
    };
    if (batch_create(service->store, &record, batch_window_seconds(window), &error)) {
        reply_json(reply, 200, batch_object(&record));
        batch_runner_wake(service->batches);
    } else {
        reply_failure(reply, "creating the batch", &error);
    }
    memory_free(record.id);
    free(record.metadata);
}

void batches_create(struct service *service, struct request *request, struct reply *reply) {
    json_t *body = request_json(request, reply);
    if (body && shape_check(body, NULL, &batch_request_shape, reply) &&
        fields_check_metadata(fields_get(body, "metadata"), reply) &&
        check_file(
            service, request, json_string_value(json_object_get(body, "input_file_id")), reply))
        create(service, request, body, reply);
    json_decref(body);
}

// Gets the batch that the path names. False with the reply made.
static bool get_batch(struct service *service, const struct request *request,
    struct batch_record *batch, struct reply *reply) {
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (batch_get(service->store, request->account, id, batch, &error)) return true;
    if (error.code == ERROR_NOT_FOUND)
        reply_not_found(reply, "Batch", id);
    else
        reply_failure(reply, "looking the batch up", &error);
    return false;
}

void batches_retrieve(struct service *service, struct request *request, struct reply *reply) {
    struct batch_record batch;
    if (!get_batch(service, request, &batch, reply)) return;
    reply_json(reply, 200, batch_object(&batch));
    batch_record_free(&batch);
}

static const struct field query_fields[] = {
    SHAPE_PAGE_FIELDS(20, 100),
    SHAPE_SEARCH_FIELD("Only batches whose id, model or metadata have this text (ours)."),
};
const struct shape batch_query_shape = SHAPE("BatchQuery", query_fields);

void batches_list(struct service *service, struct request *request, struct reply *reply) {
    struct page_query query = {.account = request->account};
    struct batch_record *batches;
    struct error error = {0};
    size_t count;
    bool more;
    query_page(request, &query.limit, &query.after);
    query.search = request_query(request, "search");
    if (!batch_list(service->store, &query, &batches, &count, &more, &error)) {
        reply_failure(reply, "listing batches", &error);
        return;
    }
    json_t *data = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(data, batch_object(&batches[i]));
    batch_list_free(batches, count);
    reply_json(reply, 200, reply_list(data, more));
}

void batches_cancel(struct service *service, struct request *request, struct reply *reply) {
    struct batch_record batch;
    struct error error = {0};
    if (!get_batch(service, request, &batch, reply)) return;
    bool good = batch_cancel(service->store, request->account, batch.id, &error);
    batch_record_free(&batch);
    if (good) {
        batches_retrieve(service, request, reply);
        batch_runner_wake(service->batches);
    } else {
        reply_failure(reply, "cancelling the batch", &error);
    }
}
