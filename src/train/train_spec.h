// spec.json: what a training run is to do, as base/job_format.h describes it; and how "auto" values
// are chosen once the data is known.
#ifndef TRAIN_TRAIN_SPEC_H
#define TRAIN_TRAIN_SPEC_H

#include "base/error.h"
#include "train/schedule.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { TRAIN_SEED = 42 }; // of runs by hand

enum train_optimizer { TRAIN_ADAMW, TRAIN_MUON };

// "full_parameters": all weights are trained, or those of some modules, for pretraining a model or
// going on with one.
struct full_parameters {
    bool on;
    bool from_random; // start from random weights; else from the model's own
    unsigned modules; // whose weights are trained: a set of 1 << enum lora_module; 0: all weights
    enum train_optimizer optimizer;
    double learning_rate; // AdamW's; 0: a tenth of LoRA's base rate
    double muon_learning_rate;
    size_t tokens_per_batch; // in place of a batch size; 0: not
    bool keep_order;         // take the examples in the order of the file
    uint64_t warmup_steps;
    enum schedule_shape schedule;
    double prompt_weight;
    double text_weight;
    size_t example_tokens; // longer examples are cut there; 0: at the model's context
};

struct train_spec {
    char *model;
    char *base_model_name; // goes into adapter_config.json; NULL: the path
    char *training_file;
    char *training_file_name;
    char *validation_file; // or NULL
    char *validation_file_name;
    char *adapter;       // to continue from, or NULL
    char *chat_template; // a file whose template is taken in place of the model's own, or NULL
    int64_t chat_time;   // what templates take for now (model/chat_example.h); 0: now
    uint64_t seed;
    double epochs;          // 0: auto
    double batch_size;      // 0: auto
    double rate_multiplier; // 0: auto
    size_t lora_rank;
    double lora_alpha;
    double lora_dropout;
    unsigned lora_modules; // bit set, as in model/lora.h
    bool rank_given;       // an adapter to continue from must have that rank
    int threads;
    double checkpoint_seconds;
    bool separate;   // what examples begin with alike is computed for each: "shared_prefixes"
    uint64_t memory; // bytes beside the base model's weights; 0: what the machine can spare
    struct full_parameters full;
};

// Defaults; strings NULL.
void train_spec_init(struct train_spec *spec);
void train_spec_free(struct train_spec *spec);

// Reads and checks a spec. Errors name the key and what is allowed.
bool train_spec_read(struct train_spec *spec, const json_t *root, struct error *error) WARN_UNUSED;

// The spec as JSON, the inverse of reading. NULL if memory is short.
json_t *train_spec_json(const struct train_spec *spec);

// The names of a bit set of modules (json_decref).
json_t *train_spec_modules(unsigned modules);

// Whether rows that the examples of a batch begin with alike are computed once.
bool train_spec_shares(const struct train_spec *spec);

// Fills in what is "auto": batch size 0.2 % of the examples, from 1 to 32; epochs that make 100 to
// 200 steps, from 1 to 10; multiplier 1.
void train_spec_choose(struct train_spec *spec, size_t examples);

#endif
