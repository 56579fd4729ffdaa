// Webhooks: the endpoints of accounts, and the deliveries to them.
//
// An event is born in the transaction that makes a job or a batch final: triggers of the database
// put a line into an outbox, which webhook_expand turns into a delivery for each endpoint that
// wants it. A delivery is attempted until it arrives or is given up; both survive a crash, so each
// event arrives at least once.
#ifndef STORE_STORE_WEBHOOKS_H
#define STORE_STORE_WEBHOOKS_H

#include "store/store.h"

// The types of events, NULL-terminated.
extern const char *const webhook_event_types[];

struct webhook_endpoint {
    char *id;                     // "whep_…"
    char *account, *url, *events; // `events`: a JSON array of types
    char *description;            // NULL if none
    char *secret;                 // "whsec_…"
    char *disabled_reason;        // NULL while it is in use
    int64_t created_at;
};

struct webhook_delivery {
    char *id; // "whdl_…"
    char *account;
    char *endpoint; // NULL for a callback
    char *url, *secret;
    char *event; // "evt_…": the same for all endpoints and attempts
    char *type, *body;
    char *status;   // pending, delivered, failed
    char *response; // the beginning of the last answer's body, or what went wrong; NULL if none
    int64_t created_at, next_attempt_at, last_attempt_at, attempts;
    int64_t response_status; // HTTP, 0 if none came
};

bool webhook_endpoint_create(
    struct store *store, struct webhook_endpoint *record, struct error *error) WARN_UNUSED;
bool webhook_endpoint_get(struct store *store, const char *account, const char *id,
    struct webhook_endpoint *record, struct error *error) WARN_UNUSED;
bool webhook_endpoint_list(struct store *store, const struct page_query *query,
    struct webhook_endpoint **records, size_t *count, bool *more, struct error *error) WARN_UNUSED;

// Writes url, events, description and disabled_reason. What is not delivered yet goes to the new
// url.
bool webhook_endpoint_update(
    struct store *store, const struct webhook_endpoint *record, struct error *error) WARN_UNUSED;

// With its deliveries.
bool webhook_endpoint_delete(
    struct store *store, const char *account, const char *id, struct error *error) WARN_UNUSED;
void webhook_endpoint_free(struct webhook_endpoint *record);
void webhook_endpoint_list_free(struct webhook_endpoint *records, size_t count);

// The secret that callbacks of the account are signed with (memory_free); made on first use.
bool webhook_callback_secret(
    struct store *store, const char *account, char **secret, struct error *error) WARN_UNUSED;

// Turns what waits in the outbox into deliveries, oldest first. *any: there was something.
bool webhook_expand(struct store *store, bool *any, struct error *error) WARN_UNUSED;

// A delivery of an event of type `type` about `object` to one endpoint, whatever it wants. *id may
// be NULL.
bool webhook_send_one(struct store *store, const struct webhook_endpoint *endpoint,
    const char *type, const char *object, char **id, struct error *error) WARN_UNUSED;

// Deliveries whose time has come, in the order of that time: of each endpoint in use (and of each
// callback's address) the first one, `limit` at most.
bool webhook_delivery_due(struct store *store, int limit, struct webhook_delivery **records,
    size_t *count, struct error *error) WARN_UNUSED;

// Newest first; query->job is the endpoint.
bool webhook_delivery_list(struct store *store, const struct page_query *query,
    struct webhook_delivery **records, size_t *count, bool *more, struct error *error) WARN_UNUSED;
bool webhook_delivery_get(struct store *store, const char *account, const char *endpoint,
    const char *id, struct webhook_delivery *record, struct error *error) WARN_UNUSED;

// Writes what an attempt changes: status, response, times, attempts.
bool webhook_delivery_update(
    struct store *store, const struct webhook_delivery *record, struct error *error) WARN_UNUSED;

// Forgets deliveries that ended before that time.
bool webhook_delivery_forget(struct store *store, int64_t before, struct error *error) WARN_UNUSED;
void webhook_delivery_free(struct webhook_delivery *record);
void webhook_delivery_list_free(struct webhook_delivery *records, size_t count);

#endif
