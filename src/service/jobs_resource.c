// /v1/fine_tuning/jobs.
#include "base/memory.h"
#include "jobs/supervisor.h"
#include "service/job_object.h"
#include "service/job_request.h"
#include "service/job_stream.h"
#include "service/limits.h"
#include "service/query.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "store/store.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static bool choose_seed(const struct job_request *job, int64_t *seed, struct error *error) {
    uint32_t bits;
    *seed = job->seed;
    if (job->has_seed) return true;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        return error_set_errno(error, ERROR_IO, "cannot get random bytes");
    *seed = bits & INT32_MAX;
    return true;
}

static bool add_message(struct service *service, const char *job, const char *text, const char *id,
    struct error *error) {
    char *message = memory_format("%s: %s", text, id);
    struct event_record event = {
        .level = (char *)"info", .type = (char *)"message", .message = message};
    bool good = message ? event_add(service->store, job, &event, error)
                        : memory_error(error, "an event's message");
    memory_free(event.id);
    memory_free(message);
    return good;
}

// The job and its first two events, or nothing.
static bool store_job(struct service *service, struct job_record *record, struct error *error) {
    if (!store_begin(service->store, error)) return false;
    bool good =
        job_create(service->store, record, error) &&
        add_message(service, record->id, "Created fine-tuning job", record->id, error) &&
        add_message(service, record->id, "Validating training file", record->training_file, error);
    if (good) return store_commit(service->store, error);
    store_rollback(service->store);
    return false;
}

// Writes the record, tells the supervisor, and answers with the job.
static void create_job(struct service *service, const struct request *request,
    const struct job_request *job, const struct model_record *model, struct reply *reply) {
    struct error error = {0};
    struct job_record record = {
        .account = request->account,
        .model = model->id,
        .training_file = (char *)job->training_file,
        .validation_file = (char *)job->validation_file,
        .suffix = (char *)job->suffix,
        .status = (char *)"validating_files",
        .hyperparameters = json_dumps(job->hyperparameters, JSON_COMPACT),
        .lora = job->lora ? json_dumps(job->lora, JSON_COMPACT) : NULL,
        .metadata = job->metadata ? json_dumps(job->metadata, JSON_COMPACT) : NULL,
    };
    if (choose_seed(job, &record.seed, &error) && store_job(service, &record, &error)) {
        reply_json(reply, 200, job_object(&record));
        supervisor_wake(service->supervisor);
    } else {
        reply_failure(reply, "creating the job", &error);
    }
    memory_free(record.id);
    free(record.hyperparameters);
    free(record.lora);
    free(record.metadata);
}

static void create_checked(struct service *service, const struct request *request,
    const struct job_request *job, struct reply *reply) {
    struct model_record model;
    if (request->plan && !limits_check_models(service, request, reply)) return;
    if (!job_request_find(service, request, job, &model, reply)) return;
    create_job(service, request, job, &model, reply);
    model_record_free(&model);
}

void jobs_create(struct service *service, struct request *request, struct reply *reply) {
    struct job_request job;
    json_t *body = request_json(request, reply);
    if (body && job_request_read(&job, body, reply)) {
        create_checked(service, request, &job, reply);
        job_request_free(&job);
    }
    json_decref(body);
}

// Gets the job that the path names. False with the reply made.
bool jobs_find(struct service *service, const struct request *request, struct job_record *job,
    struct reply *reply) {
    struct error error = {0};
    const char *id = request_parameter(request, 0);
    if (job_get(service->store, request->account, id, job, &error)) return true;
    if (error.code == ERROR_NOT_FOUND)
        reply_error(reply, 404, "fine_tune_not_found", "fine_tune_id",
            "Could not find fine tune: %.128s", id);
    else
        reply_failure(reply, "looking the job up", &error);
    return false;
}

void jobs_retrieve(struct service *service, struct request *request, struct reply *reply) {
    struct job_record job;
    if (!jobs_find(service, request, &job, reply)) return;
    reply_json(reply, 200, job_object(&job));
    job_record_free(&job);
}

static const struct field job_query_fields[] = {
    SHAPE_PAGE_FIELDS(20, 100),
    SHAPE_SEARCH_FIELD("Only jobs whose id, suffix or models have this text (ours)."),
    {"metadata[]", FIELD_STRING, .about = "Only jobs whose metadata has this pair."},
    {"metadata", FIELD_STRING, .values = (const char *const[]){"null", NULL},
        .about = "\"null\": only jobs without metadata."},
};
const struct shape job_query_shape = SHAPE("FineTuningJobQuery", job_query_fields);

