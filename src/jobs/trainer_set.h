// The trainers that a supervisor knows of: its own children, and those that an earlier server
// started, which are known by the locks that they hold. One that has ended stays until somebody has
// looked at what it left.
#ifndef JOBS_TRAINER_SET_H
#define JOBS_TRAINER_SET_H

#include "store/store.h"
#include <sys/types.h>

enum { MAX_TRAINERS = 64 };

struct trainer {
    char job[64];
    pid_t process; // 0: not our child
    bool resting;  // it was asked to end and go on later
    bool training; // else it validates
    bool ended;
    char how[64]; // it ended, in words: "ended with status 1"
};

struct trainer_set {
    struct trainer items[MAX_TRAINERS];
    size_t count;
};

// NULL if there is none for the job.
struct trainer *trainer_set_find(struct trainer_set *set, const char *job);

// NULL if the set is full.
struct trainer *trainer_set_add(
    struct trainer_set *set, const char *job, pid_t process, bool training);
void trainer_set_remove(struct trainer_set *set, struct trainer *trainer);

// How many live that train, or that validate.
size_t trainer_set_count(const struct trainer_set *set, bool training);

// Sees which have ended.
void trainer_set_refresh(struct trainer_set *set, struct store *store);

#endif
