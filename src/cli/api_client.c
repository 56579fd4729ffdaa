// Calls to a running server.
#include "cli/api_client.h"
#include "net/http_client.h"
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAXIMUM = 64 << 20, UPLOAD_SECONDS = 3600, CALL_SECONDS = 600 };

bool api_client_open(struct api_client *client, struct error *error) {
    const char *url = getenv("TEMPER_BASE_URL"), *key = getenv("TEMPER_API_KEY");
    if (!url || !*url) url = "http://127.0.0.1:8080/v1";
    if (!key || !*key)
        return error_set(error, ERROR_INVALID,
            "TEMPER_API_KEY is not set: export the key that `temper serve` printed, or make one "
            "with "
            "`temper keys create`");
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/')
        length--;
    if (length >= sizeof client->url || strlen(key) + 24 > sizeof client->authorization)
        return error_set(error, ERROR_INVALID, "TEMPER_BASE_URL or TEMPER_API_KEY is too long");
    memcpy(client->url, url, length);
    client->url[length] = '\0';
    snprintf(client->authorization, sizeof client->authorization, "Authorization: Bearer %s", key);
    return true;
}

// An error answer as an error: the server's own message where there is one.
static bool refuse(const struct http_answer *answer, struct error *error) {
    json_t *body = json_loadb(buffer_text(&answer->body), answer->body.length, 0, NULL);
    const json_t *fault = json_object_get(body, "error");
    const char *message = json_string_value(json_object_get(fault, "message"));
    enum error_code code = answer->status == 404   ? ERROR_NOT_FOUND
                           : answer->status == 409 ? ERROR_CONFLICT
                           : answer->status < 500  ? ERROR_INVALID
                                                   : ERROR_IO;
    error_set(error, code, "%s (HTTP status %d)",
        message ? message : "the server gave no reason; is TEMPER_BASE_URL right?", answer->status);
    json_decref(body);
    return false;
}

static bool send(const struct api_client *client, struct http_request *request, const char *path,
    struct http_answer *answer, struct error *error) {
    char url[2048];
    const char *headers[] = {client->authorization, "Content-Type: application/json"};
    if (snprintf(url, sizeof url, "%s%s", client->url, path) >= (int)sizeof url)
        return error_set(error, ERROR_INVALID, "the address is too long: %.100s…", path);
    request->url = url;
    request->headers = headers;
    request->header_count = request->parts ? 1 : 2;
    if (!http_client_send(request, ANSWER_MAXIMUM, answer, error)) return false;
    if (answer->status >= 200 && answer->status < 300) return true;
    refuse(answer, error);
    http_answer_free(answer);
    return false;
}

static bool ask(const struct api_client *client, struct http_request *request, const char *path,
    json_t **result, struct error *error) {
    struct http_answer answer;
    json_error_t fault;
    if (!send(client, request, path, &answer, error)) return false;
    *result = json_loadb(buffer_text(&answer.body), answer.body.length, 0, &fault);
    http_answer_free(&answer);
    return *result ||
           error_set(error, ERROR_INVALID, "the server's answer is no JSON: %s", fault.text);
}

bool api_client_call(const struct api_client *client, const char *method, const char *path,
    const json_t *body, json_t **answer, struct error *error) {
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct http_request request = {
        .method = method,
        .body = text,
        .body_length = text ? strlen(text) : 0,
        .timeout_seconds = CALL_SECONDS,
    };
    bool good = ask(client, &request, path, answer, error);
    free(text);
    return good;
}

bool api_client_upload(const struct api_client *client, const char *file, const char *purpose,
    json_t **answer, struct error *error) {
    struct http_part parts[] = {{"purpose", purpose, NULL}, {"file", NULL, file}};
    struct http_request request = {
        .method = "POST",
        .parts = parts,
        .part_count = 2,
        .timeout_seconds = UPLOAD_SECONDS,
    };
    FILE *probe = fopen(file, "rb");
    if (!probe) return error_set_errno(error, ERROR_IO, "cannot read %s", file);
    fclose(probe);
    return ask(client, &request, "/files", answer, error);
}

static bool write_out(void *context, const void *bytes, size_t length) {
    return fwrite(bytes, 1, length, context) == length;
}

bool api_client_download(
    const struct api_client *client, const char *path, FILE *output, struct error *error) {
    struct http_answer answer;
    struct http_request request = {
        .method = "GET",
        .sink = write_out,
        .sink_context = output,
        .timeout_seconds = UPLOAD_SECONDS,
    };
    if (!send(client, &request, path, &answer, error)) return false;
    http_answer_free(&answer);
    return fflush(output) == 0 || error_set_errno(error, ERROR_IO, "cannot write the content");
}

void api_client_print(const json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
}
