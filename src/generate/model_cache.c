#include "generate/model_cache.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/adapter_file.h"
#include <string.h>
#include <sys/stat.h>

void model_cache_init(
    struct model_cache *cache, struct compute *compute, size_t max_rows, size_t max_logit_rows) {
    memset(cache, 0, sizeof *cache);
    cache->compute = compute;
    cache->max_rows = max_rows;
    cache->max_logit_rows = max_logit_rows;
    atomic_init(&cache->closing, false);
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->loaded, NULL);
}

static void free_model(struct loaded_model *model) {
    if (!model) return;
    inference_free(model->inference);
    transformer_close(model->transformer);
    chat_format_close(model->format);
    sampler_scratch_free(&model->scratch);
    memory_free(model->logits);
    memory_free(model->directory);
    memory_free(model);
}

static void free_adapter(struct loaded_adapter *adapter) {
    if (!adapter) return;
    lora_free(adapter->lora);
    chat_format_close(adapter->format);
    memory_free(adapter->directory);
    memory_free(adapter);
}

void model_cache_free(struct model_cache *cache) {
    for (size_t i = 0; i < MODEL_CACHE_ADAPTERS; i++)
        free_adapter(cache->adapters[i]);
    for (size_t i = 0; i < MODEL_CACHE_MODELS; i++)
        free_model(cache->models[i]);
    pthread_mutex_destroy(&cache->lock);
    pthread_cond_destroy(&cache->loaded);
}

// ---- models ----

// An entry that is about to be loaded, and has its first user.
static struct loaded_model *reserve_model(struct model_cache *cache, const char *directory) {
    struct loaded_model *model = memory_alloc_zeroed(1, sizeof *model);
    if (!model) return NULL;
    model->cache = cache;
    model->loading = true;
    model->users = 1;
    if ((model->directory = memory_copy_string(directory))) return model;
    memory_free(model);
    return NULL;
}

static bool load_model(
    const struct model_cache *cache, struct loaded_model *model, struct error *error) {
    const char *directory = model->directory;
    bool ok = transformer_open(&model->transformer, directory, error) &&
              chat_format_open_with(&model->format, directory, NULL, cache->chat_template, error) &&
              inference_create(
                  &model->inference, model->transformer, cache->compute, cache->max_rows, error);
    size_t vocabulary = ok ? transformer_config(model->transformer)->vocabulary_size : 0;
    if (!ok || !sampler_scratch_create(&model->scratch, vocabulary, error)) return false;
    transformer_read_in(model->transformer, &cache->closing);
    model->logits = memory_alloc_aligned(cache->max_logit_rows * vocabulary, sizeof(float));
    return model->logits || memory_error(error, "logits");
}

static void forget_adapters(struct model_cache *cache, const struct loaded_model *model) {
    for (size_t i = 0; i < MODEL_CACHE_ADAPTERS; i++)
        if (cache->adapters[i] && cache->adapters[i]->model == model) {
            free_adapter(cache->adapters[i]);
            cache->adapters[i] = NULL;
        }
}

