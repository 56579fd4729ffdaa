// Quantised tensors as bitsandbytes lays them out in a safetensors file, by transformers' names:
//
// int8: X.weight I8 [out, in], X.SCB F32 [out]: the largest magnitude of each row.
// nf4:  X.weight U8 [out · in / 2, 1], X.weight.absmax U8, .nested_absmax F32, .quant_map F32 [16],
//       .nested_quant_map F32 [256], .quant_state.bitsandbytes__nf4: a JSON object in U8.
#include "base/memory.h"
#include "model/weights_internal.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>

static const struct safetensor *find_part(const struct weights *weights, const char *name,
    const char *part, const char *type, size_t elements, struct error *error) {
    char full[320];
    snprintf(full, sizeof full, "%.200s%s", name, part);
    const struct safetensor *tensor = weights_find(weights, full);
    if (tensor && !strcmp(tensor->type_name, type) && (!elements || tensor->elements == elements))
        return tensor;
    error_set(error, ERROR_INVALID,
        "the quantised tensor '%.200s' needs a tensor '%s' of type %s%s", name, full, type,
        tensor ? ", and of its size" : "");
    return NULL;
}

static bool all_finite(const struct safetensor *tensor, struct error *error) {
    const float *values = tensor->data;
    for (size_t i = 0; i < tensor->elements; i++)
        if (!isfinite(values[i]))
            return error_set(
                error, ERROR_INVALID, "the tensor '%s' holds a number that is none", tensor->name);
    return true;
}

// ---- int8 ----

static bool read_int8(const struct weights *weights, const struct safetensor *tensor, size_t rows,
    size_t columns, struct quantization *made, void **owned, struct matrix *matrix,
    struct error *error) {
    size_t length = strlen(tensor->name), suffix = strlen(".weight");
    char base[200];
    if (tensor->dimensions != 2 || tensor->shape[0] != rows || tensor->shape[1] != columns)
        return error_set(error, ERROR_INVALID,
            "the tensor '%s' has not the shape %zu × %zu that config.json calls for", tensor->name,
            rows, columns);
    if (length < suffix || length - suffix >= sizeof base)
        return error_set(
            error, ERROR_UNSUPPORTED, "the tensor '%.200s' is stored as I8", tensor->name);
    snprintf(base, sizeof base, "%.*s", (int)(length - suffix), tensor->name);
    const struct safetensor *largest = find_part(weights, base, ".SCB", "F32", rows, error);
    float *scales = largest ? memory_alloc_array(rows, sizeof *scales) : NULL;
    if (!largest || !all_finite(largest, error)) {
        memory_free(scales);
        return false;
    }
    if (!scales) return memory_error(error, "the scales of quantised weights");
    for (size_t i = 0; i < rows; i++)
        scales[i] = ((const float *)largest->data)[i] / 127.0f;
    *owned = scales;
    made->row_scales = scales;
    *matrix = matrix_of(tensor->data, DATA_INT8, rows, columns);
    matrix->quantization = made;
    return true;
}

// ---- nf4 ----

static bool read_number(
    const json_t *state, const char *name, double least, double *value, struct error *error) {
    const json_t *field = json_object_get(state, name);
    *value = json_number_value(field);
    return (json_is_number(field) && isfinite(*value) && *value >= least) ||
           error_set(error, ERROR_INVALID, "'%s' is missing or wrong", name);
}

static bool read_state(const struct safetensor *tensor, size_t rows, size_t columns, float *offset,
    struct error *error) {
    json_error_t fault;
    double block = 0, nested_block = 0, shared = 0;
    json_t *state = json_loadb(tensor->data, tensor->bytes, JSON_REJECT_DUPLICATES, &fault);
    const json_t *shape = json_object_get(state, "shape");
    const char *type = json_string_value(json_object_get(state, "quant_type"));
    bool ok = json_is_object(state) || error_set(error, ERROR_INVALID, "it is not a JSON object");
    ok = ok && ((type && !strcmp(type, "nf4")) ||
                   error_set(error, ERROR_UNSUPPORTED,
                       "'quant_type' is '%.50s'; this version reads nf4", type ? type : "absent"));
    ok = ok && read_number(state, "blocksize", 0, &block, error) &&
         read_number(state, "nested_blocksize", 0, &nested_block, error) &&
         read_number(state, "nested_offset", -INFINITY, &shared, error);
    if (ok && (block != NF4_BLOCK || nested_block != NF4_SCALE_BLOCK))
        ok = error_set(error, ERROR_UNSUPPORTED,
            "blocks of %g, scales in blocks of %g; this version reads 64 and 256", block,
            nested_block);
    if (ok && (json_integer_value(json_array_get(shape, 0)) != (json_int_t)rows ||
                  json_integer_value(json_array_get(shape, 1)) != (json_int_t)columns))
        ok = error_set(error, ERROR_INVALID, "'shape' is not %zu × %zu, as config.json calls for",
            rows, columns);
    json_decref(state);
    *offset = (float)shared;
    return ok || error_prefix(error, "the tensor '%.200s'", tensor->name);
}

static bool read_nf4(const struct weights *weights, const struct safetensor *tensor, size_t rows,
    size_t columns, struct quantization *made, struct matrix *matrix, struct error *error) {
    size_t elements = rows * columns, blocks = (elements + NF4_BLOCK - 1) / NF4_BLOCK;
    size_t scale_blocks = (blocks + NF4_SCALE_BLOCK - 1) / NF4_SCALE_BLOCK;
    const char *name = tensor->name;
    if (elements % 2 || tensor->bytes != elements / 2)
        return error_set(error, ERROR_INVALID,
            "the tensor '%.200s' has not the %zu bytes of %zu × %zu elements in nf4", name,
            elements / 2, rows, columns);
    const struct safetensor *state =
        find_part(weights, name, ".quant_state.bitsandbytes__nf4", "U8", 0, error);
    if (!state || !read_state(state, rows, columns, &made->scale_offset, error)) return false;
    const struct safetensor *levels =
        find_part(weights, name, ".quant_map", "F32", NF4_LEVELS, error);
    const struct safetensor *codes = find_part(weights, name, ".absmax", "U8", blocks, error);
    const struct safetensor *scales =
        find_part(weights, name, ".nested_absmax", "F32", scale_blocks, error);
    const struct safetensor *scale_levels =
        find_part(weights, name, ".nested_quant_map", "F32", NF4_SCALE_LEVELS, error);
    if (!levels || !codes || !scales || !scale_levels || !all_finite(levels, error) ||
        !all_finite(scales, error) || !all_finite(scale_levels, error))
        return false;
    memcpy(made->levels, levels->data, sizeof made->levels);
    made->scale_codes = codes->data;
    made->scale_scales = scales->data;
    made->scale_levels = scale_levels->data;
    *matrix = matrix_of(tensor->data, DATA_NF4, rows, columns);
    matrix->quantization = made;
    return true;
}

bool weights_quantized(const struct weights *weights, const struct safetensor *tensor, size_t rows,
    size_t columns, struct quantization *made, void **owned, struct matrix *matrix,
    struct error *error) {
    *owned = NULL;
    if (!strcmp(tensor->type_name, "I8"))
        return read_int8(weights, tensor, rows, columns, made, owned, matrix, error);
    return read_nf4(weights, tensor, rows, columns, made, matrix, error);
}
