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
}

// ---- models ----

static bool load_model(struct model_cache *cache, const char *directory, struct loaded_model **made,
    struct error *error) {
    struct loaded_model *model = memory_alloc_zeroed(1, sizeof *model);
    if (!model) return memory_error(error, "a model");
    bool ok = (model->directory = memory_copy_string(directory)) != NULL &&
              transformer_open(&model->transformer, directory, error) &&
              chat_format_open_with(&model->format, directory, NULL, cache->chat_template, error) &&
              inference_create(
                  &model->inference, model->transformer, cache->compute, cache->max_rows, error);
    size_t vocabulary = ok ? transformer_config(model->transformer)->vocabulary_size : 0;
    ok = ok && sampler_scratch_create(&model->scratch, vocabulary, error);
    if (ok) {
        model->logits = memory_alloc_aligned(cache->max_logit_rows * vocabulary, sizeof(float));
        ok = model->logits || memory_error(error, "logits");
    }
    if (!ok) {
        free_model(model);
        return false;
    }
    *made = model;
    return true;
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

bool model_cache_model(struct model_cache *cache, const char *directory,
    struct loaded_model **model, struct error *error) {
    struct directory_identity identity = identify(directory);
    bool found;
    struct loaded_model **place = find_place(cache, directory, &identity, &found);
    if (!place)
        return error_set(error, ERROR_CONFLICT,
            "%d base models are answering at once; ask again once one has finished",
            MODEL_CACHE_MODELS);
    if (!found) {
        struct loaded_model *made = NULL;
        if (!load_model(cache, directory, &made, error)) return false;
        made->identity = identity;
        if (*place) forget_adapters(cache, *place);
        free_model(*place);
        *place = made;
    }
    (*place)->users++;
    (*place)->used = ++cache->clock;
    *model = *place;
    return true;
}

void model_cache_release_model(struct loaded_model *model) {
    model->users--;
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

static bool load_adapter(const struct model_cache *cache, const struct loaded_model *model,
    const char *directory, struct loaded_adapter **made, struct error *error) {
    struct loaded_adapter *adapter = memory_alloc_zeroed(1, sizeof *adapter);
    if (!adapter) return memory_error(error, "an adapter");
    adapter->model = model;
    adapter->directory = memory_copy_string(directory);
    if ((!adapter->directory && !memory_error(error, "an adapter")) ||
        !adapter_file_load(
            &adapter->lora, transformer_config(model->transformer), directory, error) ||
        !load_format(cache, directory, adapter, error)) {
        free_adapter(adapter);
        return false;
    }
    *made = adapter;
    return true;
}

bool model_cache_adapter(struct model_cache *cache, const struct loaded_model *model,
    const char *directory, struct loaded_adapter **adapter, struct error *error) {
    struct loaded_adapter **place = NULL;
    bool found = false;
    for (size_t i = 0; i < MODEL_CACHE_ADAPTERS && !found; i++) {
        struct loaded_adapter *present = cache->adapters[i];
        found = present && present->model == model && !strcmp(present->directory, directory);
        bool better = !place || (*place && (!present || present->used < (*place)->used));
        if (found || (better && (!present || !present->users))) place = &cache->adapters[i];
    }
    if (!place)
        return error_set(error, ERROR_CONFLICT,
            "%d fine-tuned models are answering at once; ask again once one has finished",
            MODEL_CACHE_ADAPTERS);
    if (!found) {
        struct loaded_adapter *made = NULL;
        if (!load_adapter(cache, model, directory, &made, error)) return false;
        free_adapter(*place);
        *place = made;
    }
    (*place)->users++;
    (*place)->used = ++cache->clock;
    *adapter = *place;
    return true;
}

void model_cache_release_adapter(struct loaded_adapter *adapter) {
    if (adapter) adapter->users--;
}
