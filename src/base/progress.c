// See progress.h.
#include "base/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 30 };

double progress_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_start(struct progress *progress, const char *title, uint64_t total, bool quiet) {
    *progress = (struct progress){
        .title = title,
        .total = total ? total : 1,
        .started = progress_clock(),
        .terminal = isatty(STDERR_FILENO),
        .quiet = quiet,
        .tenth = -1,
    };
}

static void draw_bar(const struct progress *progress, uint64_t done, const char *note) {
    char bar[BAR_WIDTH + 1];
    int filled = (int)(done * BAR_WIDTH / progress->total);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    double elapsed = progress_clock() - progress->started;
    double left = done ? elapsed * (double)(progress->total - done) / (double)done : 0;
    fprintf(stderr, "\r\x1b[K%s [%s] %llu/%llu  %s  %.0f s left", progress->title, bar,
        (unsigned long long)done, (unsigned long long)progress->total, note ? note : "", left);
    fflush(stderr);
}

void progress_update(struct progress *progress, uint64_t done, const char *note) {
    if (progress->quiet) return;
    if (done > progress->total) done = progress->total;
    double now = progress_clock();
    if (progress->terminal) {
        if (now - progress->drawn < 0.1 && done < progress->total) return;
        progress->drawn = now;
        draw_bar(progress, done, note);
        return;
    }
    int tenth = (int)(done * 10 / progress->total);
    if (tenth <= progress->tenth) return;
    progress->tenth = tenth;
    fprintf(stderr, "%s %llu/%llu  %s\n", progress->title, (unsigned long long)done,
        (unsigned long long)progress->total, note ? note : "");
}

void progress_finish(struct progress *progress, const char *note) {
    if (progress->quiet) return;
    double elapsed = progress_clock() - progress->started;
    fprintf(stderr, "%s%s: %s in %.1f s\n", progress->terminal ? "\r\x1b[K" : "", progress->title,
        note ? note : "done", elapsed);
}