static const struct field event_query_fields[] = {
    SHAPE_PAGE_FIELDS(20, 100),
    {"stream", FIELD_BOOLEAN, .standard = "false",
        .about = "true: oldest first, as server-sent events, until the job has ended."},
};
const struct shape event_query_shape = SHAPE("FineTuningEventQuery", event_query_fields);

// "metadata[key]=value" (one pair), or "metadata=null". False with the reply made.
static bool read_metadata(
    const struct request *request, struct page_query *query, struct reply *reply) {
    static const char prefix[] = "metadata[";
    for (size_t i = 0; i < request->query_count; i++) {
        char *name = request->query[i].name;
        query->without_metadata = query->without_metadata || !strcmp(name, "metadata");
        if (strncmp(name, prefix, sizeof prefix - 1) != 0) continue;
        if (query->metadata_key) {
            reply_error(reply, 400, "invalid_value", "metadata",
                "Invalid 'metadata': jobs can be filtered by one pair.");
            return false;
        }
        name[strlen(name) - 1] = '\0'; // the closing bracket
        query->metadata_key = name + sizeof prefix - 1;
        query->metadata_value = request->query[i].value;
    }
    return true;
}

void jobs_list(struct service *service, struct request *request, struct reply *reply) {
    struct page_query query = {.account = request->account};
    struct job_record *jobs;
    struct error error = {0};
    size_t count;
    bool more;
    query_page(request, &query.limit, &query.after);
    query.search = request_query(request, "search");
    if (!read_metadata(request, &query, reply)) return;
    if (!job_list(service->store, &query, &jobs, &count, &more, &error)) {
        reply_failure(reply, "listing jobs", &error);
        return;
    }
    json_t *data = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(data, job_object(&jobs[i]));
    job_list_free(jobs, count);
    reply_json(reply, 200, reply_list(data, more));
}

// Has the supervisor do something to the job that the path names, and answers with the job.
static void change_job(struct service *service, struct request *request, struct reply *reply,
    bool (*change)(struct supervisor *, const char *, const char *, struct error *),
    const char *doing) {
    struct job_record job;
    struct error error = {0};
    if (!jobs_find(service, request, &job, reply)) return;
    bool changed = change(service->supervisor, request->account, job.id, &error);
    job_record_free(&job);
    if (changed)
        jobs_retrieve(service, request, reply);
    else
        reply_failure(reply, doing, &error);
}

void jobs_cancel(struct service *service, struct request *request, struct reply *reply) {
    change_job(service, request, reply, supervisor_cancel, "cancelling the job");
}

void jobs_pause(struct service *service, struct request *request, struct reply *reply) {
    change_job(service, request, reply, supervisor_pause, "pausing the job");
}

void jobs_resume(struct service *service, struct request *request, struct reply *reply) {
    change_job(service, request, reply, supervisor_resume, "resuming the job");
}

// Reads the page and gets the job of a list that belongs to it. False with the reply made.
static bool begin_list(struct service *service, const struct request *request,
    struct page_query *query, struct job_record *job, struct reply *reply) {
    *query = (struct page_query){.account = request->account};
    query_page(request, &query->limit, &query->after);
    if (!jobs_find(service, request, job, reply)) return false;
    query->job = job->id;
    return true;
}

void jobs_events(struct service *service, struct request *request, struct reply *reply) {
    struct page_query query;
    struct job_record job;
    struct event_record *events;
    struct error error = {0};
    size_t count;
    bool more;
    if (!begin_list(service, request, &query, &job, reply)) return;
    const char *stream = request_query(request, "stream");
    if (stream && strcmp(stream, "true") == 0) {
        job_streams_follow(service->job_streams, request->account, job.id, query.after, reply);
        job_record_free(&job);
        return;
    }
    if (event_list(service->store, &query, &events, &count, &more, &error)) {
        json_t *data = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(data, job_event_object(&events[i]));
        event_list_free(events, count);
        reply_json(reply, 200, reply_list(data, more));
    } else {
        reply_failure(reply, "listing the job's events", &error);
    }
    job_record_free(&job);
}

void jobs_checkpoints(struct service *service, struct request *request, struct reply *reply) {
    struct page_query query;
    struct job_record job;
    struct checkpoint_record *checkpoints;
    struct error error = {0};
    size_t count;
    bool more;
    if (!begin_list(service, request, &query, &job, reply)) return;
    if (checkpoint_list(service->store, &query, &checkpoints, &count, &more, &error)) {
        json_t *data = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(data, job_checkpoint_object(&checkpoints[i], job.id));
        checkpoint_list_free(checkpoints, count);
        reply_json(reply, 200, reply_list(data, more));
    } else {
        reply_failure(reply, "listing the job's checkpoints", &error);
    }
    job_record_free(&job);
}
