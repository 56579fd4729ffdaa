// The job directory: what the two ends of a fine-tuning job, the trainer and the supervisor, have
// agreed on. Names and rules only; nothing here does anything.
//
//   spec.json      written once, before the trainer starts, by whoever makes the job
//   events.jsonl   appended by the trainer alone: one JSON object a line. A last line without its
//                  newline was cut off by a crash and is dropped on resume
//   lock           held with flock(LOCK_EX) by the trainer for its whole life, and holding its
//   process
//                  id as text: who can take the lock knows that no trainer lives
//   cancel         made by whoever wants the job to end; the trainer looks for it between
//                  micro-batches, ends with status "cancelled" and exit code 3
//   pause          made by whoever wants the job to rest; the trainer ends as if it were
//   interrupted.
//                  Gone again before the trainer is started anew
//   checkpoints/   step-<8 digits>/, each complete once it bears its name
//   adapter/       the result, in peft's format; complete once it bears its name
//   model/         the result in its place where all parameters were trained
//
// spec.json: {
//   "model": directory of the base model,
//   "training_file": path, "validation_file": path or null,
//   "training_file_name", "validation_file_name": what messages call the two,
//   "seed": integer,
//   "hyperparameters": {"n_epochs": integer or "auto", "batch_size": … ,
//   "learning_rate_multiplier": …}, "lora": {"rank": …, "alpha": …},     optional "adapter":
//   directory of an adapter to continue from, or absent "full_parameters": {…},  train all weights
//   in place of LoRA; train/train_spec.h says how "base_model_name": what adapter_config.json calls
//   the base; optional
//   "chat_time": what chat templates take for now, in seconds of the local clock on the wall: a
//   resumed run must make the same tokens on another day. Absent: now. "chat_template": a file
//   whose template is taken in place of the model's own; optional "threads": integer, 0 for all
//   cores, "checkpoint_seconds": integer; optional
//   "memory": bytes that the run may take beside the base model's weights. Absent: what the machine
//   can spare. "shared_prefixes": false to compute each example by itself. Both optional }
//
// Events, by "type"; each also has "time" (seconds, integer):
//   status      {"status": "validating_files" | "queued" | "running" | "succeeded" | "failed" |
//                "cancelled"}; "queued" is written when validation has passed; "succeeded" also has
//                "trained_tokens"
//   message     {"level": "info" | "warn" | "error", "message": …}
//   plan        {"hyperparameters": {the values chosen}, "lora": {"rank", "alpha"},
//   "learning_rate",
//                "total_steps", "examples", "tokens", "computed_tokens" (an epoch's, what
//                examples of a batch begin with alike once), "supervised_tokens" (those with a
//                loss), "trained_tokens" (tokens × epochs), "truncated_examples"}
//   metrics     {"step", "total_steps", "epoch" (a fraction), "train_loss",
//                "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy",
//                "full_valid_loss", "full_valid_mean_token_accuracy" (the four or null),
//                "learning_rate", "grad_norm", "tokens" (seen so far), "tokens_per_second"}
//   checkpoint  {"step", "epoch" (whole), "path": relative to the job directory, and the metrics of
//   the
//                step}; written at the end of each epoch
//   error       {"code", "message", "param"}, followed by the status "failed"
// A resumed run may repeat the steps after its checkpoint: readers skip a step that they have seen.
//
// `temper train JOBDIR --validate-only` reads the data, writes validating_files … queued (or
// failed) and ends; `temper train JOBDIR` trains, or goes on from the newest checkpoint.
//
// `temper train JOBDIR --report-only` writes report.json (train/train_check.h) and nothing else.
#ifndef BASE_JOB_FORMAT_H
#define BASE_JOB_FORMAT_H

#define JOB_SPEC_FILE "spec.json"
#define JOB_REPORT_FILE "report.json"
#define JOB_EVENTS_FILE "events.jsonl"
#define JOB_LOCK_FILE "lock"
#define JOB_CANCEL_FILE "cancel"
#define JOB_PAUSE_FILE "pause"
#define JOB_CHECKPOINT_DIRECTORY "checkpoints"
#define JOB_ADAPTER_DIRECTORY "adapter"
#define JOB_MODEL_DIRECTORY "model"

// How the trainer's process ends.
enum job_exit {
    JOB_EXIT_SUCCEEDED = 0, // or, with --validate-only: the data is good
    JOB_EXIT_FAILED = 1,    // the reason is in events.jsonl
    JOB_EXIT_USAGE = 2,     // the command line was wrong; nothing was done
    JOB_EXIT_CANCELLED = 3,
    JOB_EXIT_INTERRUPTED = 75, // SIGTERM or SIGINT: checkpoint written, start again to go on
};

#endif
