// The trainer's process: `<this program> train JOBDIR`, in a session of its own, so that it
// outlives the server. What it prints goes to trainer.log in the job directory.
#ifndef JOBS_TRAINER_PROCESS_H
#define JOBS_TRAINER_PROCESS_H

#include "base/error.h"
#include <sys/types.h>

enum trainer_task { TRAINER_TRAIN, TRAINER_VALIDATE, TRAINER_REPORT };

// `launcher` (NULL for none) stands before the command, its words divided by spaces.
bool trainer_process_start(const char *job_directory, enum trainer_task task, const char *launcher,
    pid_t *process, struct error *error) WARN_UNUSED;

// True while it lives. Once it has ended, and only then, *how says how, in words.
bool trainer_process_lives(pid_t process, char how[64]);

#endif
