// What operators ask of the store: whether it works, and how much there is to do.
#ifndef STORE_STORE_HEALTH_H
#define STORE_STORE_HEALTH_H

#include "store/store.h"

// Whether the database answers, and its file still lies in a directory that can be written to.
bool store_check(struct store *store, struct error *error) WARN_UNUSED;

struct job_tally {
    char *status;
    int64_t count;
};

// How many jobs there are of each status, of all accounts.
bool job_tally_list(struct store *store, struct job_tally **tallies, size_t *count,
    struct error *error) WARN_UNUSED;
void job_tally_free(struct job_tally *tallies, size_t count);

struct job_pace {
    char *job; // its id
    double tokens_per_second;
};

// How fast each running job trains, by the last step that it told of.
bool job_pace_list(
    struct store *store, struct job_pace **paces, size_t *count, struct error *error) WARN_UNUSED;
void job_pace_free(struct job_pace *paces, size_t count);

#endif
