// The sender's threads. Each takes the delivery that is due longest and whose endpoint no other
// thread is at.
#include "jobs/webhook_sender.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/http_client.h"
#include "net/webhook_signature.h"
#include "store/store_webhooks.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    THREADS = 6,
    DUE_AT_ONCE = 64,
    POLL_SECONDS = 1, // the outbox is filled by triggers, which wake nobody
    ATTEMPT_SECONDS = 15,
    RESPONSE_BYTES = 1024, // kept for the log
    RETRY_AFTER_MAXIMUM = 24 * 3600,
    KEEP_SECONDS = 30 * 24 * 3600, // deliveries that have ended
    FORGET_SECONDS = 3600,         // between forgetting them
    COMPLAINT_SECONDS = 10,
};

struct webhook_sender {
    struct webhook_sender_options options;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool closing;
    time_t forgotten, complained;
    int thread_count;
    struct worker {
        struct webhook_sender *sender;
        pthread_t thread;
        char *place; // where it delivers: an endpoint's id or a callback's address; else NULL
    } workers[THREADS];
};

int64_t webhook_pause(int64_t attempts, double chance) {
    static const int64_t pauses[] = {
        5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600};
    if (attempts < 1 || attempts > (int64_t)(sizeof pauses / sizeof *pauses)) return 0;
    int64_t pause = pauses[attempts - 1];
    return pause + (int64_t)(chance * (double)pause / 10);
}

// Under the lock.
static void complain(struct webhook_sender *sender, const struct error *error) {
    time_t now = time(NULL);
    if (now - sender->complained < COMPLAINT_SECONDS && now >= sender->complained) return;
    sender->complained = now;
    log_error("webhooks: %s", error->message);
}

// ---- one attempt ----

static bool send_body(struct webhook_sender *sender, const struct webhook_delivery *delivery,
    struct http_answer *answer, struct error *error) {
    char signature[WEBHOOK_SIGNATURE_SIZE], id[160], moment[64], signed_by[128];
    int64_t now = (int64_t)time(NULL);
    if (!webhook_sign(delivery->secret, delivery->event, now, delivery->body,
            strlen(delivery->body), signature, error))
        return false;
    snprintf(id, sizeof id, "webhook-id: %s", delivery->event);
    snprintf(moment, sizeof moment, "webhook-timestamp: %lld", (long long)now);
    snprintf(signed_by, sizeof signed_by, "webhook-signature: %s", signature);
    const char *const headers[] = {"Content-Type: application/json", id, moment, signed_by,
        "Expect:"}; // no waiting for "100 Continue"
    struct http_request request = {
        .method = "POST",
        .url = delivery->url,
        .headers = headers,
        .header_count = sizeof headers / sizeof *headers,
        .body = delivery->body,
        .body_length = strlen(delivery->body),
        .timeout_seconds = ATTEMPT_SECONDS,
        .outward = !sender->options.inward_allowed,
        .excerpt = true,
    };
    return http_client_send(&request, RESPONSE_BYTES, answer, error);
}

static double chance(void) {
    uint32_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) return 0.5;
    return bits / (double)UINT32_MAX;
}

static bool set_text(char **text, const char *value, struct error *error) {
    char *copy = memory_copy_string(value);
    if (!copy) return memory_error(error, "a webhook");
    memory_free(*text);
    *text = copy;
    return true;
}

// What the attempt means for the delivery.
static bool judge(struct webhook_delivery *delivery, int status, long retry_after,
    const char *response, struct error *error) {
    int64_t pause = webhook_pause(++delivery->attempts, chance());
    bool busy = status == 429 || status == 503;
    delivery->last_attempt_at = (int64_t)time(NULL);
    delivery->response_status = status;
    if (busy && retry_after > pause && pause)
        pause = retry_after < RETRY_AFTER_MAXIMUM ? retry_after : RETRY_AFTER_MAXIMUM;
    bool arrived = status >= 200 && status < 300, over = !pause || status == 410;
    delivery->next_attempt_at = arrived || over ? 0 : delivery->last_attempt_at + pause;
    return set_text(&delivery->response, response, error) && set_text(&delivery->status,
                                                                 arrived ? "delivered"
                                                                 : over  ? "failed"
                                                                         : "pending",
                                                                 error);
}

static bool disable(
    struct store *store, const struct webhook_delivery *delivery, struct error *error) {
    struct webhook_endpoint endpoint;
    if (!delivery->endpoint) return true;
    if (!webhook_endpoint_get(store, delivery->account, delivery->endpoint, &endpoint, error))
        return error->code == ERROR_NOT_FOUND;
    bool good = set_text(&endpoint.disabled_reason,
                    "The endpoint answered 410 Gone: it wants no more events.", error) &&
                webhook_endpoint_update(store, &endpoint, error);
    webhook_endpoint_free(&endpoint);
    return good;
}

// What a log and JSON can show of an answer's body.
static void keep_text(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80 || (unsigned char)*text < ' ') *text = ' ';
}

