// temper models: the table of its subcommands; without one, the list of models.
#include "cli/models.h"
#include "cli/cli_options.h"
#include "cli/commands.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int count, char **words);
} subcommands[] = {
    {"list", models_list_all},
    {"add", models_add},
    {"pull", models_pull},
    {"add-adapter", models_add_adapter},
    {"remove", models_remove},
};

int command_models(int count, char **words) {
    if (count == 0 || words[0][0] == '-') return models_list_all(count, words);
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++)
        if (!strcmp(words[0], subcommands[i].name)) return subcommands[i].run(count - 1, words + 1);
    fprintf(stderr,
        "temper: `models` has no subcommand '%s'; it has list, add, pull, add-adapter and remove\n",
        words[0]);
    return CLI_USAGE;
}
