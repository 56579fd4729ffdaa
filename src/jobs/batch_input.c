// Reading requests from a file, line by line.
#include "jobs/batch_input.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "store/store_batches.h"
#include <stdarg.h>
#include <string.h>

bool batch_input_open(struct batch_input *input, const char *path, struct error *error) {
    *input = (struct batch_input){.file = fopen(path, "rbe")};
    buffer_init(&input->text, BATCH_LINE_MAXIMUM);
    return input->file || error_set_errno(error, ERROR_IO, "cannot read %s", path);
}

void batch_input_close(struct batch_input *input) {
    if (input->file) fclose(input->file);
    buffer_free(&input->text);
    *input = (struct batch_input){0};
}

static bool is_blank(const struct batch_input *input) {
    const char *text = buffer_text(&input->text);
    return !input->too_long && text[strspn(text, " \t\r")] == '\0' &&
           strlen(text) == input->text.length;
}

// Reads up to the end of the line. Returns false at the end of the file, with nothing read.
static bool read_line(struct batch_input *input) {
    int letter;
    buffer_clear(&input->text);
    input->offset = input->next;
    while ((letter = getc_unlocked(input->file)) != EOF) {
        input->next++;
        if (letter == '\n') break;
        buffer_append_char(&input->text, (char)letter);
    }
    input->length = input->next - input->offset - (letter == '\n');
    input->too_long = input->text.failed;
    input->line++;
    return input->next > input->offset;
}

bool batch_input_next(struct batch_input *input, bool *end, struct error *error) {
    do
        *end = !read_line(input);
    while (!*end && is_blank(input));
    if (ferror(input->file))
        return error_set_errno(error, ERROR_IO, "cannot read the input of a batch");
    return true;
}

static bool refuse(struct batch_fault *fault, const char *code, const char *param,
    const char *format, ...) PRINTF_LIKE(4, 5);
static bool refuse(
    struct batch_fault *fault, const char *code, const char *param, const char *format, ...) {
    va_list arguments;
    fault->code = code;
    fault->param = param;
    va_start(arguments, format);
    vsnprintf(fault->message, sizeof fault->message, format, arguments);
    va_end(arguments);
    utf8_repair(fault->message); // of a name that was cut short
    return false;
}

static bool check_names(const json_t *line, struct batch_fault *fault) {
    static const char *const names[] = {"custom_id", "method", "url", "body"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)line, name, value) {
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            known = known || strcmp(name, names[i]) == 0;
        if (!known)
            return refuse(fault, "unknown_parameter", NULL,
                "The line has a member '%.60s', which no request has: only custom_id, method, url "
                "and body.",
                name);
    }
    return true;
}

static bool check_id(const json_t *id, struct batch_fault *fault) {
    size_t length = json_string_length(id);
    if (json_is_string(id) && length > 0 && length <= BATCH_CUSTOM_ID_LENGTH &&
        strlen(json_string_value(id)) == length)
        return true;
    return refuse(fault, "invalid_custom_id", "custom_id",
        "custom_id must be a text of 1 to %d bytes: it is how a result is found.",
        BATCH_CUSTOM_ID_LENGTH);
}

static bool check_address(const json_t *line, const char *endpoint, struct batch_fault *fault) {
    const char *method = json_string_value(json_object_get(line, "method"));
    const char *url = json_string_value(json_object_get(line, "url"));
    if (!method || strcmp(method, "POST") != 0)
        return refuse(fault, "invalid_method", "method", "method must be \"POST\".");
    if (!url || strcmp(url, endpoint) != 0)
        return refuse(fault, "mismatched_endpoint", "url",
            "url must be the endpoint of the batch, \"%s\".", endpoint);
    return true;
}

static bool check_body(const json_t *body, struct batch_fault *fault) {
    if (!json_is_object(body))
        return refuse(fault, "invalid_request", "body", "body must be an object: the request.");
    if (!json_is_string(json_object_get(body, "model")))
        return refuse(fault, "missing_required_parameter", "body.model",
            "body.model must be the name of a model.");
    if (json_is_true(json_object_get(body, "stream")))
        return refuse(fault, "invalid_request", "body.stream",
            "A request of a batch cannot ask for a stream; leave stream out.");
    return true;
}

static bool check_line(const json_t *line, const char *endpoint, struct batch_fault *fault) {
    if (!json_is_object(line))
        return refuse(fault, "invalid_json_line", NULL, "The line must be a JSON object.");
    return check_names(line, fault) && check_id(json_object_get(line, "custom_id"), fault) &&
           check_address(line, endpoint, fault) && check_body(json_object_get(line, "body"), fault);
}

bool batch_request_read(struct batch_request *request, const char *text, size_t length,
    const char *endpoint, struct batch_fault *fault) {
    json_error_t wrong;
    *request = (struct batch_request){0};
    *fault = (struct batch_fault){0};
    json_t *line = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
    if (!line)
        return refuse(fault, "invalid_json_line", NULL,
            "The line is no JSON: %.160s (at byte %d). Each line must be one whole JSON object.",
            wrong.text, wrong.position);
    bool good = check_line(line, endpoint, fault);
    if (good) {
        request->custom_id =
            memory_copy_string(json_string_value(json_object_get(line, "custom_id")));
        request->body = json_incref(json_object_get(line, "body"));
        if (!request->custom_id) good = refuse(fault, "server_error", NULL, "Memory is short.");
    }
    json_decref(line);
    if (!good) batch_request_free(request);
    return good;
}

void batch_request_free(struct batch_request *request) {
    memory_free(request->custom_id);
    json_decref(request->body);
    *request = (struct batch_request){0};
}
