// The hyperparameters that a user may set: one table of name, type, range and default, read by the
// API, the command line, its help and the trainer alike, so that they cannot disagree.
//
// It knows numbers and texts only, neither JSON nor flags: those who read them from somewhere ask
// here whether a value is allowed.
#ifndef BASE_HYPERPARAMETERS_H
#define BASE_HYPERPARAMETERS_H

#include "base/error.h"
#include <stddef.h>

enum hyperparameter_type { HYPERPARAMETER_INTEGER, HYPERPARAMETER_REAL };

struct hyperparameter {
    const char *group; // NULL for OpenAI's own, "lora" for ours: the object that holds it
    const char *name;  // as in the API
    const char *flag;  // as on the command line
    enum hyperparameter_type type;
    double minimum;
    bool minimum_excluded; // the value must lie above `minimum`
    double maximum;
    const char *standard; // what holds when nothing is given, as text: "auto", "16"
    const char *help;     // one line
};

// The layers that LoRA can be put on, NULL-terminated: lora.target_modules of the API.
extern const char *const hyperparameter_target_modules[];

// The table; *count entries.
const struct hyperparameter *hyperparameter_table(size_t *count);

// The entry of that group (NULL for OpenAI's own) and name, or NULL.
const struct hyperparameter *hyperparameter_find(const char *group, const char *name);

// True if the value lies in the range and is whole where it must be. The message names the range.
bool hyperparameter_check(
    const struct hyperparameter *entry, double value, struct error *error) WARN_UNUSED;

#endif
