// Where base models are: directories in Hugging Face's layout (config.json, tokenizer.json,
// safetensors) or with a model.gguf, found by name. The places, in order: $TEMPER_MODELS_DIR,
// DATA/models, and beside the program ../models and ../share/temper/models. PLACE/name and
// PLACE/owner/name are both models; their id is "name" or "owner/name". A model also answers to the
// aliases of its temper.json (base/model_manifest.h), and, where it has one of the names of a known
// model (base/known_models.h), to the others. What is on the disk is asked each time: a model that
// was just added is there at once.
#ifndef BASE_MODEL_DIRECTORY_H
#define BASE_MODEL_DIRECTORY_H

#include "base/error.h"
#include "base/known_models.h"
#include <stddef.h>

// Texts belong to the record: model_directory_free.
struct model_directory {
    char *id;
    char *path;     // absolute
    char **aliases; // other names that it answers to
    size_t alias_count;
};

// Finds a model by its id, an alias, or the path of a directory or .gguf file (then the id is that
// of the place it lies in, or the path). `data` may be NULL. ERROR_NOT_FOUND says where was looked,
// or, of a known model, what to run to get it.
bool model_directory_find(struct model_directory *found, const char *name, const char *data,
    struct error *error) WARN_UNUSED;
void model_directory_free(struct model_directory *directory);

// The same for names from outside, which must not reach into the file system: ids and aliases only.
bool model_directory_by_name(struct model_directory *found, const char *name, const char *data,
    struct error *error) WARN_UNUSED;

// All models of all places, each id once, the built-in one first, the others in order of their ids.
bool model_directory_list(struct model_directory **list, size_t *count, const char *data,
    struct error *error) WARN_UNUSED;
void model_directory_list_free(struct model_directory *list, size_t count);

// Whether the directory at this path holds a model's files: config.json or model.gguf.
bool model_directory_holds_model(const char *path);

#endif
