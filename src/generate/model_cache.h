// Models that answers are made with: base models, opened once and kept, and adapters, of which
// those used last are kept. Any thread may ask for them. A load is done by the first thread that
// asks, under no lock; others that want the same wait for it, those that want another do not.
#ifndef GENERATE_MODEL_CACHE_H
#define GENERATE_MODEL_CACHE_H

#include "generate/sampler.h"
#include "model/chat_example.h"
#include "model/transformer.h"
#include <pthread.h>

enum { MODEL_CACHE_ADAPTERS = 64, MODEL_CACHE_MODELS = 8 };

// Which directory a name led to: one that was removed and made anew is another.
struct directory_identity {
    uint64_t device, inode;
    int64_t seconds, nanoseconds; // of its last change
};

struct model_cache;

struct loaded_model {
    struct model_cache *cache;
    bool loading; // with `users` and `used`, under the cache's lock
    char *directory;
    struct directory_identity identity;
    struct transformer *transformer;
    struct chat_format *format;
    struct inference *inference;
    struct sampler_scratch scratch;
    float *logits; // [logit rows of a pass, vocabulary]
    size_t users;  // requests
    uint64_t used; // when last, in uses
};

struct loaded_adapter {
    struct model_cache *cache;
    bool loading;
    char *directory;
    const struct loaded_model *model;
    struct lora *lora;
    struct chat_format *format; // with the template that it was trained with; NULL: the model's
    size_t users;
    uint64_t used;
};

struct model_cache {
    struct compute *compute;   // borrowed
    const char *chat_template; // a file in place of the models' own templates, or NULL; borrowed
    size_t max_rows;           // of a pass
    size_t max_logit_rows;
    atomic_bool closing;  // a load that is being done ends early: nobody waits for it
    pthread_mutex_t lock; // guards what follows
    pthread_cond_t loaded;
    uint64_t clock;
    struct loaded_model *models[MODEL_CACHE_MODELS];
    struct loaded_adapter *adapters[MODEL_CACHE_ADAPTERS];
};

void model_cache_init(
    struct model_cache *cache, struct compute *compute, size_t max_rows, size_t max_logit_rows);
void model_cache_free(struct model_cache *cache);

// Each is given back with its _release. ERROR_CONFLICT where all places are in use.
bool model_cache_model(struct model_cache *cache, const char *directory,
    struct loaded_model **model, struct error *error) WARN_UNUSED;
bool model_cache_adapter(struct model_cache *cache, const struct loaded_model *model,
    const char *directory, struct loaded_adapter **adapter, struct error *error) WARN_UNUSED;
// Whether both are there now, so that asking for them is not likely to wait. `adapter` may be NULL.
bool model_cache_has(struct model_cache *cache, const char *model, const char *adapter);
void model_cache_release_model(struct loaded_model *model);
void model_cache_release_adapter(struct loaded_adapter *adapter); // NULL is allowed

#endif
