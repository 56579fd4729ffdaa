// Jobs, their events and their checkpoints.
#include "base/memory.h"
#include "store/store_internal.h"
#include <string.h>

#define COLUMNS                                                                                    \
    "id, account, model, training_file, validation_file, suffix, status, fine_tuned_model,"        \
    " hyperparameters, lora, metadata, result_files, error_code, error_message, error_param,"      \
    " resume_status, metrics, seed, created_at, finished_at, estimated_finish, trained_tokens, "   \
    "events_read, last_step,"                                                                      \
    " attempts"

#define NOT_FINAL "status NOT IN ('succeeded', 'failed', 'cancelled')"

static void read_record(struct sql *sql, struct job_record *record) {
    char **const texts[] = {&record->id, &record->account, &record->model, &record->training_file,
        &record->validation_file, &record->suffix, &record->status, &record->fine_tuned_model,
        &record->hyperparameters, &record->lora, &record->metadata, &record->result_files,
        &record->error_code, &record->error_message, &record->error_param, &record->resume_status,
        &record->metrics};
    int64_t *const integers[] = {&record->seed, &record->created_at, &record->finished_at,
        &record->estimated_finish, &record->trained_tokens, &record->events_read,
        &record->last_step, &record->attempts};
    int column = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = sql_text(sql, column++);
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        *integers[i] = sql_integer(sql, column++);
}

void job_record_free(struct job_record *record) {
    char *const texts[] = {record->id, record->account, record->model, record->training_file,
        record->validation_file, record->suffix, record->status, record->fine_tuned_model,
        record->hyperparameters, record->lora, record->metadata, record->result_files,
        record->error_code, record->error_message, record->error_param, record->resume_status,
        record->metrics};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        memory_free(texts[i]);
    memset(record, 0, sizeof *record);
}

void job_list_free(struct job_record *records, size_t count) {
    for (size_t i = 0; i < count; i++)
        job_record_free(&records[i]);
    memory_free(records);
}

bool job_status_is_final(const char *status) {
    return !strcmp(status, "succeeded") || !strcmp(status, "failed") ||
           !strcmp(status, "cancelled");
}

bool job_create(struct store *store, struct job_record *record, struct error *error) {
    struct sql sql;
    if (!store_make_id("ftjob-", &record->id, error)) return false;
    record->created_at = store_now();
    sql_open(&sql, store, error,
        "INSERT INTO jobs (id, account, model, training_file, validation_file, suffix, status,"
        " hyperparameters, lora, metadata, seed, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ttttttttttii", record->id, record->account, record->model, record->training_file,
        record->validation_file, record->suffix, record->status, record->hyperparameters,
        record->lora, record->metadata, record->seed, record->created_at);
    if (sql_run(&sql, NULL)) return true;
    memory_free(record->id);
    record->id = NULL;
    return false;
}

bool job_get(struct store *store, const char *account, const char *id, struct job_record *record,
    struct error *error) {
    struct sql sql;
    memset(record, 0, sizeof *record);
    sql_open(&sql, store, error, "SELECT " COLUMNS " FROM jobs WHERE account = ? AND id = ?", "tt",
        account, id);
    bool found = sql_row(&sql);
    if (found) read_record(&sql, record);
    if (!sql_close(&sql)) {
        job_record_free(record);
        return false;
    }
    return found || error_set(error, ERROR_NOT_FOUND, "no job %.128s", id);
}

// Reads rows of a list, at most `limit` of them (0: all).
static bool read_jobs(struct sql *sql, size_t limit, struct job_record **records, size_t *count,
    bool *more, struct error *error) {
    *records = NULL;
    *count = 0;
    *more = false;
    while (sql_row(sql)) {
        *more = limit && *count == limit;
        if (*more) break;
        struct job_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql->failed = true;
            break;
        }
        ++*count;
        read_record(sql, record);
    }
    if (sql_close(sql)) return true;
    job_list_free(*records, *count);
    return false;
}

