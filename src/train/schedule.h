// The learning rate from step to step.
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

enum schedule_shape {
    SCHEDULE_COSINE,     // to zero at the last step
    SCHEDULE_LINEAR_END, // constant, then straight to zero over the last 30 %
    SCHEDULE_CONSTANT,
};

struct schedule {
    enum schedule_shape shape;
    double learning_rate; // the highest
    uint64_t warmup_steps;
    uint64_t total_steps;
};

// For update `step`, from 1 to total_steps. During warm-up step / warmup_steps of the highest, so
// that the first update already moves.
double schedule_learning_rate(const struct schedule *schedule, uint64_t step);

// LoRA's base rate for a model of so many weights, before the user's multiplier:
// 2e-4 · (8e9 / weights)^0.375, between 5e-5 and 3e-3. It gives what is in common use for 8B (2e-4)
// and 70B (9e-5), and what a model of a few million weights needs to learn within minutes (3e-3).
double schedule_base_rate(uint64_t parameters);

#endif
