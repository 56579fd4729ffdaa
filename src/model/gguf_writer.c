#include "model/gguf_writer.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/gguf_internal.h"
#include "model/gguf_layout.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_METADATA = 1 << 30, MAX_TABLE = 64 << 20 };

struct gguf_writer {
    struct buffer values;
    struct buffer table;
    uint64_t value_count;
    uint64_t tensor_count;
    uint64_t offset;       // of the next tensor, from the beginning of the data
    struct buffer lengths; // uint64_t each: bytes of the tensors
    bool impossible;       // a name too long, or a type that GGUF has not
    char path[FILE_PATH_SIZE];
    char temporary[FILE_PATH_SIZE];
    int descriptor;
    size_t present; // tensor that is being written
    uint64_t done;  // bytes of it
};

bool gguf_writer_create(struct gguf_writer **writer, struct error *error) {
    struct gguf_writer *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "writing a GGUF file");
    buffer_init(&new->values, MAX_METADATA);
    buffer_init(&new->table, MAX_TABLE);
    buffer_init(&new->lengths, MAX_TABLE);
    new->descriptor = -1;
    *writer = new;
    return true;
}

void gguf_writer_free(struct gguf_writer *writer) {
    if (!writer) return;
    if (writer->descriptor >= 0) {
        close(writer->descriptor);
        unlink(writer->temporary);
    }
    buffer_free(&writer->values);
    buffer_free(&writer->table);
    buffer_free(&writer->lengths);
    memory_free(writer);
}

// ---- metadata ----

static void put_uint32(struct buffer *buffer, uint32_t value) {
    buffer_append(buffer, &value, sizeof value);
}

static void put_uint64(struct buffer *buffer, uint64_t value) {
    buffer_append(buffer, &value, sizeof value);
}

static void put_text(struct buffer *buffer, const char *text) {
    put_uint64(buffer, strlen(text));
    buffer_append(buffer, text, strlen(text));
}

static void put_key(struct gguf_writer *writer, const char *key, enum gguf_type type) {
    put_text(&writer->values, key);
    put_uint32(&writer->values, type);
    writer->value_count++;
}

static void put_array(
    struct gguf_writer *writer, const char *key, enum gguf_type element, size_t count) {
    put_key(writer, key, GGUF_ARRAY);
    put_uint32(&writer->values, element);
    put_uint64(&writer->values, count);
}

void gguf_writer_text(struct gguf_writer *writer, const char *key, const char *text) {
    put_key(writer, key, GGUF_STRING);
    put_text(&writer->values, text);
}

void gguf_writer_uint32(struct gguf_writer *writer, const char *key, uint32_t value) {
    put_key(writer, key, GGUF_UINT32);
    put_uint32(&writer->values, value);
}

void gguf_writer_float32(struct gguf_writer *writer, const char *key, float value) {
    put_key(writer, key, GGUF_FLOAT32);
    buffer_append(&writer->values, &value, sizeof value);
}

void gguf_writer_bool(struct gguf_writer *writer, const char *key, bool value) {
    put_key(writer, key, GGUF_BOOL);
    buffer_append_char(&writer->values, value ? 1 : 0);
}

void gguf_writer_texts(
    struct gguf_writer *writer, const char *key, const char *const *texts, size_t count) {
    put_array(writer, key, GGUF_STRING, count);
    for (size_t i = 0; i < count; i++)
        put_text(&writer->values, texts[i]);
}

void gguf_writer_floats(
    struct gguf_writer *writer, const char *key, const float *values, size_t count) {
    put_array(writer, key, GGUF_FLOAT32, count);
    buffer_append(&writer->values, values, count * sizeof *values);
}

void gguf_writer_int32s(
    struct gguf_writer *writer, const char *key, const int32_t *values, size_t count) {
    put_array(writer, key, GGUF_INT32, count);
    buffer_append(&writer->values, values, count * sizeof *values);
}

// ---- the table of tensors ----

static uint64_t padding(uint64_t size) {
    return (GGUF_ALIGNMENT - size % GGUF_ALIGNMENT) % GGUF_ALIGNMENT;
}

