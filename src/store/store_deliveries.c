// Deliveries: from the outbox to the log of what arrived.
#include "base/memory.h"
#include "store/store_batches.h"
#include "store/store_internal.h"
#include "store/store_webhooks.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                    \
    "id, account, endpoint, url, secret, event, type, body, status, response, created_at,"         \
    " next_attempt_at, last_attempt_at, attempts, response_status"

enum { EXPAND_AT_ONCE = 100, CALLBACK_MAXIMUM = 8 << 20 };

static void read_record(struct sql *sql, struct webhook_delivery *record) {
    char **const texts[] = {&record->id, &record->account, &record->endpoint, &record->url,
        &record->secret, &record->event, &record->type, &record->body, &record->status,
        &record->response};
    int64_t *const integers[] = {&record->created_at, &record->next_attempt_at,
        &record->last_attempt_at, &record->attempts, &record->response_status};
    int column = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = sql_text(sql, column++);
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        *integers[i] = sql_integer(sql, column++);
}

void webhook_delivery_free(struct webhook_delivery *record) {
    char *const texts[] = {record->id, record->account, record->endpoint, record->url,
        record->secret, record->event, record->type, record->body, record->status,
        record->response};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        memory_free(texts[i]);
    memset(record, 0, sizeof *record);
}

void webhook_delivery_list_free(struct webhook_delivery *records, size_t count) {
    for (size_t i = 0; i < count; i++)
        webhook_delivery_free(&records[i]);
    memory_free(records);
}

static bool insert(
    struct store *store, const struct webhook_delivery *record, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "INSERT INTO webhook_deliveries (id, account, endpoint, url, secret, event, type, body,"
        " status, created_at, next_attempt_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)",
        "ttttttttii", record->id, record->account, record->endpoint, record->url, record->secret,
        record->event, record->type, record->body, record->created_at, record->created_at);
    return sql_run(&sql, NULL);
}

// ---- events ----

// What the outbox holds.
struct outgoing {
    int64_t seq, created_at;
    char *account, *type, *object;
};

static void free_outgoing(struct outgoing *outgoing) {
    memory_free(outgoing->account);
    memory_free(outgoing->type);
    memory_free(outgoing->object);
}

// The body of an event, as OpenAI's webhooks have it.
static char *event_body(const char *event, const struct outgoing *outgoing) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:{s:s}}", "id", event, "object", "event",
        "type", outgoing->type, "created_at", (json_int_t)outgoing->created_at, "data", "id",
        outgoing->object);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    char *copy = text ? memory_copy_string(text) : NULL;
    free(text);
    json_decref(object);
    return copy;
}

static bool deliver(struct store *store, const struct outgoing *outgoing,
    const struct webhook_endpoint *endpoint, const char *event, char **id, struct error *error) {
    struct webhook_delivery record = {.account = outgoing->account,
        .endpoint = endpoint->id,
        .url = endpoint->url,
        .secret = endpoint->secret,
        .event = (char *)event,
        .type = outgoing->type,
        .body = event_body(event, outgoing),
        .created_at = outgoing->created_at};
    bool good = record.body || memory_error(error, "a webhook");
    good = good && store_make_id("whdl_", &record.id, error) && insert(store, &record, error);
    memory_free(record.body);
    if (good && id)
        *id = record.id;
    else
        memory_free(record.id);
    return good;
}

static bool wants(const struct webhook_endpoint *endpoint, const char *type) {
    json_t *events = json_loads(endpoint->events, 0, NULL), *one;
    size_t index;
    bool wanted = false;
    json_array_foreach(events, index, one) wanted =
        wanted || strcmp(json_string_value(one), type) == 0;
    json_decref(events);
    return wanted && !endpoint->disabled_reason;
}

static bool expand_event(
    struct store *store, const struct outgoing *outgoing, struct error *error) {
    struct page_query query = {.account = outgoing->account, .limit = INT32_MAX - 1};
    struct webhook_endpoint *endpoints;
    size_t count;
    bool more;
    char *event = NULL;
    if (!webhook_endpoint_list(store, &query, &endpoints, &count, &more, error)) return false;
    bool good = store_make_id("evt_", &event, error);
    for (size_t i = count; good && i-- > 0;) // oldest endpoint first
        if (wants(&endpoints[i], outgoing->type))
            good = deliver(store, outgoing, &endpoints[i], event, NULL, error);
    memory_free(event);
    webhook_endpoint_list_free(endpoints, count);
    return good;
}

