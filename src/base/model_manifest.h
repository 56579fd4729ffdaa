// temper.json, which `temper models add` and `pull` put into the directory of a model that they
// made: {"id", "aliases", "source", "revision", "created_at"}. A model that was put there by hand
// has none.
#ifndef BASE_MODEL_MANIFEST_H
#define BASE_MODEL_MANIFEST_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define MODEL_MANIFEST_FILE "temper.json"

enum { MODEL_MAX_ALIASES = 32 };

// Texts belong to the record: model_manifest_free. Start with zeros.
struct model_manifest {
    char *id;
    char *source;   // a directory, a file, or a name on the hub
    char *revision; // of the hub; NULL elsewhere
    int64_t created_at;
    char *aliases[MODEL_MAX_ALIASES];
    size_t alias_count;
};

// ERROR_NOT_FOUND where the directory has none. Aliases that are no names of models are left out.
bool model_manifest_read(
    struct model_manifest *manifest, const char *directory, struct error *error) WARN_UNUSED;
bool model_manifest_write(
    const struct model_manifest *manifest, const char *directory, struct error *error) WARN_UNUSED;
void model_manifest_free(struct model_manifest *manifest);

// Copies of texts into a manifest.
bool model_manifest_set(struct model_manifest *manifest, const char *id, const char *source,
    struct error *error) WARN_UNUSED;
bool model_manifest_add_alias(
    struct model_manifest *manifest, const char *alias, struct error *error) WARN_UNUSED;

// Names of models as they may be given: "name" or "owner/name", of letters, digits, '.', '_' and
// '-', not beginning with '.' or '-'. They are names of directories as well.
bool model_name_is_good(const char *name);

#endif
