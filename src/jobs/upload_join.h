// Putting the parts of an upload together.
#ifndef JOBS_UPLOAD_JOIN_H
#define JOBS_UPLOAD_JOIN_H

#include "base/error.h"
#include <stdatomic.h>
#include <stdbool.h>

struct store;
struct upload_assembly;

// Checks the parts, writes them one after the other to a new file, and completes the upload.
// `closing` is looked at between blocks: once set, it fails with ERROR_IO.
bool upload_join(struct store *store, const struct upload_assembly *assembly,
    const atomic_bool *closing, struct error *error) WARN_UNUSED;

#endif
