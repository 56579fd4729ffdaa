// The multipart parser: any bytes, cut into pieces of any size. The first byte chooses the size.
// What the parser tells must not depend on it, and a part must be told before its data.
#include "service/multipart.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    bool open;
    uint64_t parts, hash;
};

static bool take_part(void *context, const struct multipart_part *part, struct error *error) {
    struct tally *tally = context;
    (void)error;
    if (tally->open || !part->name) abort();
    tally->open = true;
    tally->parts++;
    for (const char *at = part->name; *at; at++)
        tally->hash = tally->hash * 31 + (uint8_t)*at;
    return true;
}

static bool take_data(void *context, const char *bytes, size_t length, struct error *error) {
    struct tally *tally = context;
    (void)error;
    if (!tally->open || length == 0) abort();
    for (size_t i = 0; i < length; i++)
        tally->hash = tally->hash * 31 + (uint8_t)bytes[i];
    return true;
}

static bool end_part(void *context, struct error *error) {
    struct tally *tally = context;
    (void)error;
    if (!tally->open) abort();
    tally->open = false;
    return true;
}

static bool parse(const uint8_t *data, size_t size, size_t piece, struct tally *tally) {
    struct multipart *multipart = NULL;
    struct error error = {0};
    struct multipart_listener listener = {tally, take_part, take_data, end_part};
    *tally = (struct tally){0};
    if (!multipart_open(&multipart, "multipart/form-data; boundary=XX", &listener, &error)) abort();
    bool good = true;
    for (size_t at = 0; good && at < size; at += piece)
        good = multipart_feed(
            multipart, (const char *)data + at, size - at < piece ? size - at : piece, &error);
    good = good && multipart_finish(multipart, &error);
    multipart_close(multipart);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tally whole, pieces;
    if (size < 2) return 0;
    bool good = parse(data + 1, size - 1, size, &whole);
    if (parse(data + 1, size - 1, 1 + data[0] % 64, &pieces) != good) abort();
    if (good && (whole.parts != pieces.parts || whole.hash != pieces.hash)) abort();
    return 0;
}
