// Receiving a form with a file.
#include "service/upload_form.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "service/multipart.h"
#include "service/reply.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FIELDS_MAXIMUM = 16, FIELD_LENGTH = 4096, ID_LENGTH = 24 };

struct form_field {
    char *name;
    struct buffer text;
};

struct upload_form {
    struct multipart *multipart;
    struct form_field fields[FIELDS_MAXIMUM];
    size_t field_count;
    struct form_field *field; // the one that is being read, NULL in the file
    int descriptor;           // of the file while it is written, else -1
    char *path, *file_name;
    const char *file_field;
    uint64_t size, maximum;
    bool too_large, disk_failed;
};

static bool begin_file(
    struct upload_form *form, const char *name, const char *file_name, struct error *error) {
    if (strcmp(name, form->file_field) != 0 || form->file_name)
        return error_set(error, ERROR_INVALID,
            "the form must have exactly one file, in the field '%s'; it has '%.100s'",
            form->file_field, name);
    form->field = NULL;
    form->file_name = memory_copy_string(file_name);
    form->descriptor = open(form->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    form->disk_failed = form->descriptor < 0;
    if (form->disk_failed) return error_set_errno(error, ERROR_IO, "cannot create %s", form->path);
    return form->file_name || memory_error(error, "a file's name");
}

static bool begin_field(struct upload_form *form, const char *name, struct error *error) {
    if (form->field_count == FIELDS_MAXIMUM)
        return error_set(error, ERROR_INVALID, "the form has more than %d fields", FIELDS_MAXIMUM);
    if (strcmp(name, form->file_field) == 0)
        return error_set(error, ERROR_INVALID,
            "the field '%s' must be a file: its part needs a filename", form->file_field);
    if (upload_form_field(form, name))
        return error_set(error, ERROR_INVALID, "the form has the field '%.100s' twice", name);
    form->field = &form->fields[form->field_count++];
    form->field->name = memory_copy_string(name);
    buffer_init(&form->field->text, FIELD_LENGTH);
    return form->field->name || memory_error(error, "a form's field");
}

static bool take_part(void *context, const struct multipart_part *part, struct error *error) {
    if (part->file_name) return begin_file(context, part->name, part->file_name, error);
    return begin_field(context, part->name, error);
}

static bool take_data(void *context, const char *bytes, size_t length, struct error *error) {
    struct upload_form *form = context;
    if (form->field) {
        buffer_append(&form->field->text, bytes, length);
        return !form->field->text.failed ||
               error_set(error, ERROR_INVALID, "the form's field '%.100s' is over %d bytes",
                   form->field->name, FIELD_LENGTH);
    }
    form->size += length;
    form->too_large = form->size > form->maximum;
    if (form->too_large) return error_set(error, ERROR_INVALID, "the file is too large");
    form->disk_failed = !file_write_all(form->descriptor, bytes, length, error);
    return !form->disk_failed;
}

// Syncs the file, so that what is acknowledged survives a power cut.
static bool end_part(void *context, struct error *error) {
    struct upload_form *form = context;
    if (form->descriptor < 0 || form->field) return true;
    form->disk_failed = fsync(form->descriptor) != 0;
    if (form->disk_failed) error_set_errno(error, ERROR_IO, "cannot sync %s", form->path);
    form->disk_failed |= close(form->descriptor) != 0;
    form->descriptor = -1;
    return !form->disk_failed;
}

static bool refuse(struct upload_form *form, const struct error *error, struct reply *reply) {
    if (form && form->too_large)
        reply_error(reply, 413, "file_too_large", form->file_field,
            "The file is too large: at most %llu bytes (%llu MB) can be uploaded in one piece.",
            (unsigned long long)form->maximum, (unsigned long long)(form->maximum >> 20));
    else if (error->code == ERROR_INVALID)
        reply_error(
            reply, 400, "invalid_form", NULL, "The form could not be read: %s.", error->message);
    else
        reply_failure(reply, "storing the upload", error);
    return false;
}

static bool name_file(struct upload_form *form, const char *data, struct error *error) {
    char id[ID_LENGTH + 1];
    if (!random_secret(id, ID_LENGTH, error)) return false;
    char *directory = memory_format("%s/uploads", data);
    bool made = directory && file_make_directories(directory, error);
    memory_free(directory);
    if (!made) return false;
    form->path = memory_format("%s/uploads/%s.part", data, id);
    return form->path || memory_error(error, "an upload's path");
}

bool upload_form_open(struct upload_form **result, const char *content_type, const char *data,
    const char *file_field, uint64_t file_maximum, struct reply *reply) {
    struct error error = {0};
    struct upload_form *form = memory_alloc_zeroed(1, sizeof *form);
    if (!form) {
        memory_error(&error, "an upload");
        return refuse(NULL, &error, reply);
    }
    struct multipart_listener listener = {form, take_part, take_data, end_part};
    form->descriptor = -1;
    form->maximum = file_maximum;
    form->file_field = file_field;
    if (!multipart_open(&form->multipart, content_type, &listener, &error) ||
        !name_file(form, data, &error)) {
        refuse(form, &error, reply);
        upload_form_free(form);
        return false;
    }
    *result = form;
    return true;
}

bool upload_form_feed(
    struct upload_form *form, const char *bytes, size_t length, struct reply *reply) {
    struct error error = {0};
    return multipart_feed(form->multipart, bytes, length, &error) || refuse(form, &error, reply);
}

bool upload_form_finish(struct upload_form *form, struct reply *reply) {
    struct error error = {0};
    return multipart_finish(form->multipart, &error) || refuse(form, &error, reply);
}

void upload_form_free(struct upload_form *form) {
    if (!form) return;
    multipart_close(form->multipart);
    for (size_t i = 0; i < form->field_count; i++) {
        memory_free(form->fields[i].name);
        buffer_free(&form->fields[i].text);
    }
    if (form->descriptor >= 0) close(form->descriptor);
    if (form->path && form->file_name) unlink(form->path);
    memory_free(form->path);
    memory_free(form->file_name);
    memory_free(form);
}

const char *upload_form_field(const struct upload_form *form, const char *name) {
    for (size_t i = 0; i < form->field_count; i++)
        if (strcmp(form->fields[i].name, name) == 0) return buffer_text(&form->fields[i].text);
    return NULL;
}

static bool is_known(const char *name, const char *const *known) {
    for (; *known; known++)
        if (strcmp(*known, name) == 0) return true;
    return false;
}

const char *upload_form_unknown(const struct upload_form *form, const char *const *known) {
    for (size_t i = 0; i < form->field_count; i++)
        if (!is_known(form->fields[i].name, known)) return form->fields[i].name;
    return NULL;
}

const char *upload_form_path(const struct upload_form *form) {
    return form->file_name ? form->path : NULL;
}

const char *upload_form_file_name(const struct upload_form *form) {
    return form->file_name;
}

uint64_t upload_form_size(const struct upload_form *form) {
    return form->size;
}

void upload_form_taken(struct upload_form *form) {
    memory_free(form->path);
    form->path = NULL;
}
