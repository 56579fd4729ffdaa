#include "jobs/job_state.h"
#include <stddef.h>
#include <string.h>

enum { MAX_NEXT = 4 };

static const struct {
    const char *from;
    const char *to[MAX_NEXT];
} moves[] = {
    {"validating_files", {"queued", "failed", "cancelled", "paused"}},
    {"queued", {"running", "failed", "cancelled", "paused"}},
    {"running", {"succeeded", "failed", "cancelled", "paused"}},
    // A trainer may come to its end before it sees that it is to rest.
    {"paused", {"succeeded", "failed", "cancelled"}},
};

bool job_state_may_follow(const char *from, const char *to) {
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        if (strcmp(moves[i].from, from)) continue;
        for (size_t j = 0; j < MAX_NEXT && moves[i].to[j]; j++)
            if (!strcmp(moves[i].to[j], to)) return true;
    }
    return false;
}
