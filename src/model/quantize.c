#include "model/quantize.h"
#include "base/file.h"
#include "base/memory.h"
#include "compute/quantized.h"
#include "model/lora.h"
#include "model/safetensors_writer.h"
#include "model/weights.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_ENTRIES_EACH = 6,
    NAME_SIZE = 320,
    STATE_SIZE = 256,
    MAX_CONFIG = 1 << 20,
    MAX_WORKERS = 256
};

struct quantizer {
    struct weights *weights;
    enum data_type type;
    struct thread_pool *pool;
    struct safetensors_writer *writer;
    quantize_progress progress;
    void *context;
    uint64_t done, total;
    struct safetensors_entry *entries;
    size_t entry_count;
    const struct safetensor **order; // linear layers first, then by the size of an element
    size_t count;
    // of the present matrix
    const struct safetensor *tensor;
    struct matrix matrix;
    uint8_t *codes;
    float *scales;            // [blocks], or [rows]
    bool finite[MAX_WORKERS]; // one for each thread, so that none waits
};

// ---- which tensors, in which order ----

static bool is_linear(const char *name) {
    char expected[64];
    size_t length = strlen(name);
    if (strncmp(name, "model.layers.", 13)) return false;
    for (int module = 0; module < LORA_MODULES; module++) {
        int size = snprintf(expected, sizeof expected, ".%s.%s.weight", lora_module_parents[module],
            lora_module_names[module]);
        if (length > (size_t)size && !strcmp(name + length - size, expected)) return true;
    }
    return false;
}

static size_t element_size(const struct safetensor *tensor) {
    return tensor->elements ? tensor->bytes / tensor->elements : 0;
}

// Every group of a quantised matrix is a multiple of 4 bytes long, so what follows stays aligned.
static int compare_order(const void *a, const void *b) {
    const struct safetensor *first = *(const struct safetensor *const *)a;
    const struct safetensor *second = *(const struct safetensor *const *)b;
    bool linear = is_linear(first->name), other = is_linear(second->name);
    if (linear != other) return linear ? -1 : 1;
    if (!linear && element_size(first) != element_size(second))
        return element_size(first) > element_size(second) ? -1 : 1;
    return strcmp(first->name, second->name);
}

static bool check_tensor(
    const struct quantizer *q, const struct safetensor *tensor, struct error *error) {
    if (!is_linear(tensor->name)) return true;
    if (tensor->type == DATA_TYPES)
        return error_set(error, ERROR_UNSUPPORTED,
            "the tensor '%.200s' is stored as %s; a model is quantised from f32, f16 or bf16",
            tensor->name, tensor->type_name);
    if (tensor->dimensions != 2 || tensor->elements % (q->type == DATA_NF4 ? 2 * NF4_BLOCK : 4))
        return error_set(error, ERROR_UNSUPPORTED,
            "the tensor '%.200s' has a size that cannot be quantised to %s", tensor->name,
            data_type_table[q->type].name);
    return true;
}

static bool find_order(struct quantizer *q, struct error *error) {
    q->count = weights_count(q->weights);
    q->order = memory_alloc_array(q->count, sizeof *q->order);
    q->entries = memory_alloc_zeroed(q->count * MAX_ENTRIES_EACH, sizeof *q->entries);
    if (!q->order || !q->entries) return memory_error(error, "the table of tensors");
    for (size_t i = 0; i < q->count; i++) {
        q->order[i] = weights_at(q->weights, i);
        q->total += q->order[i]->bytes;
        if (!check_tensor(q, q->order[i], error)) return false;
    }
    qsort(q->order, q->count, sizeof *q->order, compare_order);
    return true;
}

// ---- the header ----

static bool add_entry(struct quantizer *q, const char *name, const char *part, const char *type,
    size_t dimensions, const size_t *shape, uint64_t bytes, struct error *error) {
    struct safetensors_entry *entry = &q->entries[q->entry_count];
    char *full = memory_format("%s%s", name, part);
    if (!full) return memory_error(error, "the names of tensors");
    *entry = (struct safetensors_entry){full, type, dimensions, {0}, bytes};
    memcpy(entry->shape, shape, dimensions * sizeof *shape);
    q->entry_count++;
    return true;
}

