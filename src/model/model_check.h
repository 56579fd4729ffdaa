// Whether a model at a path can be used as it is: everything that would otherwise come to light in
// the middle of work is looked at first, and what is wrong is named.
#ifndef MODEL_MODEL_CHECK_H
#define MODEL_MODEL_CHECK_H

#include "compute/data_type.h"
#include "model/model_config.h"

struct model_report {
    struct model_config config;
    uint64_t parameters;
    uint64_t bytes;      // of all tensors in the weight files
    enum data_type type; // that the linear layers are stored in
    // Of model_check_chat:
    size_t vocabulary; // of the tokenizer
    bool has_template; // without one, the model trains on texts and completes them; chats need one
    char no_training[512]; // why a chat cannot be trained on with this template, "" if it can
};

// What config.json and the headers of the weight files say, quickly.
bool model_describe(struct model_report *report, const char *path, struct error *error) WARN_UNUSED;

// Besides: every file that the index names is there, every tensor of the index stands in its file
// and in no other, and every tensor that the config calls for has its shape and a type that is
// computed with.
bool model_check_weights(
    struct model_report *report, const char *path, struct error *error) WARN_UNUSED;

// The tokenizer opens and its ids fit into the config's vocabulary; the chat template, where there
// is one, parses and renders a small chat. Fills in the last fields; needs `config`.
bool model_check_chat(
    struct model_report *report, const char *path, struct error *error) WARN_UNUSED;

// All of it.
bool model_check(struct model_report *report, const char *path, struct error *error) WARN_UNUSED;

#endif