static struct directory_identity identify(const char *directory) {
    struct stat status;
    if (stat(directory, &status) != 0) return (struct directory_identity){0};
    return (struct directory_identity){
        status.st_dev, status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

// Whether the entry is of this name, and whether what the name leads to is still the same.
static bool is_of(const struct loaded_model *model, const char *directory,
    const struct directory_identity *identity, bool *same) {
    *same = false;
    if (!model || strcmp(model->directory, directory)) return false;
    *same = !memcmp(&model->identity, identity, sizeof *identity);
    return true;
}

// The entry, or the place where it is to go: first that of a model that is no longer what its name
// leads to, then an empty one, then that of the model used longest ago. NULL: all are in use.
static struct loaded_model **find_place(struct model_cache *cache, const char *directory,
    const struct directory_identity *identity, bool *found) {
    struct loaded_model **place = NULL;
    bool place_is_stale = false;
    *found = false;
    for (size_t i = 0; i < MODEL_CACHE_MODELS; i++) {
        struct loaded_model *present = cache->models[i];
        bool stale = is_of(present, directory, identity, found);
        if (*found) return &cache->models[i];
        if (place_is_stale || (present && present->users)) continue;
        bool better = !place || (*place && (!present || present->used < (*place)->used));
        if (stale || better) place = &cache->models[i];
        place_is_stale = stale;
    }
    return place;
}

// The entry's place once nobody loads it, or the place where it is to go. Under the lock.
static struct loaded_model **await_place(struct model_cache *cache, const char *directory,
    struct directory_identity *identity, bool *found) {
    for (;;) {
        *identity = identify(directory);
        struct loaded_model **place = find_place(cache, directory, identity, found);
        if (!place || !*found || !(*place)->loading) return place;
        pthread_cond_wait(&cache->loaded, &cache->lock);
    }
}

// Puts a new entry there and loads it; the lock is let go meanwhile.
static bool fill_place(struct model_cache *cache, struct loaded_model **place,
    const char *directory, const struct directory_identity *identity, struct error *error) {
    struct loaded_model *before = *place, *model = reserve_model(cache, directory);
    if (!model) return memory_error(error, "a model");
    model->identity = *identity;
    if (before) forget_adapters(cache, before);
    *place = model;
    pthread_mutex_unlock(&cache->lock);
    free_model(before);
    bool ok = load_model(cache, model, error);
    pthread_mutex_lock(&cache->lock);
    model->loading = false;
    pthread_cond_broadcast(&cache->loaded);
    if (ok) return true;
    *place = NULL;
    free_model(model);
    return false;
}

bool model_cache_model(struct model_cache *cache, const char *directory,
    struct loaded_model **model, struct error *error) {
    struct directory_identity identity;
    bool found, ok = true;
    pthread_mutex_lock(&cache->lock);
    struct loaded_model **place = await_place(cache, directory, &identity, &found);
    if (!place)
        ok = error_set(error, ERROR_CONFLICT,
            "%d base models are answering at once; ask again once one has finished",
            MODEL_CACHE_MODELS);
    else if (found)
        (*place)->users++;
    else
        ok = fill_place(cache, place, directory, &identity, error);
    if (ok) {
        (*place)->used = ++cache->clock;
        *model = *place;
    }
    pthread_mutex_unlock(&cache->lock);
    return ok;
}

void model_cache_release_model(struct loaded_model *model) {
    pthread_mutex_lock(&model->cache->lock);
    model->users--;
    pthread_mutex_unlock(&model->cache->lock);
}

// ---- adapters ----

// Only an adapter that brings a template of its own has a format.
static bool load_format(const struct model_cache *cache, const char *directory,
    struct loaded_adapter *adapter, struct error *error) {
    char path[FILE_PATH_SIZE];
    if (!file_path(path, sizeof path, error, directory, ADAPTER_TEMPLATE_FILE)) return false;
    return cache->chat_template || !file_exists(path) ||
           chat_format_open_with(&adapter->format, adapter->model->directory, NULL, path, error);
}

// An entry that is about to be loaded, and has its first user.
static struct loaded_adapter *reserve_adapter(
    struct model_cache *cache, const struct loaded_model *model, const char *directory) {
    struct loaded_adapter *adapter = memory_alloc_zeroed(1, sizeof *adapter);
    if (!adapter) return NULL;
    adapter->cache = cache;
    adapter->loading = true;
    adapter->users = 1;
    adapter->model = model;
    if ((adapter->directory = memory_copy_string(directory))) return adapter;
    memory_free(adapter);
    return NULL;
}

// The entry, or the place where it is to go: an empty one, or that of the adapter used longest ago.
// NULL: all are in use.
static struct loaded_adapter **find_adapter_place(struct model_cache *cache,
    const struct loaded_model *model, const char *directory, bool *found) {
    struct loaded_adapter **place = NULL;
    *found = false;
    for (size_t i = 0; i < MODEL_CACHE_ADAPTERS && !*found; i++) {
        struct loaded_adapter *present = cache->adapters[i];
        *found = present && present->model == model && !strcmp(present->directory, directory);
        bool better = !place || (*place && (!present || present->used < (*place)->used));
        if (*found || (better && (!present || !present->users))) place = &cache->adapters[i];
    }
    return place;
}

// As fill_place.
static bool fill_adapter_place(struct model_cache *cache, struct loaded_adapter **place,
    const struct loaded_model *model, const char *directory, struct error *error) {
    struct loaded_adapter *before = *place, *adapter = reserve_adapter(cache, model, directory);
    if (!adapter) return memory_error(error, "an adapter");
    *place = adapter;
    pthread_mutex_unlock(&cache->lock);
    free_adapter(before);
    bool ok = adapter_file_load(
                  &adapter->lora, transformer_config(model->transformer), directory, error) &&
              load_format(cache, directory, adapter, error);
    pthread_mutex_lock(&cache->lock);
    adapter->loading = false;
    pthread_cond_broadcast(&cache->loaded);
    if (ok) return true;
    *place = NULL;
    free_adapter(adapter);
    return false;
}

bool model_cache_adapter(struct model_cache *cache, const struct loaded_model *model,
    const char *directory, struct loaded_adapter **adapter, struct error *error) {
    bool found, ok = true;
    pthread_mutex_lock(&cache->lock);
    struct loaded_adapter **place;
    while (
        (place = find_adapter_place(cache, model, directory, &found)) && found && (*place)->loading)
        pthread_cond_wait(&cache->loaded, &cache->lock);
    if (!place)
        ok = error_set(error, ERROR_CONFLICT,
            "%d fine-tuned models are answering at once; ask again once one has finished",
            MODEL_CACHE_ADAPTERS);
    else if (found)
        (*place)->users++;
    else
        ok = fill_adapter_place(cache, place, model, directory, error);
    if (ok) {
        (*place)->used = ++cache->clock;
        *adapter = *place;
    }
    pthread_mutex_unlock(&cache->lock);
    return ok;
}

void model_cache_release_adapter(struct loaded_adapter *adapter) {
    if (!adapter) return;
    pthread_mutex_lock(&adapter->cache->lock);
    adapter->users--;
    pthread_mutex_unlock(&adapter->cache->lock);
}

// ---- both ----

static const struct loaded_model *present_model(
    const struct model_cache *cache, const char *directory) {
    for (size_t i = 0; i < MODEL_CACHE_MODELS; i++) {
        const struct loaded_model *model = cache->models[i];
        if (model && !model->loading && !strcmp(model->directory, directory)) return model;
    }
    return NULL;
}

static bool has_adapter(
    const struct model_cache *cache, const struct loaded_model *model, const char *directory) {
    for (size_t i = 0; i < MODEL_CACHE_ADAPTERS; i++) {
        const struct loaded_adapter *adapter = cache->adapters[i];
        if (adapter && adapter->model == model && !strcmp(adapter->directory, directory))
            return !adapter->loading;
    }
    return false;
}

bool model_cache_has(struct model_cache *cache, const char *model, const char *adapter) {
    pthread_mutex_lock(&cache->lock);
    const struct loaded_model *present = present_model(cache, model);
    bool has = present && (!adapter || has_adapter(cache, present, adapter));
    pthread_mutex_unlock(&cache->lock);
    return has;
}
