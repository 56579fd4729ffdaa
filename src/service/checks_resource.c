// /v1/fine_tuning/checks (ours): what a training file holds and what a job with it would take,
// before there is a job. A trainer's process looks (jobs/job_checks); the connection sleeps
// meanwhile, and a client that goes away ends it.
#include "base/memory.h"
#include "jobs/job_checks.h"
#include "service/fields.h"
#include "service/job_request.h"
#include "service/reply.h"
#include "service/request.h"
#include "service/resources.h"
#include "service/service.h"
#include "service/shapes.h"
#include "service/stream.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_LOOKED_AT = 50, START_SECONDS = 1 };

static const struct field fault_fields[] = {
    {"line", FIELD_INTEGER, FIELD_REQUIRED, .about = "0: the file as a whole."},
    SHAPE_TEXT("message"),
};
static const struct shape fault_shape = SHAPE("TrainingFileFault", fault_fields);

static const struct field range_fields[] = {
    SHAPE_COUNT("from"), SHAPE_COUNT("to"), SHAPE_COUNT("examples")};
static const struct shape range_shape = SHAPE("TrainingFileLengths", range_fields);

static const struct field piece_fields[] = {SHAPE_TEXT("text"), SHAPE_FLAG("trained")};
static const struct shape piece_shape = SHAPE("TrainingExamplePiece", piece_fields);

static const struct field example_fields[] = {
    SHAPE_COUNT("line"),
    SHAPE_COUNT("tokens"),
    {"pieces", FIELD_ARRAY, FIELD_REQUIRED, .shape = &piece_shape,
        .about = "What the model sees, cut where training begins and ends."},
};
static const struct shape example_shape = SHAPE("TrainingExample", example_fields);

static const struct field checked_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_FLAG("valid"),
    {"faults", FIELD_ARRAY, FIELD_REQUIRED, .shape = &fault_shape},
    {"more_faults", FIELD_BOOLEAN, FIELD_REQUIRED, .about = "There are others than the first ten."},
    {"examples", FIELD_INTEGER, .about = "This and what follows: of a valid file only."},
    {"tokens", FIELD_INTEGER},
    {"trained_tokens", FIELD_INTEGER, .about = "Those of answers, which the loss is taken of."},
    {"tokens_after_shared_prefixes", FIELD_INTEGER,
        .about = "Those that an epoch computes: in each batch, what examples begin with alike "
                 "counts once, and the last token of an example not at all."},
    {"truncated_examples", FIELD_INTEGER, .about = "Longer than the model's context."},
    {"endless_examples", FIELD_INTEGER, .about = "With an answer without an end-of-turn token."},
    {"longest_example", FIELD_INTEGER},
    {"lengths", FIELD_ARRAY, .shape = &range_shape},
    {"shown", FIELD_ARRAY, .shape = &example_shape, .about = "The first examples."},
};
static const struct shape checked_shape = SHAPE("CheckedTrainingFile", checked_fields);

static const struct field estimate_fields[] = {
    SHAPE_COUNT("steps"),
    {"seconds", FIELD_INTEGER, FIELD_REQUIRED, .about = "Once the job is at work."},
    {"tokens_per_second", FIELD_NUMBER, FIELD_REQUIRED},
    {"memory_bytes", FIELD_INTEGER, FIELD_REQUIRED, .about = "Beside the base model's weights."},
    {"basis", FIELD_STRING, FIELD_REQUIRED, .about = "What the speed is taken from."},
};
static const struct shape estimate_shape = SHAPE("FineTuningEstimate", estimate_fields);

static const struct field check_fields[] = {
    SHAPE_TEXT("object"),
    SHAPE_TEXT("model"),
    {"training_file", FIELD_OBJECT, FIELD_REQUIRED, .shape = &checked_shape},
    {"validation_file", FIELD_OBJECT, FIELD_REQUIRED, .shape = &checked_shape, .nullable = true},
    {"hyperparameters", FIELD_OBJECT, FIELD_REQUIRED, .about = "What \"auto\" comes to."},
    {"lora", FIELD_OBJECT, FIELD_REQUIRED},
    {"estimate", FIELD_OBJECT, FIELD_REQUIRED, .shape = &estimate_shape, .nullable = true},
};
const struct shape job_check_shape = SHAPE("FineTuningCheck", check_fields);

// A request that waits for its check; it lives as long as its stream.
struct asking {
    struct service *service;
    struct stream *stream;
    char *account, *model, *training_file, *validation_file;
    atomic_uint_fast64_t ticket; // 0 while it is not submitted
    atomic_bool gone;            // the client
};

static void destroy(void *context) {
    struct asking *asking = context;
    memory_free(asking->account);
    memory_free(asking->model);
    memory_free(asking->training_file);
    memory_free(asking->validation_file);
    memory_free(asking);
}

static void leave(void *context) {
    struct asking *asking = context;
    atomic_store(&asking->gone, true);
    uint64_t ticket = atomic_load(&asking->ticket);
    if (ticket) job_checks_cancel(asking->service->checks, ticket);
}

// ---- the answer ----

