// A line of a batch's input, as any client may write it.
#include "jobs/batch_input.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct batch_request request;
    struct batch_fault fault;
    bool good =
        batch_request_read(&request, (const char *)data, size, "/v1/chat/completions", &fault);
    // A line that is refused says why, and one that is taken has all that is needed to run it.
    if (good ? !request.custom_id || !json_is_object(request.body) : !fault.code || !*fault.message)
        abort();
    batch_request_free(&request);
    return 0;
}
