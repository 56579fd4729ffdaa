// A fine-tuned model as one file: a tar archive of its adapter's directory in peft's format.
#ifndef SERVICE_ADAPTER_ARCHIVE_H
#define SERVICE_ADAPTER_ARCHIVE_H

#include "base/error.h"
#include <stdint.h>

// Writes the files of the directory `adapter` into a new file that has no name any more (its place
// was in `folder`), to be read from its beginning: *descriptor is the caller's to close.
bool adapter_archive_make(const char *adapter, const char *folder, int *descriptor, uint64_t *size,
    struct error *error) WARN_UNUSED;

#endif