// Tokens a second of the account's latest job of the same base, 0 where there is none.
static double known_speed(const struct asking *asking) {
    struct page_query query = {.account = asking->account, .limit = JOBS_LOOKED_AT};
    struct job_record *jobs;
    struct error ignored;
    double speed = 0;
    size_t count;
    bool more;
    if (!job_list(asking->service->store, &query, &jobs, &count, &more, &ignored)) return 0;
    for (size_t i = 0; i < count && speed <= 0; i++) {
        if (!jobs[i].metrics || strcmp(jobs[i].model, asking->model) != 0) continue;
        json_t *metrics = json_loads(jobs[i].metrics, 0, NULL);
        speed = json_number_value(json_object_get(metrics, "tokens_per_second"));
        json_decref(metrics);
    }
    job_list_free(jobs, count);
    return speed;
}

static json_t *estimate(const struct asking *asking, const json_t *taken) {
    if (!json_is_object(taken)) return json_null();
    double known = known_speed(asking);
    double speed =
        known > 0 ? known : json_number_value(json_object_get(taken, "tokens_per_second"));
    double tokens = json_number_value(json_object_get(taken, "work_tokens"));
    return json_pack("{s:O, s:I, s:f, s:O, s:s}", "steps", json_object_get(taken, "steps"),
        "seconds", (json_int_t)(tokens / (speed > 0 ? speed : 1)) + START_SECONDS,
        "tokens_per_second", speed, "memory_bytes", json_object_get(taken, "memory_bytes"), "basis",
        known > 0 ? "The speed of your latest job with this model."
                  : "A short measurement of this machine, and what a token of this model costs.");
}

static json_t *file_report(const json_t *report, const char *name, const char *id) {
    const json_t *file = json_object_get(report, name);
    if (!json_is_object(file)) return json_null();
    json_t *whole = json_copy((json_t *)file);
    json_object_set_new(whole, "id", json_string(id));
    return whole;
}

static json_t *check_object(const struct asking *asking, const json_t *report) {
    return json_pack("{s:s, s:s, s:o, s:o, s:O, s:O, s:o}", "object", "fine_tuning.check", "model",
        asking->model, "training_file", file_report(report, "training_file", asking->training_file),
        "validation_file", file_report(report, "validation_file", asking->validation_file),
        "hyperparameters", json_object_get(report, "hyperparameters"), "lora",
        json_object_get(report, "lora"), "estimate",
        estimate(asking, json_object_get(report, "estimate")));
}

static void take_report(void *context, const json_t *report, const struct error *error) {
    struct asking *asking = context;
    struct stream *stream = asking->stream;
    struct reply reply;
    reply_init(&reply);
    if (report)
        reply_json(&reply, 200, check_object(asking, report));
    else if (error->code == ERROR_CANCELLED)
        reply_error(&reply, 503, "draining", NULL, "The server is about to end.");
    else
        reply_failure(&reply, "checking the training file", error);
    stream_start(stream, &reply, false);
    stream_end(stream);
    stream_release(stream);
}

// ---- the request ----

static struct asking *make_asking(struct service *service, const struct request *request,
    const struct job_request *job, const struct model_record *model) {
    struct asking *asking = memory_alloc_zeroed(1, sizeof *asking);
    if (!asking) return NULL;
    asking->service = service;
    asking->account = memory_copy_string(request->account);
    asking->model = memory_copy_string(model->id);
    asking->training_file = memory_copy_string(job->training_file);
    asking->validation_file =
        job->validation_file ? memory_copy_string(job->validation_file) : NULL;
    if (asking->account && asking->model && asking->training_file &&
        (asking->validation_file || !job->validation_file))
        return asking;
    destroy(asking);
    return NULL;
}

static bool submit(struct asking *asking, const struct job_request *job, struct error *error) {
    char *hyperparameters = json_dumps(job->hyperparameters, JSON_COMPACT);
    char *lora = job->lora ? json_dumps(job->lora, JSON_COMPACT) : NULL;
    struct job_record record = {
        .account = asking->account,
        .model = asking->model,
        .training_file = asking->training_file,
        .validation_file = asking->validation_file,
        .hyperparameters = hyperparameters,
        .lora = lora,
    };
    struct job_check check = {&record, take_report, asking};
    uint64_t ticket = 0;
    stream_retain(asking->stream); // for take_report
    bool good = job_checks_submit(asking->service->checks, &check, &ticket, error);
    if (!good) stream_release(asking->stream);
    atomic_store(&asking->ticket, ticket);
    if (good && atomic_load(&asking->gone)) job_checks_cancel(asking->service->checks, ticket);
    free(hyperparameters);
    free(lora);
    return good;
}

static void check_job(struct service *service, const struct request *request,
    const struct job_request *job, const struct model_record *model, struct reply *reply) {
    struct error error = {0};
    struct asking *asking = make_asking(service, request, job, model);
    struct stream *stream;
    if (!asking || !stream_open(&stream, &error)) {
        if (asking) destroy(asking);
        reply_error(reply, 500, NULL, NULL, "The server is short of memory.");
        return;
    }
    asking->stream = stream;
    stream_on_abandon(stream, leave, destroy, asking);
    if (submit(asking, job, &error)) {
        reply->stream = stream;
        return;
    }
    reply_failure(reply, "checking the training file", &error);
    stream_release(stream); // and with it what asks
}

void checks_create(struct service *service, struct request *request, struct reply *reply) {
    struct job_request job;
    struct model_record model;
    json_t *body = request_json(request, reply);
    if (body && job_request_read(&job, body, reply)) {
        if (job_request_find(service, request, &job, &model, reply)) {
            check_job(service, request, &job, &model, reply);
            model_record_free(&model);
        }
        job_request_free(&job);
    }
    json_decref(body);
}
