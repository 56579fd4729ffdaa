// temper files: the files of a running server.
#include "cli/api_client.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include <string.h>

static const char purpose_text[] =
    "Works on the files of a running server. TEMPER_BASE_URL says where it is\n"
    "(http://127.0.0.1:8080/v1), TEMPER_API_KEY with which key to ask.";

static const char *purpose = "fine-tune";
static const char *output;
static bool as_json;

static const struct cli_option options[] = {
    {"--purpose", "PURPOSE", CLI_TEXT, &purpose, "of an upload: fine-tune (default) or batch"},
    {"--output", "FILE", CLI_TEXT, &output, "where `content` goes (default: standard output)"},
    {"--json", NULL, CLI_FLAG, &as_json, "print the server's answer as it is"},
};

static const struct cli_syntax syntax = {
    .usage = "temper files upload FILE | list | get ID | content ID | delete ID",
    .purpose = purpose_text,
    .example = "  temper files upload chats.jsonl\n  temper files list",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .least = 1,
    .most = 2,
};

static const char *text(const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "-";
}

static void print_file(const json_t *file) {
    printf("%-30s %10lld  %-18s %-10s %s\n", text(file, "id"),
        (long long)json_integer_value(json_object_get(file, "bytes")), text(file, "purpose"),
        text(file, "status"), text(file, "filename"));
}

// Prints an answer and lets it go.
static void print(json_t *answer) {
    const json_t *data = json_object_get(answer, "data");
    size_t index;
    json_t *file;
    if (as_json)
        api_client_print(answer);
    else if (json_is_true(json_object_get(answer, "deleted")))
        printf("%s\n", text(answer, "id"));
    else if (!data)
        print_file(answer);
    else
        json_array_foreach(data, index, file) {
            print_file(file);
        }
    json_decref(answer);
}

static bool save_content(const struct api_client *client, const char *path, struct error *error) {
    FILE *file = output ? fopen(output, "wb") : stdout;
    if (!file) return error_set_errno(error, ERROR_IO, "cannot write %s", output);
    bool good = api_client_download(client, path, file, error);
    if (output && fclose(file) != 0 && good)
        good = error_set_errno(error, ERROR_IO, "cannot write %s", output);
    return good;
}

static bool run(
    const struct api_client *client, const char *verb, const char *word, struct error *error) {
    json_t *answer;
    char path[512];
    snprintf(path, sizeof path, "/files/%s%s", word ? word : "",
        strcmp(verb, "content") == 0 ? "/content" : "");
    if (strcmp(verb, "content") == 0) return save_content(client, path, error);
    bool good = strcmp(verb, "upload") == 0
                    ? api_client_upload(client, word, purpose, &answer, error)
                : strcmp(verb, "list") == 0
                    ? api_client_call(client, "GET", "/files", NULL, &answer, error)
                    : api_client_call(client, strcmp(verb, "delete") == 0 ? "DELETE" : "GET", path,
                          NULL, &answer, error);
    if (good) print(answer);
    return good;
}

// How many words the verb takes after itself, -1 for an unknown one.
static int verb_words(const char *verb) {
    static const struct {
        const char *verb;
        int words;
    } verbs[] = {{"upload", 1}, {"list", 0}, {"get", 1}, {"content", 1}, {"delete", 1}};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verb, verbs[i].verb) == 0) return verbs[i].words;
    return -1;
}

int command_files(int count, char **words) {
    struct error error = {0};
    struct api_client client;
    int given;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    if (verb_words(words[0]) != given - 1) {
        fprintf(stderr, "usage: %s\n", syntax.usage);
        return CLI_USAGE;
    }
    if (!api_client_open(&client, &error) ||
        !run(&client, words[0], given > 1 ? words[1] : NULL, &error))
        return cli_fail(&error);
    return CLI_SUCCESS;
}
