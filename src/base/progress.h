// Progress of long work: a bar that redraws itself on a terminal, plain lines elsewhere (one at the
// start, one each tenth, one at the end). Written to standard error, so that output can be piped.
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *title; // borrowed
    uint64_t total;
    double started; // seconds, monotonic
    double drawn;   // when last drawn
    int tenth;      // last tenth told in plain lines
    bool terminal;
    bool quiet;
};

// Monotonic time in seconds.
double progress_clock(void);

void progress_start(struct progress *progress, const char *title, uint64_t total, bool quiet);

// `note` (may be NULL) stands behind the bar: "loss 0.123  4512 tokens/s".
void progress_update(struct progress *progress, uint64_t done, const char *note);
void progress_finish(struct progress *progress, const char *note);

#endif
