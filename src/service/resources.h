// The handlers, one file for each resource. Each reads its request, does its work through store,
// jobs and generate, and makes the reply.
#ifndef SERVICE_RESOURCES_H
#define SERVICE_RESOURCES_H

struct service;
struct request;
struct reply;

#define HANDLER(name)                                                                              \
    void name(struct service *service, struct request *request, struct reply *reply)

HANDLER(files_create);
HANDLER(files_list);
HANDLER(files_retrieve);
HANDLER(files_content);
HANDLER(files_delete);

HANDLER(uploads_create);
HANDLER(uploads_retrieve);
HANDLER(uploads_add_part);
HANDLER(uploads_complete);
HANDLER(uploads_cancel);

HANDLER(jobs_create);
HANDLER(jobs_list);
HANDLER(jobs_retrieve);
HANDLER(jobs_cancel);
HANDLER(jobs_pause);
HANDLER(jobs_resume);
HANDLER(jobs_events);
HANDLER(jobs_checkpoints);
HANDLER(jobs_metrics);
HANDLER(checks_create);
HANDLER(jobs_metrics_list);

HANDLER(batches_create);
HANDLER(batches_list);
HANDLER(batches_retrieve);
HANDLER(batches_cancel);

HANDLER(webhooks_create);
HANDLER(webhooks_list);
HANDLER(webhooks_callback_secret);
HANDLER(webhooks_retrieve);
HANDLER(webhooks_update);
HANDLER(webhooks_delete);
HANDLER(webhooks_test);
HANDLER(webhooks_deliveries);
HANDLER(webhooks_redeliver);

HANDLER(api_keys_create);
HANDLER(api_keys_list);
HANDLER(api_keys_delete);

HANDLER(models_list);
HANDLER(models_retrieve);
HANDLER(models_delete);
HANDLER(adapters_retrieve);

HANDLER(chat_create);

HANDLER(health_get);
HANDLER(healthz_get);
HANDLER(readyz_get);
HANDLER(metrics_get);
HANDLER(usage_answers);
HANDLER(usage_jobs);

HANDLER(session_create);
HANDLER(session_retrieve);
HANDLER(session_delete);

HANDLER(web_get_page);
HANDLER(web_get_lost); // of an address that no page has
HANDLER(web_get_asset);
HANDLER(openapi_get);

#undef HANDLER

#endif
