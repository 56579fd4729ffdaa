// Watching a fine-tuning job of a running server to its end, with a progress bar.
#ifndef CLI_JOB_WATCH_H
#define CLI_JOB_WATCH_H

#include <stdbool.h>

struct api_client;

// Returns CLI_SUCCESS if the job succeeded. With `as_json` the job object is printed at the end.
int job_watch(const struct api_client *client, const char *job, bool as_json);

#endif