bool job_list(struct store *store, const struct page_query *query, struct job_record **records,
    size_t *count, bool *more, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "SELECT " COLUMNS " FROM jobs WHERE account = ?"
        " AND (? IS NULL OR seq < (SELECT seq FROM jobs WHERE id = ?))"
        " AND (? IS NULL OR EXISTS (SELECT 1 FROM json_each(jobs.metadata) AS pair"
        " WHERE pair.key = ? AND pair.value = ?))"
        " AND (? = 0 OR metadata IS NULL) AND (?8 IS NULL OR instr(lower(id || ' ' || model ||"
        " ' ' || coalesce(suffix, '') || ' ' || coalesce(fine_tuned_model, '')), lower(?8)))"
        " ORDER BY seq DESC LIMIT ?9",
        "ttttttiti", query->account, query->after, query->after, query->metadata_key,
        query->metadata_key, query->metadata_value, (int64_t)query->without_metadata, query->search,
        (int64_t)query->limit + 1);
    return read_jobs(&sql, (size_t)query->limit, records, count, more, error);
}

bool job_list_open(
    struct store *store, struct job_record **records, size_t *count, struct error *error) {
    struct sql sql;
    bool more;
    sql_open(
        &sql, store, error, "SELECT " COLUMNS " FROM jobs WHERE " NOT_FINAL " ORDER BY seq", "");
    return read_jobs(&sql, 0, records, count, &more, error);
}

bool job_update(struct store *store, const struct job_record *r, struct error *error) {
    struct sql sql;
    int changed;
    sql_open(&sql, store, error,
        "UPDATE jobs SET status = ?, fine_tuned_model = ?, hyperparameters = ?, lora = ?,"
        " result_files = ?, error_code = ?, error_message = ?, error_param = ?, resume_status = ?,"
        " metrics = ?, finished_at = ?,"
        " estimated_finish = ?, trained_tokens = ?, events_read = ?, last_step = ?, attempts = ?"
        " WHERE id = ? AND " NOT_FINAL,
        "ttttttttttiiiiiit", r->status, r->fine_tuned_model, r->hyperparameters, r->lora,
        r->result_files, r->error_code, r->error_message, r->error_param, r->resume_status,
        r->metrics, r->finished_at, r->estimated_finish, r->trained_tokens, r->events_read,
        r->last_step, r->attempts, r->id);
    if (!sql_run(&sql, &changed)) return false;
    return changed ||
           error_set(error, ERROR_CONFLICT, "the job %s has ended, or is not there", r->id);
}

// ---- events ----

static void read_event(struct sql *sql, struct event_record *record) {
    record->id = sql_text(sql, 0);
    record->level = sql_text(sql, 1);
    record->message = sql_text(sql, 2);
    record->type = sql_text(sql, 3);
    record->data = sql_text(sql, 4);
    record->created_at = sql_integer(sql, 5);
}

void event_list_free(struct event_record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        memory_free(records[i].id);
        memory_free(records[i].level);
        memory_free(records[i].message);
        memory_free(records[i].type);
        memory_free(records[i].data);
    }
    memory_free(records);
}

bool event_add(
    struct store *store, const char *job, struct event_record *record, struct error *error) {
    struct sql sql;
    if (!store_make_id("ftevent-", &record->id, error)) return false;
    if (!record->created_at) record->created_at = store_now();
    sql_open(&sql, store, error,
        "INSERT INTO events (id, job, level, message, type, data, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        "ttttt"
        "ti",
        record->id, job, record->level, record->message, record->type, record->data,
        record->created_at);
    if (sql_run(&sql, NULL)) return true;
    memory_free(record->id);
    record->id = NULL;
    return false;
}

bool event_list(struct store *store, const struct page_query *query, struct event_record **records,
    size_t *count, bool *more, struct error *error) {
    struct sql sql;
    *records = NULL;
    *count = 0;
    *more = false;
    sql_open(&sql, store, error,
        query->ascending
            ? "SELECT id, level, message, type, data, created_at FROM events WHERE job = ?"
              " AND (? IS NULL OR seq > (SELECT seq FROM events WHERE id = ?)) ORDER BY seq LIMIT ?"
            : "SELECT id, level, message, type, data, created_at FROM events WHERE job = ?"
              " AND (? IS NULL OR seq < (SELECT seq FROM events WHERE id = ?)) ORDER BY seq DESC"
              " LIMIT ?",
        "ttti", query->job, query->after, query->after, (int64_t)query->limit + 1);
    while (sql_row(&sql)) {
        *more = *count == (size_t)query->limit;
        if (*more) break;
        struct event_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql.failed = true;
            break;
        }
        ++*count;
        read_event(&sql, record);
    }
    if (sql_close(&sql)) return true;
    event_list_free(*records, *count);
    return false;
}

