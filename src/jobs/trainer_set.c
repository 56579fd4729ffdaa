#include "jobs/trainer_set.h"
#include "base/file.h"
#include "jobs/job_directory.h"
#include "jobs/trainer_process.h"
#include <stdio.h>
#include <string.h>

struct trainer *trainer_set_find(struct trainer_set *set, const char *job) {
    for (size_t i = 0; i < set->count; i++)
        if (!strcmp(set->items[i].job, job)) return &set->items[i];
    return NULL;
}

struct trainer *trainer_set_add(
    struct trainer_set *set, const char *job, pid_t process, bool training) {
    if (set->count == MAX_TRAINERS) return NULL;
    struct trainer *trainer = &set->items[set->count++];
    *trainer = (struct trainer){.process = process, .training = training};
    snprintf(trainer->job, sizeof trainer->job, "%s", job);
    return trainer;
}

void trainer_set_remove(struct trainer_set *set, struct trainer *trainer) {
    *trainer = set->items[--set->count];
}

size_t trainer_set_count(const struct trainer_set *set, bool training) {
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        count += set->items[i].training == training && !set->items[i].ended;
    return count;
}

static void refresh(struct trainer *trainer, struct store *store) {
    char directory[FILE_PATH_SIZE];
    struct error ignored;
    if (trainer->process && trainer_process_lives(trainer->process, trainer->how)) return;
    // Reaped: the number may soon be another's. A launcher may end before the trainer that it
    // started does; the lock knows.
    trainer->process = 0;
    trainer->ended = !job_directory_path(store, trainer->job, directory, &ignored) ||
                     !job_directory_is_held(directory);
    if (!*trainer->how) snprintf(trainer->how, sizeof trainer->how, "ended");
}

void trainer_set_refresh(struct trainer_set *set, struct store *store) {
    for (size_t i = 0; i < set->count; i++)
        if (!set->items[i].ended) refresh(&set->items[i], store);
}
