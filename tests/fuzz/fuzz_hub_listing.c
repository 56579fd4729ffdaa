// The hub's answer to what files a model has: whatever is read names only files below a directory,
// with sizes and digests that can be.
#include "net/hub.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Whether a part of the path is "..".
static bool leads_up(const char *name) {
    size_t length = strlen(name);
    return !strcmp(name, "..") || !strncmp(name, "../", 3) || strstr(name, "/../") ||
           (length > 3 && !strcmp(name + length - 3, "/.."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hub_listing listing;
    struct error error;
    if (!hub_listing_parse(&listing, (const char *)data, size, &error)) return 0;
    if (!digest_is_text(DIGEST_GIT_BLOB, listing.commit)) abort();
    for (size_t i = 0; i < listing.count; i++) {
        const struct hub_file *file = &listing.files[i];
        if (!*file->name || *file->name == '/' || leads_up(file->name) ||
            file->size > (uint64_t)1 << 46 || !digest_is_text(file->kind, file->digest) ||
            !hub_listing_find(&listing, file->name))
            abort();
    }
    hub_listing_free(&listing);
    return 0;
}
