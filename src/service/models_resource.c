// /v1/models: the base models of this server, and the fine-tuned ones of the account.
#include "base/file.h"
#include "base/memory.h"
#include "service/adapter_archive.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "store/store.h"
#include <ctype.h>
#include <string.h>

static const struct field model_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("created"),
    SHAPE_TEXT("owned_by"),
    {"tags", FIELD_ARRAY, FIELD_REQUIRED, .items = FIELD_STRING},
    {"aliases", FIELD_ARRAY, FIELD_REQUIRED, .items = FIELD_STRING},
};
const struct shape model_shape = SHAPE("Model", model_fields);

static const struct field model_query_fields[] = {
    {"tag", FIELD_STRING, .minimum = 1, .maximum = 64,
        .about = "Only models with this tag: \"fine-tunable\" or \"fine-tuned\"."},
};
const struct shape model_query_shape = SHAPE("ModelQuery", model_query_fields);

// Training can go on from a fine-tuned model, too; but who looks for the tag looks for a base.
static bool is_tunable_base(const struct model_record *model) {
    return model->fine_tunable && !model->fine_tuned;
}

static json_t *model_object(const struct model_record *model) {
    json_t *tags = json_array();
    if (is_tunable_base(model)) json_array_append_new(tags, json_string("fine-tunable"));
    if (model->fine_tuned) json_array_append_new(tags, json_string("fine-tuned"));
    json_t *aliases = json_array();
    for (size_t i = 0; i < model->alias_count; i++)
        json_array_append_new(aliases, json_string(model->aliases[i]));
    return json_pack("{s:s, s:s, s:I, s:s, s:o, s:o}", "id", model->id, "object", "model",
        "created", (json_int_t)model->created, "owned_by", model->owner, "tags", tags, "aliases",
        aliases);
}

// NULL: any model.
static bool has_tag(const struct model_record *model, const char *tag) {
    return !tag || (is_tunable_base(model) && strcmp(tag, "fine-tunable") == 0) ||
           (model->fine_tuned && strcmp(tag, "fine-tuned") == 0);
}

void models_list(struct service *service, struct request *request, struct reply *reply) {
    struct model_record *models;
    struct error error = {0};
    size_t count;
    if (!model_list(service->store, request->account, &models, &count, &error)) {
        reply_failure(reply, "listing models", &error);
        return;
    }
    json_t *data = json_array();
    for (size_t i = 0; i < count; i++)
        if (has_tag(&models[i], request_query(request, "tag")))
            json_array_append_new(data, model_object(&models[i]));
    model_list_free(models, count);
    reply_json(reply, 200, reply_list(data, false));
}

static void refuse(struct reply *reply, const char *name, const struct error *error) {
    if (error->code == ERROR_NOT_FOUND)
        reply_no_model(reply, name);
    else
        reply_failure(reply, "looking the model up", error);
}

void models_retrieve(struct service *service, struct request *request, struct reply *reply) {
    struct model_record model;
    struct error error = {0};
    const char *name = request_parameter(request, 0);
    if (!model_resolve(service->store, request->account, name, &model, &error)) {
        refuse(reply, name, &error);
        return;
    }
    reply_json(reply, 200, model_object(&model));
    model_record_free(&model);
}

void models_delete(struct service *service, struct request *request, struct reply *reply) {
    struct model_record model;
    struct error error = {0};
    const char *name = request_parameter(request, 0);
    if (!model_resolve(service->store, request->account, name, &model, &error)) {
        refuse(reply, name, &error);
        return;
    }
    if (!model.fine_tuned)
        reply_error(reply, 403, "model_not_deletable", "model",
            "The base model '%.200s' cannot be deleted over the API; only fine-tuned models can.",
            name);
    else if (model_delete(service->store, request->account, model.id, &error))
        reply_json(reply, 200,
            json_pack("{s:s, s:s, s:b}", "id", model.id, "object", "model", "deleted", true));
    else
        refuse(reply, name, &error);
    model_record_free(&model);
}

// A name for the file: the model's, with what cannot stand in a file's name replaced.
static char *archive_name(const char *model) {
    char *name = memory_format("%s.tar", model);
    for (char *at = name; at && *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.", *at)) *at = '-';
    return name;
}

static void answer_archive(
    struct service *service, const struct model_record *model, struct reply *reply) {
    char folder[FILE_PATH_SIZE];
    struct error error = {0};
    int descriptor;
    uint64_t size;
    if (file_path(folder, sizeof folder, &error, service->data, "uploads") &&
        adapter_archive_make(model->adapter, folder, &descriptor, &size, &error)) {
        reply->status = 200;
        reply->content_type = "application/x-tar";
        reply->file = descriptor;
        reply->file_size = size;
        reply->file_name = archive_name(model->id);
    } else {
        reply_failure(reply, "making the archive", &error);
    }
}

void adapters_retrieve(struct service *service, struct request *request, struct reply *reply) {
    struct model_record model;
    struct error error = {0};
    const char *name = request_parameter(request, 0);
    if (!model_resolve(service->store, request->account, name, &model, &error)) {
        refuse(reply, name, &error);
        return;
    }
    if (model.adapter)
        answer_archive(service, &model, reply);
    else
        reply_error(reply, 400, "invalid_value", "model",
            "'%.200s' is a base model and has no adapter; only fine-tuned models and checkpoints "
            "have.",
            name);
    model_record_free(&model);
}