bool webhook_send_one(struct store *store, const struct webhook_endpoint *endpoint,
    const char *type, const char *object, char **id, struct error *error) {
    struct outgoing outgoing = {.created_at = store_now(),
        .account = endpoint->account,
        .type = (char *)type,
        .object = (char *)object};
    char *event = NULL;
    bool good = store_make_id("evt_", &event, error) &&
                deliver(store, &outgoing, endpoint, event, id, error);
    memory_free(event);
    return good;
}

// ---- callbacks ----

// The one line that the batch of an asynchronous chat has.
static bool read_line(
    struct store *store, const struct batch_record *batch, char **line, struct error *error) {
    char path[FILE_PATH_SIZE];
    size_t length;
    const char *file = batch->output_file ? batch->output_file : batch->error_file;
    if (!file) {
        *line = memory_format("{\"id\":\"%s\",\"response\":null,\"error\":{\"code\":\"%s\","
                              "\"message\":\"The request was not executed.\"}}",
            batch->id, batch->status);
        return *line || memory_error(error, "a callback");
    }
    if (!file_content_path(store, file, path, error) ||
        !file_read(path, CALLBACK_MAXIMUM, line, &length, error))
        return false;
    (*line)[strcspn(*line, "\n")] = '\0';
    return true;
}

static bool insert_callback(struct store *store, const struct outgoing *outgoing,
    const struct batch_record *batch, struct error *error) {
    struct webhook_delivery record = {.account = outgoing->account,
        .url = batch->callback_url,
        .type = outgoing->type,
        .created_at = outgoing->created_at};
    bool good = read_line(store, batch, &record.body, error) &&
                webhook_callback_secret(store, outgoing->account, &record.secret, error) &&
                store_make_id("evt_", &record.event, error) &&
                store_make_id("whdl_", &record.id, error) && insert(store, &record, error);
    memory_free(record.body);
    memory_free(record.secret);
    memory_free(record.event);
    memory_free(record.id);
    return good;
}

// A batch whose results were deleted meanwhile has nothing to call back with.
static bool expand_callback(
    struct store *store, const struct outgoing *outgoing, struct error *error) {
    struct batch_record batch;
    if (!batch_get(store, outgoing->account, outgoing->object, &batch, error))
        return error->code == ERROR_NOT_FOUND;
    bool good = insert_callback(store, outgoing, &batch, error);
    batch_record_free(&batch);
    return good;
}

// ---- the outbox ----

static bool read_outbox(
    struct store *store, struct outgoing **list, size_t *count, struct error *error) {
    struct sql sql;
    *list = NULL;
    *count = 0;
    sql_open(&sql, store, error,
        "SELECT seq, created_at, account, type, object FROM webhook_outbox ORDER BY seq LIMIT ?",
        "i", (int64_t)EXPAND_AT_ONCE);
    while (sql_row(&sql)) {
        struct outgoing *outgoing = store_grow((void **)list, *count, sizeof *outgoing, error);
        if (!outgoing) {
            sql.failed = true;
            break;
        }
        ++*count;
        outgoing->seq = sql_integer(&sql, 0);
        outgoing->created_at = sql_integer(&sql, 1);
        outgoing->account = sql_text(&sql, 2);
        outgoing->type = sql_text(&sql, 3);
        outgoing->object = sql_text(&sql, 4);
    }
    return sql_close(&sql);
}

static bool expand(struct store *store, const struct outgoing *outgoing, struct error *error) {
    struct sql sql;
    bool callback = strcmp(outgoing->type, "callback") == 0;
    if (!store_begin(store, error)) return false;
    bool good =
        callback ? expand_callback(store, outgoing, error) : expand_event(store, outgoing, error);
    if (good) {
        sql_open(
            &sql, store, error, "DELETE FROM webhook_outbox WHERE seq = ?", "i", outgoing->seq);
        good = sql_run(&sql, NULL);
    }
    if (good) return store_commit(store, error);
    store_rollback(store);
    return false;
}

