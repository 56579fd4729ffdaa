#include "cli/model_choice.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/store.h"
#include <string.h>

void model_choice_free(struct model_choice *choice) {
    model_directory_free(&choice->base);
    memory_free(choice->adapter);
    choice->adapter = NULL;
}

static bool take(struct model_choice *choice, struct model_record *record, const char *data,
    struct error *error) {
    choice->adapter = record->adapter;
    record->adapter = NULL;
    bool ok = model_directory_find(&choice->base, record->base, data, error);
    model_record_free(record);
    return ok;
}

// True where the name is that of a fine-tuned model; *ok whether it could be taken.
static bool find_fine_tuned(struct model_choice *choice, const char *name, const char *data,
    const char *account, bool *ok, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct store *store;
    struct model_record record;
    struct error unknown = {0};
    if (!data || !file_path(path, sizeof path, NULL, data, "temper.db") || !file_exists(path))
        return false;
    *ok = store_open(&store, data, error);
    if (!*ok) return true;
    bool found = model_resolve(store, account, name, &record, &unknown);
    store_close(store);
    if (found) *ok = take(choice, &record, data, error);
    if (!found && unknown.code != ERROR_NOT_FOUND) *error = unknown;
    *ok = *ok && found;
    return found || unknown.code != ERROR_NOT_FOUND;
}

bool model_choice_find(struct model_choice *choice, const char *name, const char *data,
    const char *account, struct error *error) {
    struct error no_base = {0};
    bool ok = false;
    memset(choice, 0, sizeof *choice);
    if (model_directory_find(&choice->base, name, data, &no_base)) return true;
    bool settled =
        no_base.code == ERROR_NOT_FOUND && find_fine_tuned(choice, name, data, account, &ok, error);
    if (!settled) *error = no_base;
    if (!ok) model_choice_free(choice);
    return ok;
}

bool model_choice_adapter(
    const struct model_choice *choice, const char **adapter, struct error *error) {
    if (choice->adapter && *adapter)
        return error_set(error, ERROR_INVALID,
            "the model is fine-tuned: it has an adapter already, and takes no --adapter");
    if (choice->adapter) *adapter = choice->adapter;
    return true;
}