static size_t nf4_blocks(const struct safetensor *tensor) {
    return (tensor->elements + NF4_BLOCK - 1) / NF4_BLOCK;
}

static size_t nf4_scale_blocks(const struct safetensor *tensor) {
    return (nf4_blocks(tensor) + NF4_SCALE_BLOCK - 1) / NF4_SCALE_BLOCK;
}

// The state's text is filled up with spaces, so that the group is a multiple of 4 bytes long.
static size_t nf4_state_bytes(const struct safetensor *tensor) {
    return STATE_SIZE + (4 - (nf4_blocks(tensor) + tensor->elements / 2) % 4) % 4;
}

static bool add_nf4(struct quantizer *q, const struct safetensor *tensor, struct error *error) {
    size_t blocks = nf4_blocks(tensor), scales = nf4_scale_blocks(tensor);
    size_t levels = NF4_LEVELS, scale_levels = NF4_SCALE_LEVELS, state = nf4_state_bytes(tensor);
    size_t codes[2] = {tensor->elements / 2, 1};
    const char *name = tensor->name;
    return add_entry(q, name, ".nested_absmax", "F32", 1, &scales, scales * 4, error) &&
           add_entry(
               q, name, ".nested_quant_map", "F32", 1, &scale_levels, scale_levels * 4, error) &&
           add_entry(q, name, ".quant_map", "F32", 1, &levels, levels * 4, error) &&
           add_entry(q, name, ".absmax", "U8", 1, &blocks, blocks, error) &&
           add_entry(q, name, "", "U8", 2, codes, codes[0], error) &&
           add_entry(q, name, ".quant_state.bitsandbytes__nf4", "U8", 1, &state, state, error);
}

static bool add_int8(struct quantizer *q, const struct safetensor *tensor, struct error *error) {
    char base[NAME_SIZE];
    snprintf(
        base, sizeof base, "%.*s", (int)(strlen(tensor->name) - strlen(".weight")), tensor->name);
    return add_entry(q, base, ".SCB", "F32", 1, tensor->shape, tensor->shape[0] * 4, error) &&
           add_entry(q, tensor->name, "", "I8", 2, tensor->shape, tensor->elements, error);
}

static bool add_entries(struct quantizer *q, struct error *error) {
    for (size_t i = 0; i < q->count; i++) {
        const struct safetensor *tensor = q->order[i];
        bool ok = !is_linear(tensor->name)
                      ? add_entry(q, tensor->name, "", tensor->type_name, tensor->dimensions,
                            tensor->shape, tensor->bytes, error)
                  : q->type == DATA_NF4 ? add_nf4(q, tensor, error)
                                        : add_int8(q, tensor, error);
        if (!ok) return false;
    }
    return true;
}

// ---- quantising ----

// Elements `first` … of the matrix, counted through its rows.
static void read_elements(const struct matrix *matrix, size_t first, size_t count, float *values) {
    while (count) {
        size_t row = first / matrix->columns, column = first % matrix->columns;
        size_t size = matrix->columns - column < count ? matrix->columns - column : count;
        matrix_read(matrix, row, column, size, values);
        first += size;
        count -= size;
        values += size;
    }
}

enum { NF4_TASK = NF4_BLOCK * NF4_SCALE_BLOCK };

static void nf4_task(void *context, size_t task, int worker) {
    struct quantizer *q = context;
    float values[NF4_TASK];
    size_t first = task * NF4_TASK, left = q->tensor->elements - first;
    size_t count = left < NF4_TASK ? left : NF4_TASK;
    read_elements(&q->matrix, first, count, values);
    for (size_t i = 0; i < count; i += NF4_BLOCK) {
        float *scale = &q->scales[(first + i) / NF4_BLOCK];
        size_t size = count - i < NF4_BLOCK ? count - i : NF4_BLOCK;
        nf4_quantize_block(values + i, size, q->codes + (first + i) / 2, scale);
        if (!isfinite(*scale)) q->finite[worker % MAX_WORKERS] = false;
    }
}

