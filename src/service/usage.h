// Counts what answers use, for GET /v1/organization/usage: in memory, and about once a second in
// the store, so that no answer waits for a disk. What a crash (not an ordered end) takes is that
// second.
#ifndef SERVICE_USAGE_H
#define SERVICE_USAGE_H

#include "base/error.h"
#include <stdint.h>

struct store;
struct usage;

bool usage_open(struct usage **usage, struct store *store, struct error *error) WARN_UNUSED;
void usage_close(struct usage *usage); // writes what is left; NULL is allowed

// An answer has ended, however it did. NULL: nothing is counted. Where memory is short it is lost.
void usage_add(struct usage *usage, const char *account, const char *model, bool batch,
    int64_t input_tokens, int64_t output_tokens);

// Writes what was counted so far, so that a reader finds it.
void usage_flush(struct usage *usage);

#endif
