// A model on its way into DATA/models/ID: made in a directory beside its place and renamed when all
// is good, so that it is there whole or not at all.
#ifndef CLI_MODEL_INSTALL_H
#define CLI_MODEL_INSTALL_H

#include "base/file.h"
#include "base/model_manifest.h"

struct model_install {
    const char *data;
    struct model_manifest manifest; // its texts are owned; the maker may add a revision
    char staging[FILE_PATH_SIZE];   // DATA/models/.…: where the files go
    char target[FILE_PATH_SIZE];
};

// Checks that the names are good and that nobody bears them, and fills in the manifest and the
// paths. `staging` is the name of the directory beside, beginning with a dot; NULL makes a new one,
// in which case model_install_abandon removes it.
bool model_install_begin(struct model_install *install, const char *data, const char *id,
    const char *const *aliases, size_t alias_count, const char *source, const char *staging,
    struct error *error) WARN_UNUSED;

// The name of the directory beside that a download to this name is kept in until it is whole:
// ".pulling-OWNER--NAME". `name` has room for FILE_PATH_SIZE bytes.
bool model_install_staging_name(char *name, const char *id, struct error *error) WARN_UNUSED;

// Writes temper.json and gives the directory its name: the model is there.
bool model_install_publish(struct model_install *install, struct error *error) WARN_UNUSED;

void model_install_free(struct model_install *install);    // forgets; leaves the disk as it is
void model_install_abandon(struct model_install *install); // also removes the staging directory

// Fills the staging directory from a model that lies elsewhere: small files are copied, weight
// files become links. With `quantized`, the weights are left out: quantize_model writes them.
bool model_install_refer(struct model_install *install, const char *source, bool quantized,
    struct error *error) WARN_UNUSED;

// Copies a template to where it comes before all others; one for chats with tools goes.
bool model_install_template(
    struct model_install *install, const char *path, struct error *error) WARN_UNUSED;

// Small files of a model's directory that are kept with it, up to NULL; the index is the first.
// One of them is in a directory of its own, MODEL_TEMPLATES_DIRECTORY.
extern const char *const model_small_files[];

#define MODEL_TEMPLATES_DIRECTORY "additional_chat_templates"

// The path of one of them in the staging directory, whose directory is made.
bool model_install_path(const struct model_install *install, char path[FILE_PATH_SIZE],
    const char *name, struct error *error) WARN_UNUSED;

// Bytes that the file system of DATA can still take are at least these; `what` for the message.
bool model_install_has_room(const struct model_install *install, uint64_t bytes, const char *what,
    struct error *error) WARN_UNUSED;

#endif
