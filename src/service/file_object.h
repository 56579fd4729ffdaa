// The shape of a file, and what all that make files check.
#ifndef SERVICE_FILE_OBJECT_H
#define SERVICE_FILE_OBJECT_H

#include <jansson.h>

struct file_record;
struct reply;

enum {
    FILE_FINE_TUNE_MAXIMUM = 100 << 20, // bytes
    FILE_NAME_LENGTH = 255,
};

// What may be uploaded, NULL-terminated. Files of other purposes (results) come from the server.
extern const char *const file_purposes[];

json_t *file_object(const struct file_record *file);

// A name (memory_free) that can stand in JSON and in a header: the client's text, without any
// folders. NULL with the reply made where there is none.
char *file_plain_name(const char *name, const char *param, struct reply *reply);

#endif
