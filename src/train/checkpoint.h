// Checkpoints: all that a training run needs to go on as if it had never stopped. What is trained,
// the optimizer's moments (both as exact f32), and the position in the run. Batch order and dropout
// come from counters, so nothing else is needed.
//
// A checkpoint is a directory checkpoints/step-<8 digits>/ with state.json and state.safetensors,
// and, for LoRA, the adapter in peft's format. It is written beside its place and renamed: a name
// that is there holds a whole checkpoint.
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct checkpoint_state {
    uint64_t step;        // updates done
    uint64_t tokens;      // seen so far
    uint64_t fingerprint; // of everything that decides the run: it must be the same to go on
    size_t count;         // floats in each of the three
    float *parameters;
    float *first_moment;
    float *second_moment;
};

// Writes anything more that belongs into the directory (the adapter); may be NULL.
typedef bool (*checkpoint_writer)(void *context, const char *directory, struct error *error);

// Writes checkpoints/step-N of the job directory. One of that name already there is left as it is.
bool checkpoint_save(const struct checkpoint_state *state, const char *job_directory,
    checkpoint_writer writer, void *context, struct error *error) WARN_UNUSED;

// Loads the newest checkpoint that is whole into the state's arrays, whose count must be set.
// *found is false where there is none. One made for another run is an error; a damaged one is
// passed over.
bool checkpoint_load_newest(struct checkpoint_state *state, const char *job_directory, bool *found,
    struct error *error) WARN_UNUSED;

// Removes all but the newest `keep` checkpoints and those whose step `kept` (may be NULL) says to
// keep.
bool checkpoint_prune(const char *job_directory, size_t keep,
    bool (*kept)(void *context, uint64_t step), void *context, struct error *error) WARN_UNUSED;

// "checkpoints/step-00000012", relative to the job directory.
void checkpoint_name(char *name, size_t size, uint64_t step);

#endif