static void int8_task(void *context, size_t task, int worker) {
    struct quantizer *q = context;
    int8_quantize_row(
        &q->matrix, task, (int8_t *)q->codes + task * q->matrix.columns, &q->scales[task]);
    if (!isfinite(q->scales[task])) q->finite[worker % MAX_WORKERS] = false;
}

static bool write_nf4(struct quantizer *q, struct error *error) {
    size_t blocks = nf4_blocks(q->tensor), scale_blocks = nf4_scale_blocks(q->tensor);
    float levels[NF4_SCALE_LEVELS], offset;
    char state[STATE_SIZE + 4];
    uint8_t *scale_codes = memory_alloc(blocks);
    float *scale_scales = memory_alloc_array(scale_blocks, sizeof *scale_scales);
    bool ok = (scale_codes && scale_scales) || memory_error(error, "quantised scales");
    if (ok) {
        quantized_scale_levels(levels);
        nf4_quantize_scales(q->scales, blocks, levels, scale_codes, scale_scales, &offset);
        memset(state, ' ', sizeof state);
        int length = snprintf(state, sizeof state,
            "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", "
            "\"shape\": [%zu, %zu], \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", "
            "\"nested_offset\": %.9g}",
            q->matrix.rows, q->matrix.columns, (double)offset);
        state[length] = ' ';
        ok = safetensors_writer_append(q->writer, scale_scales, scale_blocks * 4, error) &&
             safetensors_writer_append(q->writer, levels, sizeof levels, error) &&
             safetensors_writer_append(q->writer, nf4_levels, sizeof nf4_levels, error) &&
             safetensors_writer_append(q->writer, scale_codes, blocks, error) &&
             safetensors_writer_append(q->writer, q->codes, q->tensor->elements / 2, error) &&
             safetensors_writer_append(q->writer, state, nf4_state_bytes(q->tensor), error);
    }
    memory_free(scale_codes);
    memory_free(scale_scales);
    return ok;
}

static bool write_int8(struct quantizer *q, struct error *error) {
    return safetensors_writer_append(q->writer, q->scales, q->matrix.rows * 4, error) &&
           safetensors_writer_append(q->writer, q->codes, q->tensor->elements, error);
}

static bool all_finite(const struct quantizer *q, struct error *error) {
    for (size_t i = 0; i < MAX_WORKERS; i++)
        if (!q->finite[i])
            return error_set(error, ERROR_INVALID,
                "the tensor '%.200s' holds a number that is none, or infinite", q->tensor->name);
    return true;
}

static bool quantize_matrix(struct quantizer *q, struct error *error) {
    const struct safetensor *tensor = q->tensor;
    bool four = q->type == DATA_NF4;
    size_t rows = tensor->shape[0], columns = tensor->shape[1];
    q->matrix = matrix_of(tensor->data, tensor->type, rows, columns);
    q->codes = memory_alloc(four ? tensor->elements / 2 : tensor->elements);
    q->scales = memory_alloc_array(four ? nf4_blocks(tensor) : rows, sizeof *q->scales);
    bool ok = (q->codes && q->scales) || memory_error(error, "a quantised matrix");
    if (ok) {
        memset(q->finite, true, sizeof q->finite);
        if (four)
            thread_pool_run(q->pool, (tensor->elements + NF4_TASK - 1) / NF4_TASK, nf4_task, q);
        else
            thread_pool_run(q->pool, rows, int8_task, q);
        ok = all_finite(q, error) && (four ? write_nf4(q, error) : write_int8(q, error));
    }
    memory_free(q->codes);
    memory_free(q->scales);
    return ok;
}

