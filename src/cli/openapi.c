// temper openapi: the description of the HTTP API, as a running server gives it at /openapi.json.
#include "cli/cli_options.h"
#include "cli/commands.h"
#include "service/openapi_document.h"
#include <stdio.h>

static const struct cli_syntax syntax = {
    .usage = "temper openapi",
    .purpose = "Prints the OpenAPI 3.1 document of the server's API, for generators and linters.",
    .example = "  temper openapi >openapi.json",
};

int command_openapi(int count, char **words) {
    int given;
    size_t routes;
    enum cli_outcome outcome = cli_read(&syntax, count, words, &given);
    if (outcome != CLI_RUN) return outcome == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    const struct route *table = route_table(&routes);
    json_t *document = openapi_document(table, routes);
    bool good = document && json_dumpf(document, stdout, JSON_INDENT(2)) == 0 && putchar('\n') > 0;
    json_decref(document);
    return good ? CLI_SUCCESS : CLI_FAILURE;
}
