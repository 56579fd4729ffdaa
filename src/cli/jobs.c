// temper jobs: the fine-tuning jobs of a running server.
#include "base/file.h"
#include "base/hyperparameters.h"
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "cli/job_watch.h"
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAXIMUM = 16, OPTIONS_MAXIMUM = 32, HELP_SIZE = 128 };

static const char *model = "temper/mini-instruct";
static const char *validation, *suffix, *after;
static const char *values[VALUES_MAXIMUM]; // of the hyperparameters, in their table's order
static long seed = -1, limit;
static bool watch, as_json;

static const struct cli_option own_options[] = {
    {"--model", "MODEL", CLI_TEXT, &model,
        "create: the model to start from (temper/mini-instruct)"},
    {"--validation", "FILE", CLI_TEXT, &validation, "create: a file, or its id, to validate on"},
    {"--suffix", "NAME", CLI_TEXT, &suffix, "create: a part of the new model's name"},
    {"--seed", "N", CLI_INTEGER, &seed, "create: the seed (default: a random one)"},
    {"--watch", NULL, CLI_FLAG, &watch, "create: watch the job to its end"},
    {"--after", "ID", CLI_TEXT, &after, "list, events: what follows this id"},
    {"--limit", "N", CLI_INTEGER, &limit, "list, events: at most this many"},
    {"--json", NULL, CLI_FLAG, &as_json, "print the server's answer as it is"},
};

static struct cli_option options[OPTIONS_MAXIMUM];

static struct cli_syntax syntax = {
    .usage = "temper jobs create FILE | list | get ID | watch ID | cancel ID | events ID",
    .purpose =
        "Works on the fine-tuning jobs of a running server. TEMPER_BASE_URL says where it is\n"
        "(http://127.0.0.1:8080/v1), TEMPER_API_KEY with which key to ask. FILE is a path, which "
        "is\n"
        "uploaded, or the id of an uploaded file. `watch` ends with status 0 if the job succeeds.",
    .example = "  temper jobs create chats.jsonl --epochs 3 --watch\n  temper jobs cancel ftjob-…",
    .options = options,
    .least = 1,
    .most = 2,
};

// The command's own options, and one for each entry of the table of hyperparameters.
static void fill_options(void) {
    size_t count, own = sizeof own_options / sizeof own_options[0];
    const struct hyperparameter *table = hyperparameter_table(&count);
    static char help[VALUES_MAXIMUM][HELP_SIZE];
    memcpy(options, own_options, sizeof own_options);
    for (size_t i = 0; i < count && i < VALUES_MAXIMUM && own + i < OPTIONS_MAXIMUM; i++) {
        snprintf(help[i], HELP_SIZE, "create: %s, up to %g (%s)", table[i].help, table[i].maximum,
            table[i].standard);
        options[own + i] = (struct cli_option){table[i].flag, "N", CLI_TEXT, &values[i], help[i]};
    }
    syntax.option_count = (int)(own + count);
}

static const char *text(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "-";
}

static void print_job(const json_t *job) {
    const json_t *fault = json_object_get(job, "error");
    printf("%-32s %-16s %-24s %s\n", text(job, "id"), text(job, "status"), text(job, "model"),
        text(job, "fine_tuned_model"));
    if (json_is_object(fault)) printf("    %s\n", text(fault, "message"));
}

static void print_event(const json_t *event) {
    printf("%lld  %-5s  %s\n", (long long)json_integer_value(json_object_get(event, "created_at")),
        text(event, "level"), text(event, "message"));
}

// Prints an answer and lets it go. Events come newest first and are printed oldest first.
static void print(json_t *answer) {
    const json_t *data = json_object_get(answer, "data");
    size_t count = json_array_size(data);
    if (as_json)
        api_client_print(answer);
    else if (!data)
        print_job(answer);
    for (size_t i = 0; !as_json && i < count; i++) {
        const json_t *job = json_array_get(data, i), *event = json_array_get(data, count - 1 - i);
        if (json_object_get(job, "message"))
            print_event(event);
        else
            print_job(job);
    }
    json_decref(answer);
}

// The id of a file: the word itself, or that of the upload of the file that it names. NULL on an
// error.
static json_t *file_id(const struct api_client *client, const char *word, struct error *error) {
    json_t *answer;
    if (!file_exists(word) && strncmp(word, "file-", 5) == 0) return json_string(word);
    if (!api_client_upload(client, word, "fine-tune", &answer, error)) return NULL;
    json_t *id = json_incref(json_object_get(answer, "id"));
    fprintf(stderr, "uploaded %s as %s\n", word, json_string_value(id));
    json_decref(answer);
    return id;
}