bool event_list_metrics(struct store *store, const char *job, struct event_record **records,
    size_t *count, struct error *error) {
    struct sql sql;
    *records = NULL;
    *count = 0;
    sql_open(&sql, store, error,
        "SELECT data, created_at FROM events WHERE job = ? AND type = 'metrics' ORDER BY seq", "t",
        job);
    while (sql_row(&sql)) {
        struct event_record *record = store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql.failed = true;
            break;
        }
        ++*count;
        record->data = sql_text(&sql, 0);
        record->created_at = sql_integer(&sql, 1);
    }
    if (sql_close(&sql)) return true;
    event_list_free(*records, *count);
    return false;
}

// ---- checkpoints ----

void checkpoint_list_free(struct checkpoint_record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        memory_free(records[i].id);
        memory_free(records[i].model);
        memory_free(records[i].metrics);
    }
    memory_free(records);
}

bool checkpoint_add(
    struct store *store, const char *job, struct checkpoint_record *record, struct error *error) {
    struct sql sql;
    if (!store_make_id("ftckpt_", &record->id, error)) return false;
    if (!record->created_at) record->created_at = store_now();
    sql_open(&sql, store, error,
        "INSERT INTO checkpoints (id, job, model, metrics, step, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        "ttttii", record->id, job, record->model, record->metrics, record->step,
        record->created_at);
    if (sql_run(&sql, NULL)) return true;
    memory_free(record->id);
    record->id = NULL;
    return false;
}

bool checkpoint_list(struct store *store, const struct page_query *query,
    struct checkpoint_record **records, size_t *count, bool *more, struct error *error) {
    struct sql sql;
    *records = NULL;
    *count = 0;
    *more = false;
    sql_open(&sql, store, error,
        "SELECT id, model, metrics, step, created_at FROM checkpoints WHERE job = ?"
        " AND (? IS NULL OR seq < (SELECT seq FROM checkpoints WHERE id = ?))"
        " ORDER BY seq DESC LIMIT ?",
        "ttti", query->job, query->after, query->after, (int64_t)query->limit + 1);
    while (sql_row(&sql)) {
        *more = *count == (size_t)query->limit;
        if (*more) break;
        struct checkpoint_record *record =
            store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql.failed = true;
            break;
        }
        ++*count;
        record->id = sql_text(&sql, 0);
        record->model = sql_text(&sql, 1);
        record->metrics = sql_text(&sql, 2);
        record->step = sql_integer(&sql, 3);
        record->created_at = sql_integer(&sql, 4);
    }
    if (sql_close(&sql)) return true;
    checkpoint_list_free(*records, *count);
    return false;
}

// The model of the newest checkpoint after the first `keep`: *model (memory_free), NULL if there is
// none.
static bool find_surplus(
    struct store *store, const char *job, size_t keep, char **model, struct error *error) {
    struct sql sql;
    *model = NULL;
    sql_open(&sql, store, error,
        "SELECT model FROM checkpoints WHERE job = ? ORDER BY step DESC LIMIT 1 OFFSET ?", "ti",
        job, (int64_t)keep);
    if (sql_row(&sql)) *model = sql_text(&sql, 0);
    if (sql_close(&sql)) return true;
    memory_free(*model);
    return false;
}

static bool forget_checkpoint(struct store *store, const char *account, const char *job,
    const char *model, struct error *error) {
    struct error gone;
    struct sql sql;
    // Its owner may have deleted the model.
    if (!model_delete(store, account, model, &gone) && gone.code != ERROR_NOT_FOUND) {
        *error = gone;
        return false;
    }
    sql_open(&sql, store, error, "DELETE FROM checkpoints WHERE job = ? AND model = ?", "tt", job,
        model);
    return sql_run(&sql, NULL);
}

bool checkpoint_keep_newest(
    struct store *store, const char *account, const char *job, size_t keep, struct error *error) {
    char *model;
    bool ok;
    while ((ok = find_surplus(store, job, keep, &model, error)) && model) {
        ok = forget_checkpoint(store, account, job, model, error);
        memory_free(model);
        if (!ok) break;
    }
    return ok;
}
