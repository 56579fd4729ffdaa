// The shape of a batch, as OpenAI's and kluster.ai's clients know it.
#ifndef SERVICE_BATCH_OBJECT_H
#define SERVICE_BATCH_OBJECT_H

#include <jansson.h>
#include <stdint.h>

struct batch_record;

json_t *batch_object(const struct batch_record *batch);

// The completion windows that there are, NULL-terminated, and how long one is.
extern const char *const batch_windows[];
int64_t batch_window_seconds(const char *window);

#endif
