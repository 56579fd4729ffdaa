// The body of POST /v1/fine_tuning/jobs, checked and made plain. Hyperparameters come flat
// (kluster's and OpenAI's older form) and under method.supervised (OpenAI's newer one); the latter
// wins.
#ifndef SERVICE_JOB_REQUEST_H
#define SERVICE_JOB_REQUEST_H

#include "base/error.h"
#include <jansson.h>
#include <stdint.h>

struct model_record;
struct reply;
struct request;
struct service;

struct job_request {
    const char *training_file;   // these are borrowed from the body
    const char *validation_file; // NULL if none
    const char *model;
    const char *suffix;      // of the model's name, NULL if none
    json_t *hyperparameters; // every one of OpenAI's, a number or "auto"; owned
    json_t *lora;            // {"rank", "alpha"}, what was asked for; NULL if nothing was; owned
    const json_t *metadata;  // NULL if none
    bool has_seed;
    int64_t seed;
};

// Reads `body`, which must outlive the request. On failure the reply is made.
bool job_request_read(
    struct job_request *request, const json_t *body, struct reply *reply) WARN_UNUSED;
void job_request_free(struct job_request *request);

// Finds the files and the model that it names (model_record_free). False: the reply says what the
// account does not have.
bool job_request_find(struct service *service, const struct request *request,
    const struct job_request *job, struct model_record *model, struct reply *reply) WARN_UNUSED;

#endif
