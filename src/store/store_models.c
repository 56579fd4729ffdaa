// Models: base models are directories (base/model_directory.h), fine-tuned ones rows of the
// database.
#include "base/log.h"
#include "base/memory.h"
#include "base/model_directory.h"
#include "store/store_internal.h"
#include <string.h>
#include <sys/stat.h>

void model_record_free(struct model_record *record) {
    memory_free(record->id);
    memory_free(record->base);
    memory_free(record->owner);
    memory_free(record->directory);
    memory_free(record->adapter);
    for (size_t i = 0; i < record->alias_count; i++)
        memory_free(record->aliases[i]);
    memory_free(record->aliases);
    memset(record, 0, sizeof *record);
}

void model_list_free(struct model_record *records, size_t count) {
    for (size_t i = 0; i < count; i++)
        model_record_free(&records[i]);
    memory_free(records);
}

// ---- base models ----

// The part of an id before its slash.
static char *owner_of(const char *id) {
    const char *slash = strchr(id, '/');
    return slash ? memory_copy_bytes(id, (size_t)(slash - id)) : memory_copy_string("system");
}

// Takes over the texts of `found`.
static bool base_record(
    struct model_directory *found, struct model_record *record, struct error *error) {
    struct stat status;
    memset(record, 0, sizeof *record);
    record->id = found->id;
    record->directory = found->path;
    record->aliases = found->aliases;
    record->alias_count = found->alias_count;
    record->base = memory_copy_string(record->id);
    record->owner = owner_of(record->id);
    record->fine_tunable = true;
    record->created = stat(found->path, &status) == 0 ? (int64_t)status.st_mtime : 0;
    memset(found, 0, sizeof *found);
    if (record->owner && record->base) return true;
    model_record_free(record);
    return memory_error(error, "a model");
}

static bool list_base_models(
    struct store *store, struct model_record **records, size_t *count, struct error *error) {
    struct model_directory *list;
    size_t found;
    if (!model_directory_list(&list, &found, store->directory, error)) return false;
    bool ok = true;
    for (size_t i = 0; i < found && ok; i++) {
        struct model_record *record = store_grow((void **)records, *count, sizeof *record, error);
        ok = record && base_record(&list[i], record, error);
        *count += ok;
    }
    model_directory_list_free(list, found);
    return ok;
}

// ---- fine-tuned models ----

// A row: id, account, base, adapter, created. A base model that is gone leaves directory NULL.
static void read_record(struct sql *sql, struct model_record *record) {
    struct model_directory found = {0};
    struct error ignored;
    record->id = sql_text(sql, 0);
    record->owner = sql_text(sql, 1);
    record->base = sql_text(sql, 2);
    record->adapter = sql_text(sql, 3);
    record->created = sql_integer(sql, 4);
    record->fine_tunable = record->fine_tuned = true;
    if (record->base &&
        model_directory_by_name(&found, record->base, sql->store->directory, &ignored)) {
        record->directory = found.path;
        found.path = NULL;
    }
    model_directory_free(&found);
}

// FNV-1a.
static uint32_t short_hash(const uint8_t *bytes, size_t length) {
    uint32_t hash = 0x811c9dc5u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 0x01000193u;
    return hash;
}

bool model_make_name(char **name, const char *base, const char *account, const char *nickname,
    const void *origin, size_t length, struct error *error) {
    const struct known_model *known = known_model_find(base);
    char *model = memory_copy_string(known ? known->names[0] : base);
    char *slash = model ? strchr(model, '/') : NULL;
    if (slash) *slash = ':';
    bool named = nickname && *nickname;
    *name = model ? memory_format("ft:%s:%s%s%s:%08x", model, account, named ? ":" : "",
                        named ? nickname : "", short_hash(origin, length))
                  : NULL;
    memory_free(model);
    return *name || memory_error(error, "a model's name");
}

bool model_add(struct store *store, const char *account, const char *id, const char *base,
    const char *adapter, bool checkpoint, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "INSERT INTO models (id, account, base, adapter, checkpoint, created)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        "ttttii", id, account, base, adapter, (int64_t)checkpoint, store_now());
    return sql_run(&sql, NULL);
}