bool webhook_expand(struct store *store, bool *any, struct error *error) {
    struct outgoing *list;
    size_t count;
    bool good = read_outbox(store, &list, &count, error);
    *any = count > 0;
    for (size_t i = 0; i < count; i++) {
        good = good && expand(store, &list[i], error);
        free_outgoing(&list[i]);
    }
    memory_free(list);
    return good;
}

// ---- deliveries ----

static bool read_deliveries(struct sql *sql, size_t limit, struct webhook_delivery **records,
    size_t *count, bool *more, struct error *error) {
    *records = NULL;
    *count = 0;
    *more = false;
    while (sql_row(sql)) {
        *more = *count == limit;
        if (*more) break;
        struct webhook_delivery *record =
            store_grow((void **)records, *count, sizeof *record, error);
        if (!record) {
            sql->failed = true;
            break;
        }
        ++*count;
        read_record(sql, record);
    }
    if (sql_close(sql)) return true;
    webhook_delivery_list_free(*records, *count);
    return false;
}

bool webhook_delivery_due(struct store *store, int limit, struct webhook_delivery **records,
    size_t *count, struct error *error) {
    struct sql sql;
    bool more;
    sql_open(&sql, store, error,
        "SELECT " COLUMNS " FROM webhook_deliveries WHERE seq IN (SELECT seq FROM"
        " (SELECT seq, min(next_attempt_at * 1000000000 + seq) FROM webhook_deliveries"
        " WHERE status = 'pending' AND next_attempt_at <= ? AND (endpoint IS NULL OR endpoint IN"
        " (SELECT id FROM webhook_endpoints WHERE disabled_reason IS NULL))"
        " GROUP BY coalesce(endpoint, url))) ORDER BY next_attempt_at, seq LIMIT ?",
        "ii", store_now(), (int64_t)limit + 1);
    return read_deliveries(&sql, (size_t)limit, records, count, &more, error);
}

bool webhook_delivery_list(struct store *store, const struct page_query *query,
    struct webhook_delivery **records, size_t *count, bool *more, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "SELECT " COLUMNS " FROM webhook_deliveries WHERE account = ? AND endpoint = ?"
        " AND (? IS NULL OR seq < (SELECT seq FROM webhook_deliveries WHERE id = ?))"
        " ORDER BY seq DESC LIMIT ?",
        "tttti", query->account, query->job, query->after, query->after, (int64_t)query->limit + 1);
    return read_deliveries(&sql, (size_t)query->limit, records, count, more, error);
}

bool webhook_delivery_get(struct store *store, const char *account, const char *endpoint,
    const char *id, struct webhook_delivery *record, struct error *error) {
    struct sql sql;
    memset(record, 0, sizeof *record);
    sql_open(&sql, store, error,
        "SELECT " COLUMNS " FROM webhook_deliveries WHERE account = ? AND endpoint = ? AND id = ?",
        "ttt", account, endpoint, id);
    bool found = sql_row(&sql);
    if (found) read_record(&sql, record);
    if (!sql_close(&sql)) {
        webhook_delivery_free(record);
        return false;
    }
    return found || error_set(error, ERROR_NOT_FOUND, "no webhook delivery %.128s", id);
}

bool webhook_delivery_update(
    struct store *store, const struct webhook_delivery *record, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "UPDATE webhook_deliveries SET status = ?, response = ?, next_attempt_at = ?,"
        " last_attempt_at = ?, attempts = ?, response_status = ? WHERE id = ?",
        "ttiiiit", record->status, record->response, record->next_attempt_at,
        record->last_attempt_at, record->attempts, record->response_status, record->id);
    return sql_run(&sql, NULL);
}

bool webhook_delivery_forget(struct store *store, int64_t before, struct error *error) {
    struct sql sql;
    sql_open(&sql, store, error,
        "DELETE FROM webhook_deliveries WHERE status <> 'pending' AND last_attempt_at < ?", "i",
        before);
    return sql_run(&sql, NULL);
}
