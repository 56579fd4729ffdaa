// The webhook sender: delivers events to the endpoints of accounts, and results to callbacks of
// asynchronous chats. A few threads; of one endpoint at most one delivery is under way, so that a
// slow one holds up itself. What is due when stands in the store: a restart changes nothing.
//
// An attempt has arrived with a status of 2xx within 15 seconds. Redirects are not followed. What
// does not arrive is attempted again after growing pauses for three days (of 429 and 503, not
// before their Retry-After); 410 disables the endpoint.
#ifndef JOBS_WEBHOOK_SENDER_H
#define JOBS_WEBHOOK_SENDER_H

#include "base/error.h"
#include <stdint.h>

struct store;
struct webhook_sender;

struct webhook_sender_options {
    struct store *store; // borrowed
    bool inward_allowed; // addresses of this machine and its network
};

bool webhook_sender_open(struct webhook_sender **sender,
    const struct webhook_sender_options *options, struct error *error) WARN_UNUSED;

// Waits for attempts that are under way: seconds at most.
void webhook_sender_close(struct webhook_sender *sender);

// There is something new to deliver: look now.
void webhook_sender_wake(struct webhook_sender *sender);

// When a delivery that failed `attempts` times is attempted again, seconds from then; 0: never.
// `chance` (0 to 1) spreads it by a tenth.
int64_t webhook_pause(int64_t attempts, double chance);

#endif
