// Where base models are: directories in Hugging Face's layout (config.json, tokenizer.json,
// safetensors), found by name. The places, in order: $TEMPER_MODELS_DIR, DATA/models, and beside
// the program
// ../models and ../share/temper/models. PLACE/name and PLACE/owner/name are both models; their id
// is "name" or "owner/name". The built-in model mini-instruct is "temper/mini-instruct".
#ifndef BASE_MODEL_DIRECTORY_H
#define BASE_MODEL_DIRECTORY_H

#include "base/error.h"
#include <stddef.h>

#define BUILT_IN_MODEL "temper/mini-instruct"

// Texts belong to the record: model_directory_free.
struct model_directory {
    char *id;
    char *path; // absolute
};

// Finds a model by its id, an alias of the built-in one ("mini-instruct", "temper-mini"), or the
// path of a directory (then the id is that of the place it lies in, or the path). `data` may be
// NULL. ERROR_NOT_FOUND says where was looked.
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

#endif