static bool resolve_fine_tuned(struct store *store, const char *account, const char *name,
    struct model_record *record, struct error *error) {
    struct sql sql;
    memset(record, 0, sizeof *record);
    sql_open(&sql, store, error,
        "SELECT id, account, base, adapter, created FROM models WHERE account = ? AND id = ?", "tt",
        account, name);
    bool found = sql_row(&sql);
    if (found) read_record(&sql, record);
    if (!sql_close(&sql)) {
        model_record_free(record);
        return false;
    }
    if (!found) return error_set(error, ERROR_NOT_FOUND, "no model %.200s", name);
    if (record->directory) return true;
    model_record_free(record);
    return error_set(error, ERROR_CONFLICT,
        "the base model of %.200s is no longer in any model directory; put it back", name);
}

bool model_resolve(struct store *store, const char *account, const char *name,
    struct model_record *record, struct error *error) {
    struct model_directory found;
    struct error not_base = {0}, not_fine_tuned;
    memset(record, 0, sizeof *record);
    if (!strncmp(name, "ft:", 3)) return resolve_fine_tuned(store, account, name, record, error);
    if (model_directory_by_name(&found, name, store->directory, &not_base))
        return base_record(&found, record, error);
    // An adapter that was added by hand may bear any name.
    if (not_base.code == ERROR_NOT_FOUND &&
        resolve_fine_tuned(store, account, name, record, &not_fine_tuned))
        return true;
    bool unknown = not_base.code != ERROR_NOT_FOUND || not_fine_tuned.code == ERROR_NOT_FOUND;
    if (error) *error = unknown ? not_base : not_fine_tuned;
    return false;
}

bool model_count_over(struct store *store, const char *base, size_t *count, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error, "SELECT count(*) FROM models WHERE base = ?", "t", base);
    *count = sql_row(&sql) ? (size_t)sql_integer(&sql, 0) : 0;
    return sql_close(&sql);
}

bool model_list(struct store *store, const char *account, struct model_record **records,
    size_t *count, struct error *error) {
    struct sql sql;
    *records = NULL;
    *count = 0;
    if (!list_base_models(store, records, count, error)) {
        model_list_free(*records, *count);
        return false;
    }
    sql_open(&sql, store, error,
        "SELECT id, account, base, adapter, created FROM models"
        " WHERE account = ? AND checkpoint = 0 ORDER BY seq DESC",
        "t", account);
    while (sql_row(&sql)) {
        struct model_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql.failed = true;
            break;
        }
        ++*count;
        read_record(&sql, record);
    }
    if (sql_close(&sql)) return true;
    model_list_free(*records, *count);
    return false;
}

static bool find_adapter(struct store *store, const char *account, const char *name, char **adapter,
    struct error *error) {
    struct sql sql;
    *adapter = NULL;
    sql_open(&sql, store, error, "SELECT adapter FROM models WHERE account = ? AND id = ?", "tt",
        account, name);
    if (sql_row(&sql)) *adapter = sql_text(&sql, 0);
    if (!sql_close(&sql)) {
        memory_free(*adapter);
        return false;
    }
    return *adapter || error_set(error, ERROR_NOT_FOUND, "no model %.200s", name);
}

bool model_delete(struct store *store, const char *account, const char *name, struct error *error) {
    char *adapter;
    struct sql sql;
    struct error left;
    int changed;
    if (!find_adapter(store, account, name, &adapter, error)) return false;
    sql_open(
        &sql, store, error, "DELETE FROM models WHERE account = ? AND id = ?", "tt", account, name);
    bool ok = sql_run(&sql, &changed) &&
              (changed || error_set(error, ERROR_NOT_FOUND, "no model %.200s", name));
    // An adapter that stays behind is waste, not a fault of the request.
    if (ok && !file_remove_tree(adapter, &left)) log_warning("%s", left.message);
    memory_free(adapter);
    return ok;
}
