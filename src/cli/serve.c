// temper serve: opens the store, the supervisor, the engine and the server, and waits for SIGTERM.
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "generate/engine.h"
#include "jobs/batch_runner.h"
#include "jobs/job_checks.h"
#include "jobs/supervisor.h"
#include "jobs/upload_keeper.h"
#include "jobs/webhook_sender.h"
#include "service/access_log.h"
#include "service/completion.h"
#include "service/job_stream.h"
#include "service/limits.h"
#include "service/metrics.h"
#include "service/server.h"
#include "service/service.h"
#include "service/usage.h"
#include "store/store.h"
#include "store/store_sessions.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    CONNECTIONS_MOST = 1000000,
    DRAIN_NANOSECONDS = 50000000
}; // between two looks at whether all requests have ended

static const char *data = "./temper-data";
static const char *address = "127.0.0.1:8080";
static const char *port_file, *launcher, *certificate, *private_key, *allow_origin;
static const char *access_log = "-", *log_format = "text", *metrics = "local";
static const char *config;
static bool private_webhooks;
static struct plan_table plans;
static long threads, connections, drain_seconds = 20;
static uint64_t memory;

static const struct cli_option options[] = {
    {"--config", "FILE", CLI_TEXT, &config,
        "settings: these options by name, and plans; docs/settings.md (none)"},
    {"--data", "DIR", CLI_TEXT, &data, "where everything is kept (./temper-data)"},
    {"--listen", "HOST:PORT", CLI_TEXT, &address,
        "where to answer; port 0 takes a free one (127.0.0.1:8080)"},
    {"--tls-certificate", "FILE", CLI_TEXT, &certificate,
        "PEM, its issuers behind it: answer by HTTPS; SIGHUP reads it anew"},
    {"--tls-key", "FILE", CLI_TEXT, &private_key, "the certificate's key, PEM"},
    {"--port-file", "FILE", CLI_TEXT, &port_file, "write the port there once the server answers"},
    {"--threads", "N", CLI_INTEGER, &threads, "cores for training and for answers (all)"},
    {"--memory", "SIZE", CLI_BYTES, &memory,
        "that training may take beside the base model's weights, such as 4GB (what the machine "
        "can spare)"},
    {"--access-log", "FILE", CLI_TEXT, &access_log,
        "a line for each request; \"-\" for standard error, \"off\" for none (-)"},
    {"--log-format", "text|json", CLI_TEXT, &log_format, "form of all lines of the log (text)"},
    {"--allow-origin", "LIST", CLI_TEXT, &allow_origin,
        "pages that may ask from a browser: https://a.example,https://b.example, or \"*\" (none)"},
    {"--connections", "N", CLI_INTEGER, &connections, "at once, at most (4096)"},
    {"--drain-seconds", "N", CLI_INTEGER, &drain_seconds,
        "for requests in progress to end in, once SIGTERM has come (20)"},
    {"--metrics", "local|open", CLI_TEXT, &metrics,
        "whom /metrics answers: this machine, or everyone (local)"},
    {"--allow-private-webhooks", NULL, CLI_FLAG, &private_webhooks,
        "deliver webhooks to this machine and its own network, and by plain http, too"},
    {"--launcher", "COMMAND", CLI_TEXT, &launcher,
        "put before the trainer's command, e.g. \"srun\""},
};

