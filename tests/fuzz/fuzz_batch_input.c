// Inputs of batches: any bytes give requests or faults that can be told as JSON, line by line, and
// every line lies where the reader says.
#include "base/utf8.h"
#include "jobs/batch_input.h"
#include "store/store_batches.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const struct batch_request *request) {
    size_t length = strlen(request->custom_id);
    if (length < 1 || length > BATCH_CUSTOM_ID_LENGTH || !json_is_object(request->body)) abort();
    if (!json_is_string(json_object_get(request->body, "model"))) abort();
}

static void check_fault(const struct batch_fault *fault) {
    size_t length = strlen(fault->message);
    if (!fault->code || !length || utf8_valid_length(fault->message, length) != length) abort();
}

static void check_line(const struct batch_input *input, const uint8_t *data, size_t size) {
    struct batch_request request;
    struct batch_fault fault;
    const char *text = buffer_text(&input->text);
    if (input->offset < 0 || (size_t)(input->offset + input->length) > size) abort();
    if ((size_t)input->length != input->text.length ||
        memcmp(data + input->offset, text, input->text.length) != 0)
        abort();
    if (batch_request_read(&request, text, input->text.length, "/v1/chat/completions", &fault))
        check_request(&request);
    else
        check_fault(&fault);
    batch_request_free(&request);
}

static void read_all(const char *path, const uint8_t *data, size_t size) {
    struct batch_input input;
    struct error error;
    int64_t before = 0;
    bool end;
    if (!batch_input_open(&input, path, &error)) abort();
    while (batch_input_next(&input, &end, &error) && !end) {
        if (input.line <= before) abort();
        before = input.line;
        check_line(&input, data, size);
    }
    batch_input_close(&input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    int file = memfd_create("data", 0);
    if (file < 0 || write(file, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    read_all(path, data, size);
    close(file);
    return 0;
}
