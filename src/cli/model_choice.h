// The model that a command is given by name: a base model, or a fine-tuned one of the data
// directory, which is a base model and an adapter.
#ifndef CLI_MODEL_CHOICE_H
#define CLI_MODEL_CHOICE_H

#include "base/model_directory.h"

struct model_choice {
    struct model_directory base;
    char *adapter; // a directory; NULL for a base model
};

// Base models are found as model_directory_find finds them; other names among the fine-tuned models
// of the account, where `data` has a database.
bool model_choice_find(struct model_choice *choice, const char *name, const char *data,
    const char *account, struct error *error) WARN_UNUSED;

// Sets *adapter, what the user gave by hand or NULL, to the choice's own, where it has one: both at
// once is an error. The text stays the choice's.
bool model_choice_adapter(
    const struct model_choice *choice, const char **adapter, struct error *error) WARN_UNUSED;
void model_choice_free(struct model_choice *choice);

#endif
