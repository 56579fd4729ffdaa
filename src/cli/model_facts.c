#include "cli/model_facts.h"
#include "cli/api_client.h"
#include <stdio.h>

static void scale(char text[FACT_SIZE], double number, const char *const units[], size_t count) {
    size_t unit = 0;
    while (number >= 999.5 && unit + 1 < count) {
        number /= 1000;
        unit++;
    }
    snprintf(text, FACT_SIZE, unit ? "%.3g%s" : "%.0f%s", number, units[unit]);
}

void fact_bytes(char text[FACT_SIZE], uint64_t bytes) {
    static const char *const units[] = {" bytes", " KB", " MB", " GB", " TB"};
    scale(text, (double)bytes, units, sizeof units / sizeof *units);
}

void fact_count(char text[FACT_SIZE], uint64_t count) {
    static const char *const units[] = {"", " thousand", " million", " billion"};
    scale(text, (double)count, units, sizeof units / sizeof *units);
}

void model_facts_json(json_t *object, const struct model_report *report) {
    json_object_set_new(object, "parameters", json_integer((json_int_t)report->parameters));
    json_object_set_new(object, "bytes", json_integer((json_int_t)report->bytes));
    json_object_set_new(object, "type", json_string(data_type_table[report->type].name));
    json_object_set_new(
        object, "context_length", json_integer((json_int_t)report->config.context_length));
}

static void print(const char *id, const struct model_report *report, const char *weights) {
    char count[FACT_SIZE], bytes[FACT_SIZE];
    fact_count(count, report->parameters);
    fact_bytes(bytes, report->bytes);
    printf("%s is here: %s weights in %s (%s), a context of %zu tokens\n  weights: %s\n", id, count,
        data_type_table[report->type].name, bytes, report->config.context_length, weights);
    if (report->has_template) printf("  try it: temper chat --model %s 'Hello'\n", id);
    fflush(stdout);
    if (*report->no_training)
        fprintf(stderr, "temper: %s answers, but cannot be trained well on chats: %s\n", id,
            report->no_training);
    if (report->has_template) return;
    fprintf(stderr,
        "temper: %s has no chat template: chats, and training on chats, need one. Remove it "
        "(temper "
        "models remove %s) and add it again with --chat-template FILE, the Jinja template of its "
        "family\n",
        id, id);
}

void model_facts_added(const struct model_manifest *manifest, const char *directory,
    const char *weights, const struct model_report *report, bool as_json) {
    if (!as_json) {
        print(manifest->id, report, weights);
        return;
    }
    json_t *aliases = json_array();
    for (size_t i = 0; i < manifest->alias_count; i++)
        json_array_append_new(aliases, json_string(manifest->aliases[i]));
    json_t *root = json_pack("{s:s, s:o, s:s, s:s, s:s?, s:b, s:b}", "id", manifest->id, "aliases",
        aliases, "directory", directory, "source", manifest->source, "revision", manifest->revision,
        "chat_template", report->has_template, "chat_training",
        report->has_template && !*report->no_training);
    model_facts_json(root, report);
    api_client_print(root);
    json_decref(root);
}