static bool attempt(
    struct webhook_sender *sender, struct webhook_delivery *delivery, struct error *error) {
    struct http_answer answer = {0};
    struct error failure = {0};
    char response[RESPONSE_BYTES + 1];
    bool came = send_body(sender, delivery, &answer, &failure);
    snprintf(response, sizeof response, "%s", came ? buffer_text(&answer.body) : failure.message);
    keep_text(response);
    bool good =
        judge(delivery, came ? answer.status : 0, came ? answer.retry_after : 0, response, error) &&
        webhook_delivery_update(sender->options.store, delivery, error);
    if (good && came && answer.status == 410)
        good = disable(sender->options.store, delivery, error);
    log_debug("webhook %s to %s: %s, status %d", delivery->event, delivery->url, delivery->status,
        came ? answer.status : 0);
    if (came) http_answer_free(&answer);
    return good;
}

// ---- what to do next; under the lock ----

static const char *place_of(const struct webhook_delivery *delivery) {
    return delivery->endpoint ? delivery->endpoint : delivery->url;
}

static bool is_taken(const struct webhook_sender *sender, const char *place) {
    for (int i = 0; i < sender->thread_count; i++)
        if (sender->workers[i].place && strcmp(sender->workers[i].place, place) == 0) return true;
    return false;
}

static void prepare(struct webhook_sender *sender) {
    struct error error;
    time_t now = time(NULL);
    bool any = true;
    while (any)
        if (!webhook_expand(sender->options.store, &any, &error)) {
            complain(sender, &error);
            break;
        }
    if (now - sender->forgotten < FORGET_SECONDS) return;
    sender->forgotten = now;
    if (!webhook_delivery_forget(sender->options.store, now - KEEP_SECONDS, &error))
        complain(sender, &error);
}

// Takes a delivery and its place. False if none is due that no other thread is at.
static bool take(
    struct webhook_sender *sender, struct worker *worker, struct webhook_delivery *delivery) {
    struct webhook_delivery *due;
    struct error error;
    size_t count;
    bool found = false;
    prepare(sender);
    if (!webhook_delivery_due(sender->options.store, DUE_AT_ONCE, &due, &count, &error)) {
        complain(sender, &error);
        return false;
    }
    for (size_t i = 0; !found && i < count; i++) {
        if (is_taken(sender, place_of(&due[i]))) continue;
        worker->place = memory_copy_string(place_of(&due[i]));
        found = worker->place != NULL;
        if (!found) break;
        *delivery = due[i];
        due[i] = (struct webhook_delivery){0};
    }
    webhook_delivery_list_free(due, count);
    return found;
}

static void wait_a_moment(struct webhook_sender *sender) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += POLL_SECONDS;
    if (!sender->closing) pthread_cond_timedwait(&sender->wake, &sender->lock, &until);
}

static void *work(void *context) {
    struct worker *worker = context;
    struct webhook_sender *sender = worker->sender;
    pthread_mutex_lock(&sender->lock);
    while (!sender->closing) {
        struct webhook_delivery delivery;
        struct error error;
        if (!take(sender, worker, &delivery)) {
            wait_a_moment(sender);
            continue;
        }
        pthread_mutex_unlock(&sender->lock);
        bool good = attempt(sender, &delivery, &error);
        webhook_delivery_free(&delivery);
        pthread_mutex_lock(&sender->lock);
        memory_free(worker->place);
        worker->place = NULL;
        if (good) continue;
        complain(sender, &error);
        wait_a_moment(sender);
    }
    pthread_mutex_unlock(&sender->lock);
    return NULL;
}

// ---- the outside ----

bool webhook_sender_open(struct webhook_sender **result,
    const struct webhook_sender_options *options, struct error *error) {
    pthread_condattr_t attributes;
    struct webhook_sender *sender = memory_alloc_zeroed(1, sizeof *sender);
    if (!sender) return memory_error(error, "the webhook sender");
    sender->options = *options;
    pthread_mutex_init(&sender->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sender->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_lock(&sender->lock);
    for (int i = 0; i < THREADS; i++) {
        sender->workers[i].sender = sender;
        if (pthread_create(&sender->workers[i].thread, NULL, work, &sender->workers[i]) != 0) break;
        sender->thread_count++;
    }
    pthread_mutex_unlock(&sender->lock);
    if (sender->thread_count == THREADS) {
        *result = sender;
        return true;
    }
    webhook_sender_close(sender);
    return error_set(error, ERROR_IO, "cannot start the webhook sender's threads");
}

void webhook_sender_close(struct webhook_sender *sender) {
    if (!sender) return;
    pthread_mutex_lock(&sender->lock);
    sender->closing = true;
    pthread_cond_broadcast(&sender->wake);
    pthread_mutex_unlock(&sender->lock);
    for (int i = 0; i < sender->thread_count; i++)
        pthread_join(sender->workers[i].thread, NULL);
    pthread_cond_destroy(&sender->wake);
    pthread_mutex_destroy(&sender->lock);
    memory_free(sender);
}

void webhook_sender_wake(struct webhook_sender *sender) {
    pthread_mutex_lock(&sender->lock);
    pthread_cond_broadcast(&sender->wake);
    pthread_mutex_unlock(&sender->lock);
}