// Sets `name` of the object that `group` names in `body` (the method's, for NULL): a number or
// "auto".
static bool set_value(
    json_t *body, const struct hyperparameter *entry, const char *value, struct error *error) {
    const char *place = entry->group ? entry->group : "hyperparameters";
    json_t *object = json_object_get(body, place);
    char *end;
    double number = strtod(value, &end);
    bool is_auto = !entry->group && strcmp(value, "auto") == 0;
    if (!is_auto && (end == value || *end))
        return error_set(error, ERROR_INVALID, "%s needs a number, not '%s'", entry->flag, value);
    if (!is_auto && !hyperparameter_check(entry, number, error)) return false;
    if (!object) {
        object = json_object();
        json_object_set_new(body, place, object);
    }
    json_t *made = is_auto                                 ? json_string(value)
                   : entry->type == HYPERPARAMETER_INTEGER ? json_integer((json_int_t)number)
                                                           : json_real(number);
    return json_object_set_new(object, entry->name, made) == 0;
}

static bool fill_body(
    const struct api_client *client, json_t *body, const char *file, struct error *error) {
    size_t count;
    const struct hyperparameter *table = hyperparameter_table(&count);
    for (size_t i = 0; i < count; i++)
        if (values[i] && !set_value(body, &table[i], values[i], error)) return false;
    json_object_set_new(body, "model", json_string(model));
    if (suffix) json_object_set_new(body, "suffix", json_string(suffix));
    if (seed >= 0) json_object_set_new(body, "seed", json_integer(seed));
    json_t *training = file_id(client, file, error);
    if (!training) return false;
    json_object_set_new(body, "training_file", training);
    if (!validation) return true;
    json_t *second = file_id(client, validation, error);
    return second && json_object_set_new(body, "validation_file", second) == 0;
}

static int create(const struct api_client *client, const char *file) {
    struct error error = {0};
    json_t *answer = NULL, *body = json_object();
    bool good = fill_body(client, body, file, &error) &&
                api_client_call(client, "POST", "/fine_tuning/jobs", body, &answer, &error);
    json_decref(body);
    if (!good) return cli_fail(&error);
    if (!watch) {
        print(answer);
        return CLI_SUCCESS;
    }
    int result = job_watch(client, text(answer, "id"), as_json);
    json_decref(answer);
    return result;
}

// "?limit=…&after=…" where they were given.
static void page(char *path, size_t size, const char *base) {
    int length = snprintf(path, size, "%s", base);
    if (limit > 0) length += snprintf(path + length, size - (size_t)length, "?limit=%ld", limit);
    if (after)
        snprintf(
            path + length, size - (size_t)length, "%safter=%.200s", limit > 0 ? "&" : "?", after);
}

static int call(const struct api_client *client, const char *verb, const char *id) {
    struct error error = {0};
    json_t *answer;
    char base[256], path[512];
    bool cancels = strcmp(verb, "cancel") == 0, events = strcmp(verb, "events") == 0;
    snprintf(base, sizeof base, "/fine_tuning/jobs%s%.128s%s", id ? "/" : "", id ? id : "",
        cancels  ? "/cancel"
        : events ? "/events"
                 : "");
    page(path, sizeof path, base);
    if (!api_client_call(client, cancels ? "POST" : "GET", path, NULL, &answer, &error))
        return cli_fail(&error);
    print(answer);
    return CLI_SUCCESS;
}

// How many words the verb takes after itself, -1 for an unknown one.
static int verb_words(const char *verb) {
    static const struct {
        const char *verb;
        int words;
    } verbs[] = {
        {"create", 1}, {"list", 0}, {"get", 1}, {"watch", 1}, {"cancel", 1}, {"events", 1}};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verb, verbs[i].verb) == 0) return verbs[i].words;
    return -1;
}

int command_jobs(int count, char **words) {
    struct error error = {0};
    struct api_client client;
    int given;
    fill_options();
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    if (verb_words(words[0]) != given - 1) {
        fprintf(stderr, "usage: %s\n", syntax.usage);
        return CLI_USAGE;
    }
    if (!api_client_open(&client, &error)) return cli_fail(&error);
    if (strcmp(words[0], "create") == 0) return create(&client, words[1]);
    if (strcmp(words[0], "watch") == 0) return job_watch(&client, words[1], as_json);
    return call(&client, words[0], given > 1 ? words[1] : NULL);
}
