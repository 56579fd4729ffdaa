// A form with one file, as POST /v1/files takes it: the file goes to disk piece by piece, plain
// fields stay in memory, few and short. The file lies in the data directory's uploads/ under a name
// of ours until it is taken; one that nobody takes is removed with the form.
#ifndef SERVICE_UPLOAD_FORM_H
#define SERVICE_UPLOAD_FORM_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct reply;
struct upload_form;

// Each makes the reply and returns false where the form is wrong, too large, or the disk refuses.
// `file_field` (static text) is the field that has the file, `file_maximum` the most bytes that it
// may have.
bool upload_form_open(struct upload_form **form, const char *content_type, const char *data,
    const char *file_field, uint64_t file_maximum, struct reply *reply) WARN_UNUSED;
bool upload_form_feed(
    struct upload_form *form, const char *bytes, size_t length, struct reply *reply) WARN_UNUSED;

// The body has ended: the file is synced to the disk.
bool upload_form_finish(struct upload_form *form, struct reply *reply) WARN_UNUSED;
void upload_form_free(struct upload_form *form);

// The text of a field, NULL if absent.
const char *upload_form_field(const struct upload_form *form, const char *name);

// The name of the first field that is not in `known` (NULL-terminated), or NULL.
const char *upload_form_unknown(const struct upload_form *form, const char *const *known);

// The file: where it lies, the client's name for it, its length. NULL if the form has none.
const char *upload_form_path(const struct upload_form *form);
const char *upload_form_file_name(const struct upload_form *form);
uint64_t upload_form_size(const struct upload_form *form);

// The file at upload_form_path was moved away, and is no longer the form's.
void upload_form_taken(struct upload_form *form);

#endif
