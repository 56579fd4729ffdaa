// The shapes of a fine-tuning job, its events and its checkpoints: every field that OpenAI's and
// kluster.ai's clients know.
#ifndef SERVICE_JOB_OBJECT_H
#define SERVICE_JOB_OBJECT_H

#include "base/error.h"
#include <jansson.h>

struct service;
struct request;
struct reply;
struct job_record;
struct event_record;
struct checkpoint_record;

json_t *job_object(const struct job_record *job);
json_t *job_event_object(const struct event_record *event);
json_t *job_checkpoint_object(const struct checkpoint_record *checkpoint, const char *job);

// The account's job that the request's path names (job_record_free); false: the reply says that
// there is none.
bool jobs_find(struct service *service, const struct request *request, struct job_record *job,
    struct reply *reply) WARN_UNUSED;

#endif
