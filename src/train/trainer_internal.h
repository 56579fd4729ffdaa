// What the loop and the parts of a step share.
#ifndef TRAIN_TRAINER_INTERNAL_H
#define TRAIN_TRAINER_INTERNAL_H

#include "model/adapter_file.h"
#include "model/transformer_training.h"
#include "train/checkpoint.h"
#include "train/packing.h"
#include "train/trainer.h"

enum { TRAINER_VALIDATION_EXAMPLES = 64 }; // that are packed together

struct trainer {
    const struct train_spec *spec;
    const struct trainer_data *data;
    const char *job_directory;
    struct train_events *events;
    const struct trainer_watcher *watcher;

    struct compute *compute;
    struct transformer *transformer; // of the directory, or over `parameters`
    struct parameters *parameters;   // in full-parameter training
    struct lora *lora;               // else
    struct training *training;
    struct packer packer;
    float *gradients;
    float *muon_scratch;
    struct checkpoint_state state;
    struct schedule schedule;
    uint64_t *epoch_ends;   // [epochs]: the step that ends each
    double started;         // of this process's first step
    uint64_t tokens_before; // seen by earlier processes
    double checkpointed;    // when a checkpoint was last written
};

// trainer_setup.c
bool trainer_open(struct trainer *trainer, struct error *error) WARN_UNUSED;
void trainer_close(struct trainer *trainer);
struct epoch_rules trainer_rules(const struct train_spec *spec);

// trainer_step.c
// Gradients and loss of one optimizer batch. TRAINER_GO_ON, or why it was left.
enum trainer_stop trainer_gradients(
    struct trainer *trainer, const uint32_t *order, size_t count, struct train_metrics *metrics);
bool trainer_update(
    struct trainer *trainer, struct train_metrics *metrics, struct error *error) WARN_UNUSED;
// Mean loss and accuracy over examples of the validation set. Examples are taken round from
// `first`.
void trainer_validate(
    struct trainer *trainer, size_t first, size_t count, double *loss, double *accuracy);

// trainer_result.c
bool trainer_checkpoint(struct trainer *trainer, struct error *error) WARN_UNUSED;
bool trainer_publish(struct trainer *trainer, struct error *error) WARN_UNUSED;

#endif