static bool write_all(struct quantizer *q, struct error *error) {
    for (size_t i = 0; i < q->count; i++) {
        q->tensor = q->order[i];
        bool ok = is_linear(q->tensor->name) ? quantize_matrix(q, error)
                                             : safetensors_writer_append(q->writer, q->tensor->data,
                                                   q->tensor->bytes, error);
        if (!ok) return false;
        q->done += q->tensor->bytes;
        if (q->progress) q->progress(q->context, q->done, q->total);
    }
    return true;
}

// ---- config.json ----

static json_t *quantization_config(enum data_type type) {
    if (type == DATA_INT8)
        return json_pack("{s:s, s:b, s:b, s:f, s:[s]}", "quant_method", "bitsandbytes",
            "load_in_8bit", 1, "load_in_4bit", 0, "llm_int8_threshold", 0.0,
            "llm_int8_skip_modules", "lm_head");
    return json_pack("{s:s, s:b, s:b, s:s, s:b, s:s, s:s, s:[s]}", "quant_method", "bitsandbytes",
        "load_in_8bit", 0, "load_in_4bit", 1, "bnb_4bit_quant_type", "nf4",
        "bnb_4bit_use_double_quant", 1, "bnb_4bit_compute_dtype", "bfloat16",
        "bnb_4bit_quant_storage", "uint8", "llm_int8_skip_modules", "lm_head");
}

static bool write_config(
    const char *source, const char *target, enum data_type type, struct error *error) {
    char from[FILE_PATH_SIZE], to[FILE_PATH_SIZE], *text;
    size_t length;
    if (!file_path(from, sizeof from, error, source, "config.json") ||
        !file_path(to, sizeof to, error, target, "config.json") ||
        !file_read(from, MAX_CONFIG, &text, &length, error))
        return false;
    json_t *config = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    memory_free(text);
    if (!json_is_object(config) ||
        json_object_set_new(config, "quantization_config", quantization_config(type))) {
        json_decref(config);
        return error_set(error, ERROR_INVALID, "%s is not a JSON object", from);
    }
    text = json_dumps(config, JSON_INDENT(2));
    json_decref(config);
    bool ok = text ? file_write_atomic(to, text, strlen(text), error)
                   : memory_error(error, "config.json");
    free(text);
    return ok;
}

// ---- the whole ----

static bool quantizer_open(
    struct quantizer *q, const char *source, enum data_type type, struct error *error) {
    memset(q, 0, sizeof *q);
    q->type = type;
    return weights_open(&q->weights, source, error) && find_order(q, error) &&
           add_entries(q, error);
}

static void quantizer_close(struct quantizer *q) {
    for (size_t i = 0; i < q->entry_count; i++)
        memory_free((char *)q->entries[i].name);
    memory_free(q->entries);
    memory_free(q->order);
    weights_close(q->weights);
}

bool quantize_bytes(const char *source, enum data_type type, uint64_t *bytes, struct error *error) {
    struct quantizer q;
    bool ok = quantizer_open(&q, source, type, error);
    *bytes = 0;
    for (size_t i = 0; ok && i < q.entry_count; i++)
        *bytes += q.entries[i].bytes;
    quantizer_close(&q);
    return ok;
}

bool quantize_model(const char *source, const char *target, enum data_type type,
    struct thread_pool *pool, quantize_progress progress, void *context, struct error *error) {
    char path[FILE_PATH_SIZE];
    struct quantizer q;
    bool ok = quantizer_open(&q, source, type, error) &&
              file_path(path, sizeof path, error, target, "model.safetensors") &&
              safetensors_writer_open(&q.writer, path, q.entries, q.entry_count, error);
    q.pool = pool;
    q.progress = progress;
    q.context = context;
    if (ok && !write_all(&q, error)) {
        safetensors_writer_abandon(q.writer);
        ok = false;
    } else if (ok)
        ok = safetensors_writer_finish(q.writer, error);
    quantizer_close(&q);
    return ok && write_config(source, target, type, error);
}