static const struct cli_syntax syntax = {
    .usage = "temper serve [--data DIR] [--listen HOST:PORT] [--threads N] [--port-file FILE]",
    .purpose =
        "Answers OpenAI's API: files, fine-tuning jobs, models and chat completions. On a new\n"
        "data directory it makes an API key and prints it, once. SIGTERM or Ctrl-C ends it;\n"
        "a training job then running is taken up again by the next start.",
    .example = "  temper serve --data /srv/temper --listen 0.0.0.0:8080",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

// What has been opened, in the order of opening.
struct house {
    struct store *store;
    struct engine *engine;
    struct supervisor *supervisor;
    struct batch_runner *batches;
    struct upload_keeper *uploads;
    struct webhook_sender *webhooks;
    struct service service;
    struct server *server;
};

// A new data directory has no key yet: makes one. The text (memory_free), NULL if there were keys.
static bool make_first_key(struct store *store, char **key, struct error *error) {
    size_t count;
    *key = NULL;
    if (!key_count(store, &count, error)) return false;
    struct key_wish wish = {.account = "personal", .name = "first key"};
    return count > 0 || key_create(store, &wish, NULL, key, error);
}

static bool write_port(const struct server *server, struct error *error) {
    char text[16];
    if (!port_file) return true;
    const char *port = strrchr(server_address(server), ':') + 1;
    int length = snprintf(text, sizeof text, "%s\n", port);
    return file_write_atomic(port_file, text, (size_t)length, error);
}

static bool open_access_log(struct house *house, struct error *error) {
    if (strcmp(access_log, "off") == 0) return true;
    return access_log_open(
        &house->service.access_log, strcmp(access_log, "-") == 0 ? NULL : access_log, error);
}

// What jobs/batch_runner.h asks for: one request in the background.
static bool run_request(void *context, const char *account, const json_t *body,
    void (*done)(void *done_context, int status, json_t *answer), void *done_context, uint64_t *run,
    struct error *error) {
    return completion_run(context, account, body, true, done, done_context, run, error);
}

static void cancel_request(void *context, uint64_t run) {
    completion_cancel(context, run);
}

// What jobs/batch_runner.h asks for: the plan's lines of a batch.
static int64_t most_requests(void *context, const char *account) {
    return limits_account_plan(context, account)->batch_requests;
}

static struct trainer_share trainer_share(void) {
    return (struct trainer_share){(int)threads, memory};
}

static bool open_side_work(struct house *house, struct error *error) {
    struct batch_runner_options batch_options = {
        .store = house->store,
        .context = &house->service,
        .run = run_request,
        .cancel = cancel_request,
        .most_requests = most_requests,
    };
    if (!batch_runner_open(&house->batches, &batch_options, error)) return false;
    house->service.batches = house->batches;
    if (!upload_keeper_open(&house->uploads, house->store, error)) return false;
    house->service.uploads = house->uploads;
    if (!usage_open(&house->service.usage, house->store, error)) return false;
    if (!job_checks_open(&house->service.checks, house->store, trainer_share(), error))
        return false;
    if (!job_streams_open(
            &house->service.job_streams, house->store, &house->service.draining, error))
        return false;
    struct webhook_sender_options webhook_options = {house->store, private_webhooks};
    if (!webhook_sender_open(&house->webhooks, &webhook_options, error)) return false;
    house->service.webhooks = house->webhooks;
    house->service.inward_webhooks = private_webhooks;
    return true;
}

static bool open_house(struct house *house, char **key, struct error *error) {
    struct engine_options engine_options = {.threads = (int)threads};
    struct server_options server_options = {
        .listen = address,
        .connections = (int)connections,
        .certificate = certificate,
        .key = private_key,
    };
    if (!store_open(&house->store, data, error) || !store_hold(house->store, error)) return false;
    struct supervisor_options supervisor_options = {
        .store = house->store,
        .data = store_directory(house->store),
        .launcher = launcher,
        .share = trainer_share(),
    };
    if (!engine_open(&house->engine, &engine_options, error) ||
        !supervisor_open(&house->supervisor, &supervisor_options, error))
        return false;
    if (!metrics_open(&house->service.metrics, error) || !open_access_log(house, error))
        return false;
    if (!limits_open(&house->service.limits, &plans, error)) return false;
    house->service.store = house->store;
    house->service.supervisor = house->supervisor;
    house->service.engine = house->engine;
    house->service.data = store_directory(house->store);
    house->service.allowed_origins = allow_origin;
    house->service.secure = certificate != NULL;
    house->service.metrics_open = strcmp(metrics, "open") == 0;
    return open_side_work(house, error) &&
           server_open(&house->server, &server_options, &house->service, error) &&
           make_first_key(house->store, key, error);
}

static void close_house(struct house *house) {
    server_close(house->server, 0);
    job_streams_close(house->service.job_streams);
    batch_runner_close(house->batches);
    upload_keeper_close(house->uploads);
    job_checks_close(house->service.checks);
    webhook_sender_close(house->webhooks);
    if (house->supervisor) supervisor_close(house->supervisor);
    if (house->engine) engine_close(house->engine);
    usage_close(house->service.usage); // behind the engine: its last answers count
    if (house->store) store_close(house->store);
    access_log_close(house->service.access_log);
    metrics_close(house->service.metrics);
    limits_close(house->service.limits);
}

// An address that stands for all of this machine's is, to a browser on it, the loopback's.
static const char *loopback_port(const char *where) {
    static const char *const all[] = {"0.0.0.0:", "[::]:"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strncmp(where, all[i], strlen(all[i])) == 0) return where + strlen(all[i]);
    return NULL;
}

static void print_pages(const char *scheme, const char *where, const char *token) {
    const char *port = loopback_port(where);
    printf("\nIts pages, signed in (once, within an hour; then: temper sign-in):\n\n"
           "    %s://%s%s/sign-in#%s\n\n",
        scheme, port ? "127.0.0.1:" : where, port ? port : "", token);
}

static void greet(const struct house *house, const char *key, const char *token) {
    const char *where = server_address(house->server), *scheme = certificate ? "https" : "http";
    printf("temper " TEMPER_VERSION " answers at %s://%s/v1 (data in %s)\n", scheme, where, data);
    print_pages(scheme, where, token);
    if (key)
        printf("This is the first API key. It is shown only once:\n\n    %s\n\n"
               "    export TEMPER_BASE_URL=%s://%s/v1 TEMPER_API_KEY=%s\n"
               "    temper jobs create examples/json-generation.jsonl --watch\n\n",
            key, scheme, where, key);
    fflush(stdout);
}

// SIGTERM and SIGINT are waited for, here; no handler runs. All threads inherit the mask.
static void block_signals(sigset_t *signals) {
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

// SIGHUP: a log file that was moved away is opened anew, a certificate that was renewed read.
static void reload(struct house *house) {
    struct error error;
    if (!access_log_reopen(house->service.access_log, &error)) log_error("%s", error.message);
    if (!server_reload(house->server, &error)) log_error("%s", error.message);
}

static void wait_for_end(struct house *house, const sigset_t *signals) {
    int number;
    while (sigwait(signals, &number) == 0 && number == SIGHUP)
        reload(house);
}

// Requests in progress may end, for a time; a second signal ends it.
static void drain(struct house *house, const sigset_t *signals) {
    struct timespec moment = {.tv_nsec = DRAIN_NANOSECONDS};
    double until = progress_clock() + (double)drain_seconds;
    server_drain(house->server);
    printf("ending, once the requests in progress have ended, or in %ld seconds\n", drain_seconds);
    fflush(stdout);
    while (!server_is_idle(house->server) && progress_clock() < until) {
        int number = sigtimedwait(signals, NULL, &moment);
        if (number == SIGTERM || number == SIGINT) break;
    }
}

static bool check_word(const char *option, const char *value, const char *one, const char *other,
    struct error *error) {
    return strcmp(value, one) == 0 || strcmp(value, other) == 0 ||
           error_set(error, ERROR_INVALID, "%s is '%s', but can only be %s or %s", option, value,
               one, other);
}

static bool check_words(struct error *error) {
    if (drain_seconds < 0 || connections < 0 || connections > CONNECTIONS_MOST)
        return error_set(error, ERROR_INVALID,
            "--drain-seconds is at least 0, and --connections at least 0 and at most %d",
            CONNECTIONS_MOST);
    return check_word("--log-format", log_format, "text", "json", error) &&
           check_word("--metrics", metrics, "local", "open", error);
}

int command_serve(int count, char **words) {
    struct error error = {0};
    struct house house = {0};
    sigset_t signals;
    char *key = NULL, *token = NULL;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    plan_table_init(&plans);
    // The command line wins: it is read again, over what the file says.
    if (config && (!settings_read(config, &syntax, &plans, &error) ||
                      cli_read(&syntax, count, words, &given) != CLI_RUN))
        return cli_fail(&error);
    if (!check_words(&error)) return cli_fail(&error);
    if (strcmp(log_format, "json") == 0) log_set_form(LOG_JSON);
    block_signals(&signals);
    bool good = open_house(&house, &key, &error);
    good = good && sign_in_create(house.store, "personal", &token, &error);
    if (good) greet(&house, key, token);
    good = good && write_port(house.server, &error); // last: who waits for it finds all the rest
    if (good) {
        wait_for_end(&house, &signals);
        drain(&house, &signals);
    }
    memory_free(key);
    memory_free(token);
    close_house(&house);
    if (port_file && good) remove(port_file);
    return good ? CLI_SUCCESS : cli_fail(&error);
}
