// The API of a running server, as the commands `files` and `jobs` call it. Where the server is and
// with which key to ask, TEMPER_BASE_URL (http://127.0.0.1:8080/v1) and TEMPER_API_KEY say.
#ifndef CLI_API_CLIENT_H
#define CLI_API_CLIENT_H

#include "base/error.h"
#include <jansson.h>
#include <stdio.h>

struct api_client {
    char url[1024]; // without a slash at its end
    char authorization[256];
};

// Reads the environment; an error says which variable is missing.
bool api_client_open(struct api_client *client, struct error *error) WARN_UNUSED;

// Each asks, waits, and gives the answer's JSON (json_decref). An error answer is an error with the
// server's message. `path` begins with "/"; `body` (may be NULL) is borrowed.
bool api_client_call(const struct api_client *client, const char *method, const char *path,
    const json_t *body, json_t **answer, struct error *error) WARN_UNUSED;
bool api_client_upload(const struct api_client *client, const char *file, const char *purpose,
    json_t **answer, struct error *error) WARN_UNUSED;

// Writes what GET answers to `output`.
bool api_client_download(const struct api_client *client, const char *path, FILE *output,
    struct error *error) WARN_UNUSED;

// Prints JSON, indented, to standard output.
void api_client_print(const json_t *value);

#endif
