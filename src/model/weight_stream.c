#include "model/weight_stream.h"
#include "base/memory.h"
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RANGES = 32 };

struct range {
    uintptr_t first, end; // whole pages
};

struct layer_ranges {
    size_t count;
    struct range ranges[RANGES];
    bool present; // was read, and not let go since
};

struct weight_stream {
    size_t layers;
    struct layer_ranges *of_layer;
    pthread_t thread;
    bool started, ending;
    bool asked; // `wanted` is to be read, or being read
    size_t wanted;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

// ---- reading and letting go ----

// A page that two tensors share may be let go with one and read again with the other: that costs a
// page.
static void read_range(const struct range *range) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
#ifdef MADV_POPULATE_READ
    if (!madvise((void *)range->first, range->end - range->first, MADV_POPULATE_READ)) return;
#endif
    madvise((void *)range->first, range->end - range->first, MADV_WILLNEED);
    for (uintptr_t at = range->first; at < range->end; at += page)
        (void)*(const volatile uint8_t *)at;
}

void weight_stream_read(const void *bytes, size_t length) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)bytes & ~(page - 1);
    struct range range = {first, ((uintptr_t)bytes + length + page - 1) & ~(page - 1)};
    if (length) read_range(&range);
}

static void read_layer(const struct layer_ranges *layer) {
    for (size_t i = 0; i < layer->count; i++)
        read_range(&layer->ranges[i]);
}

static void let_go(struct layer_ranges *layer) {
    for (size_t i = 0; i < layer->count; i++)
        madvise((void *)layer->ranges[i].first, layer->ranges[i].end - layer->ranges[i].first,
            MADV_DONTNEED);
    layer->present = false;
}

static void *run(void *context) {
    struct weight_stream *stream = context;
    pthread_mutex_lock(&stream->lock);
    while (!stream->ending) {
        if (!stream->asked) {
            pthread_cond_wait(&stream->changed, &stream->lock);
            continue;
        }
        struct layer_ranges *layer = &stream->of_layer[stream->wanted];
        pthread_mutex_unlock(&stream->lock);
        read_layer(layer);
        pthread_mutex_lock(&stream->lock);
        layer->present = true;
        stream->asked = false;
        pthread_cond_broadcast(&stream->changed);
    }
    pthread_mutex_unlock(&stream->lock);
    return NULL;
}

// ---- the stream ----

bool weight_stream_create(struct weight_stream **stream, size_t layers, struct error *error) {
    struct weight_stream *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "reading weights ahead");
    pthread_mutex_init(&new->lock, NULL);
    pthread_cond_init(&new->changed, NULL);
    new->layers = layers;
    new->of_layer = memory_alloc_zeroed(layers, sizeof *new->of_layer);
    if (!new->of_layer) {
        weight_stream_free(new);
        return memory_error(error, "reading weights ahead");
    }
    if (pthread_create(&new->thread, NULL, run, new)) {
        weight_stream_free(new);
        return error_set(error, ERROR_MEMORY, "cannot start the thread that reads weights");
    }
    new->started = true;
    *stream = new;
    return true;
}

void weight_stream_free(struct weight_stream *stream) {
    if (!stream) return;
    pthread_mutex_lock(&stream->lock);
    stream->ending = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
    if (stream->started) pthread_join(stream->thread, NULL);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->lock);
    memory_free(stream->of_layer);
    memory_free(stream);
}

static bool add_range(
    struct layer_ranges *layer, const void *data, size_t bytes, struct error *error) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)data;
    if (layer->count == RANGES)
        return error_set(error, ERROR_INTERNAL, "a layer of more than %d tensors", RANGES);
    layer->ranges[layer->count++] =
        (struct range){first / page * page, (first + bytes + page - 1) / page * page};
    return true;
}

bool weight_stream_add(
    struct weight_stream *stream, size_t layer, const struct matrix *matrix, struct error *error) {
    struct layer_ranges *ranges = &stream->of_layer[layer];
    size_t elements = matrix->rows * matrix->columns;
    if (!add_range(ranges, matrix->data, data_type_bytes(matrix->type, elements), error))
        return false;
    return matrix->type != DATA_NF4 ||
           add_range(ranges, matrix->quantization->scale_codes, elements / NF4_BLOCK, error);
}

void weight_stream_enter(struct weight_stream *stream, size_t layer, size_t next) {
    if (!stream) return;
    pthread_mutex_lock(&stream->lock);
    while (stream->asked)
        pthread_cond_wait(&stream->changed, &stream->lock);
    for (size_t i = 0; i < stream->layers; i++)
        if (i != layer && i != next && stream->of_layer[i].present) let_go(&stream->of_layer[i]);
    stream->of_layer[layer].present = true;
    if (next < stream->layers && next != layer && !stream->of_layer[next].present) {
        stream->wanted = next;
        stream->asked = true;
        pthread_cond_broadcast(&stream->changed);
    }
    pthread_mutex_unlock(&stream->lock);
}
