// The upload keeper: one thread that puts the parts of uploads together, which takes time where
// they are gigabytes, and that forgets, each minute, what has expired.
#ifndef JOBS_UPLOAD_KEEPER_H
#define JOBS_UPLOAD_KEEPER_H

#include "base/error.h"
#include <stddef.h>

struct store;
struct upload_keeper;

enum { UPLOAD_MD5_LENGTH = 32 };

struct upload_assembly {
    const char *account, *upload;
    const char *const *parts; // ids, in order
    size_t part_count;
    const char *md5; // of the whole, in hexadecimal; NULL: not checked
    // Called once, from the keeper's thread, or, where the server ends before, from
    // upload_keeper_close. `error` is NULL where the upload is completed; ERROR_INVALID: parts,
    // length or digest are not those that were announced, and the upload stays pending.
    void (*done)(void *context, const struct error *error);
    void *context;
};

// Forgets what expired while no server ran.
bool upload_keeper_open(
    struct upload_keeper **keeper, struct store *store, struct error *error) WARN_UNUSED;

// Ends the assembly at hand, refuses those that wait.
void upload_keeper_close(struct upload_keeper *keeper);

// Queues an assembly, of which a copy is taken.
bool upload_keeper_complete(struct upload_keeper *keeper, const struct upload_assembly *assembly,
    struct error *error) WARN_UNUSED;

#endif
