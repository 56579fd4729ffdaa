// What a job will find and take, told before it is made: `temper train DIR --report-only` reads the
// directory's spec.json as a run does, and writes report.json (base/job_format.h): {
//   "training_file": train_report.h's, "validation_file": the same or null,
//   "hyperparameters": what "auto" comes to, "lora": as in the event "plan",
//   "estimate": {"steps", "work_tokens" (trained, those of validation counted by their cost),
//                "tokens_per_second", "memory_bytes" (beside the base model's weights)}, or null
//                where a file is at fault
// }
//
// The speed is arithmetic: what a token costs, against a short measurement of this machine, of
// which training reaches a part. Whoever knows how fast an earlier job was knows better.
#ifndef TRAIN_TRAIN_CHECK_H
#define TRAIN_TRAIN_CHECK_H

#include "base/error.h"

bool train_check_run(const char *directory, struct error *error) WARN_UNUSED;

#endif