void gguf_writer_tensor(struct gguf_writer *writer, const char *name, enum data_type type,
    size_t dimensions, const size_t *shape) {
    size_t elements = 1;
    uint32_t number = ggml_type_number(type);
    if (strlen(name) >= GGUF_NAME_SIZE || number == UINT32_MAX) writer->impossible = true;
    put_text(&writer->table, name);
    put_uint32(&writer->table, (uint32_t)dimensions);
    for (size_t i = dimensions; i-- > 0; elements *= shape[i])
        put_uint64(&writer->table, shape[i]);
    put_uint32(&writer->table, number);
    put_uint64(&writer->table, writer->offset);
    uint64_t bytes = data_type_bytes(type, elements);
    put_uint64(&writer->lengths, bytes);
    writer->offset += bytes + padding(bytes);
    writer->tensor_count++;
}

static bool put_start(struct gguf_writer *writer, struct error *error) {
    struct buffer start;
    buffer_init(&start, (size_t)MAX_METADATA + MAX_TABLE + 4096);
    buffer_append(&start, "GGUF", 4);
    put_uint32(&start, 3);
    put_uint64(&start, writer->tensor_count);
    put_uint64(&start, writer->value_count);
    buffer_append(&start, buffer_text(&writer->values), writer->values.length);
    buffer_append(&start, buffer_text(&writer->table), writer->table.length);
    while (padding(start.length) && !start.failed)
        buffer_append_char(&start, 0);
    bool ok = buffer_ok(&start, "the metadata of a GGUF file", error) &&
              file_write_all(writer->descriptor, start.data, start.length, error);
    buffer_free(&start);
    return ok;
}

bool gguf_writer_start(struct gguf_writer *writer, const char *path, struct error *error) {
    if (writer->impossible)
        return error_set(error, ERROR_UNSUPPORTED, "a tensor that a GGUF file cannot hold");
    if (!buffer_ok(&writer->values, "the metadata of a GGUF file", error) ||
        !buffer_ok(&writer->table, "the tensors of a GGUF file", error) ||
        !buffer_ok(&writer->lengths, "the tensors of a GGUF file", error))
        return false;
    if ((size_t)snprintf(writer->path, sizeof writer->path, "%s", path) >= sizeof writer->path ||
        (size_t)snprintf(writer->temporary, sizeof writer->temporary, "%s.partial", path) >=
            sizeof writer->temporary)
        return error_set(error, ERROR_INVALID, "the path %s is too long", path);
    writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (writer->descriptor < 0)
        return error_set_errno(error, ERROR_IO, "cannot write %s", writer->temporary);
    return put_start(writer, error);
}

// ---- bytes ----

static uint64_t present_length(const struct gguf_writer *writer) {
    uint64_t length;
    memcpy(&length, writer->lengths.data + writer->present * sizeof length, sizeof length);
    return length;
}

bool gguf_writer_append(
    struct gguf_writer *writer, const void *bytes, size_t length, struct error *error) {
    static const uint8_t zeros[GGUF_ALIGNMENT];
    if (writer->present == writer->tensor_count || length > present_length(writer) - writer->done)
        return error_set(error, ERROR_INTERNAL, "more bytes than the tensors of a GGUF file have");
    if (!file_write_all(writer->descriptor, bytes, length, error)) return false;
    writer->done += length;
    if (writer->done < present_length(writer)) return true;
    writer->present++;
    uint64_t gap = padding(writer->done);
    writer->done = 0;
    return file_write_all(writer->descriptor, zeros, gap, error);
}

bool gguf_writer_finish(struct gguf_writer *writer, struct error *error) {
    if (writer->present != writer->tensor_count)
        return error_set(error, ERROR_INTERNAL, "a GGUF file was not written to its end");
    if (fsync(writer->descriptor) < 0)
        return error_set_errno(error, ERROR_IO, "cannot bring %s to disk", writer->temporary);
    close(writer->descriptor);
    writer->descriptor = -1;
    if (file_rename_durable(writer->temporary, writer->path, error)) return true;
    unlink(writer->temporary);
    return false;
}
