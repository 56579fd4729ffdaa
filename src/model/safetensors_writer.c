#include "model/safetensors_writer.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_HEADER = 100 << 20, PENDING = 1 << 20 };

struct safetensors_writer {
    char path[FILE_PATH_SIZE];
    char temporary[FILE_PATH_SIZE];
    int descriptor;
    uint64_t left; // bytes that the header promised and nobody wrote yet
    size_t pending;
    uint8_t *buffer; // [PENDING]: small pieces, gathered
};

// ---- header ----

static void append_entry(
    struct buffer *header, const struct safetensors_entry *entry, uint64_t *offset) {
    buffer_append_format(header, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", entry->name, entry->type);
    for (size_t i = 0; i < entry->dimensions; i++)
        buffer_append_format(header, i ? ",%zu" : "%zu", entry->shape[i]);
    buffer_append_format(header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)*offset,
        (unsigned long long)(*offset + entry->bytes));
    *offset += entry->bytes;
}

static bool write_header(struct safetensors_writer *writer, const struct safetensors_entry *entries,
    size_t count, struct error *error) {
    struct buffer header;
    buffer_init(&header, MAX_HEADER);
    buffer_append_text(&header, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < count; i++)
        append_entry(&header, &entries[i], &writer->left);
    buffer_append_char(&header, '}');
    while (header.length % 8 && !header.failed)
        buffer_append_char(&header, ' ');
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)header.length >> 8 * i);
    bool ok = buffer_ok(&header, "the header of a safetensors file", error) &&
              file_write_all(writer->descriptor, length, sizeof length, error) &&
              file_write_all(writer->descriptor, header.data, header.length, error);
    buffer_free(&header);
    return ok;
}

// ---- writing in pieces ----

static bool start_file(struct safetensors_writer *writer, const char *path, struct error *error) {
    writer->descriptor = -1;
    if ((size_t)snprintf(writer->path, sizeof writer->path, "%s", path) >= sizeof writer->path ||
        (size_t)snprintf(writer->temporary, sizeof writer->temporary, "%s.partial", path) >=
            sizeof writer->temporary)
        return error_set(error, ERROR_INVALID, "the path %s is too long", path);
    if (!(writer->buffer = memory_alloc(PENDING))) return memory_error(error, "writing a file");
    writer->descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return writer->descriptor >= 0 ||
           error_set_errno(error, ERROR_IO, "cannot write %s", writer->temporary);
}

bool safetensors_writer_open(struct safetensors_writer **writer, const char *path,
    const struct safetensors_entry *entries, size_t count, struct error *error) {
    struct safetensors_writer *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "writing a file");
    if (!start_file(new, path, error) || !write_header(new, entries, count, error)) {
        safetensors_writer_abandon(new);
        return error_prefix(error, "%s", path);
    }
    *writer = new;
    return true;
}

static bool flush(struct safetensors_writer *writer, struct error *error) {
    bool ok = file_write_all(writer->descriptor, writer->buffer, writer->pending, error);
    writer->pending = 0;
    return ok || error_prefix(error, "%s", writer->path);
}

bool safetensors_writer_append(
    struct safetensors_writer *writer, const void *bytes, size_t length, struct error *error) {
    if (length > writer->left)
        return error_set(
            error, ERROR_INTERNAL, "more bytes than the header of %s tells", writer->path);
    writer->left -= length;
    if (writer->pending + length > PENDING && !flush(writer, error)) return false;
    if (length > PENDING)
        return file_write_all(writer->descriptor, bytes, length, error) ||
               error_prefix(error, "%s", writer->path);
    memcpy(writer->buffer + writer->pending, bytes, length);
    writer->pending += length;
    return true;
}

static void writer_free(struct safetensors_writer *writer) {
    if (writer->descriptor >= 0) close(writer->descriptor);
    memory_free(writer->buffer);
    memory_free(writer);
}

void safetensors_writer_abandon(struct safetensors_writer *writer) {
    if (!writer) return;
    if (writer->descriptor >= 0) unlink(writer->temporary);
    writer_free(writer);
}

bool safetensors_writer_finish(struct safetensors_writer *writer, struct error *error) {
    bool ok = writer->left == 0 || error_set(error, ERROR_INTERNAL,
                                       "fewer bytes than the header of %s tells", writer->path);
    ok = ok && flush(writer, error);
    if (ok && fsync(writer->descriptor) < 0)
        ok = error_set_errno(error, ERROR_IO, "cannot bring %s to disk", writer->path);
    if (ok && file_rename_durable(writer->temporary, writer->path, error)) {
        writer_free(writer);
        return true;
    }
    safetensors_writer_abandon(writer);
    return false;
}

// ---- whole tensors ----

static size_t source_elements(const struct safetensor_source *source) {
    size_t elements = 1;
    for (size_t i = 0; i < source->dimensions; i++)
        elements *= source->shape[i];
    return elements;
}

static bool write_values(struct safetensors_writer *writer, const struct safetensor_source *source,
    struct error *error) {
    enum { BLOCK = 1 << 14 };
    float block[BLOCK];
    const struct data_type_traits *traits = &data_type_table[source->type];
    size_t elements = source_elements(source);
    for (size_t at = 0; at < elements; at += BLOCK) {
        size_t count = elements - at < BLOCK ? elements - at : BLOCK;
        traits->from_f32(block, source->values + at, count);
        if (!safetensors_writer_append(writer, block, count * traits->size, error)) return false;
    }
    return true;
}

static struct safetensors_entry *source_entries(
    const struct safetensor_source *sources, size_t count) {
    struct safetensors_entry *entries = memory_alloc_array(count, sizeof *entries);
    for (size_t i = 0; entries && i < count; i++) {
        const struct data_type_traits *traits = &data_type_table[sources[i].type];
        entries[i] = (struct safetensors_entry){.name = sources[i].name,
            .type = traits->safetensors_name,
            .dimensions = sources[i].dimensions,
            .bytes = source_elements(&sources[i]) * traits->size};
        memcpy(entries[i].shape, sources[i].shape, sizeof entries[i].shape);
    }
    return entries;
}

bool safetensors_write(
    const char *path, const struct safetensor_source *sources, size_t count, struct error *error) {
    struct safetensors_writer *writer;
    struct safetensors_entry *entries = source_entries(sources, count);
    if (!entries) return memory_error(error, "the header of a safetensors file");
    bool ok = safetensors_writer_open(&writer, path, entries, count, error);
    memory_free(entries);
    if (!ok) return false;
    for (size_t i = 0; i < count && ok; i++)
        ok = write_values(writer, &sources[i], error);
    if (ok) return safetensors_writer_finish(writer, error);
    safetensors_writer_abandon(writer);
    return false;
}
