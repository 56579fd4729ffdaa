// Models of random weights, for benches: what matters is how long products take, not what they
// give. All that there is of them lies in one block.
#include "base/memory.h"
#include "base/random.h"
#include "compute/quantized.h"
#include "model/transformer_internal.h"
#include "model/transformer_training.h"

static const float largest = 0.02f; // of the weights' magnitudes

// Deals out the block; without one (`base` NULL) it only counts.
struct dealer {
    uint8_t *base;
    size_t used;
};

static void *deal(struct dealer *dealer, size_t bytes) {
    void *at = dealer->base ? dealer->base + dealer->used : NULL;
    dealer->used += (bytes + 63) / 64 * 64;
    return at;
}

// Small numbers from a short cycle.
static void fill_plain(void *data, enum data_type type, size_t count) {
    enum { CYCLE = 4093 };
    float values[CYCLE];
    const struct data_type_traits *traits = &data_type_table[type];
    for (size_t i = 0; i < CYCLE; i++)
        values[i] = 2 * largest * ((float)random_uniform(1, 1, i) - 0.5f);
    for (size_t at = 0; at < count; at += CYCLE)
        traits->from_f32(
            (uint8_t *)data + at * traits->size, values, count - at < CYCLE ? count - at : CYCLE);
}

static void fill_codes(uint8_t *codes, size_t count) {
    for (size_t i = 0; i < count; i++)
        codes[i] = (uint8_t)(i * 2654435761u >> 11);
}

static struct matrix plain_matrix(
    struct dealer *dealer, enum data_type type, size_t rows, size_t columns) {
    void *data = deal(dealer, rows * columns * data_type_table[type].size);
    if (data) fill_plain(data, type, rows * columns);
    return matrix_of(data, type, rows, columns);
}

static struct matrix int8_matrix(struct dealer *dealer, size_t rows, size_t columns) {
    uint8_t *codes = deal(dealer, rows * columns);
    float *scales = deal(dealer, rows * sizeof *scales);
    struct quantization *quantization = deal(dealer, sizeof *quantization);
    struct matrix matrix = matrix_of(codes, DATA_INT8, rows, columns);
    if (!codes) return matrix;
    fill_codes(codes, rows * columns);
    for (size_t i = 0; i < rows; i++)
        scales[i] = largest / 127.0f;
    *quantization = (struct quantization){.row_scales = scales};
    matrix.quantization = quantization;
    return matrix;
}

static struct matrix nf4_matrix(struct dealer *dealer, size_t rows, size_t columns) {
    size_t blocks = (rows * columns + NF4_BLOCK - 1) / NF4_BLOCK;
    size_t scale_blocks = (blocks + NF4_SCALE_BLOCK - 1) / NF4_SCALE_BLOCK;
    uint8_t *codes = deal(dealer, (rows * columns + 1) / 2);
    uint8_t *scale_codes = deal(dealer, blocks);
    float *scale_scales = deal(dealer, scale_blocks * sizeof *scale_scales);
    float *scale_levels = deal(dealer, NF4_SCALE_LEVELS * sizeof *scale_levels);
    struct quantization *quantization = deal(dealer, sizeof *quantization);
    struct matrix matrix = matrix_of(codes, DATA_NF4, rows, columns);
    if (!codes) return matrix;
    fill_codes(codes, (rows * columns + 1) / 2);
    fill_codes(scale_codes, blocks);
    for (size_t i = 0; i < scale_blocks; i++)
        scale_scales[i] = largest / 8;
    quantized_scale_levels(scale_levels);
    *quantization = (struct quantization){.scale_codes = scale_codes,
        .scale_scales = scale_scales,
        .scale_levels = scale_levels,
        .scale_offset = largest};
    memcpy(quantization->levels, nf4_levels, sizeof quantization->levels);
    matrix.quantization = quantization;
    return matrix;
}

static struct matrix linear_matrix(
    struct dealer *dealer, enum data_type type, size_t rows, size_t columns) {
    return type == DATA_INT8  ? int8_matrix(dealer, rows, columns)
           : type == DATA_NF4 ? nf4_matrix(dealer, rows, columns)
                              : plain_matrix(dealer, type, rows, columns);
}

static size_t largest_vector(const struct model_config *c) {
    size_t query = query_columns(c); // no less than a head, and than kv_columns
    return c->hidden_size > query ? c->hidden_size : query;
}

static void place_layer(
    struct transformer *t, size_t index, enum data_type type, struct dealer *dealer) {
    const struct model_config *c = &t->config;
    struct transformer_layer *layer = &t->layers[index];
    const float *bias = t->vectors, *norm = bias + largest_vector(c);
    layer->input_norm = layer->attention_norm = norm;
    if (c->query_key_norm) layer->query_norm = layer->key_norm = norm;
    for (int module = 0; module < LORA_MODULES; module++) {
        size_t in, out;
        lora_module_shape(c, module, &in, &out);
        layer->weights[module] = linear_matrix(dealer, type, out, in);
        if (has_bias(c, module)) layer->biases[module] = bias;
    }
}

// As quantised models have it, embedding and output layer are in bf16 where the rest is in fewer
// bits. Returns the bytes of all.
static size_t place(struct transformer *t, enum data_type type, uint8_t *block) {
    const struct model_config *c = &t->config;
    struct dealer dealer = {block, 0};
    enum data_type ends = data_type_table[type].size ? type : DATA_BF16;
    t->embedding = plain_matrix(&dealer, ends, c->vocabulary_size, c->hidden_size);
    t->output = t->embedding;
    if (!c->tied_embeddings)
        t->output = plain_matrix(&dealer, ends, c->vocabulary_size, c->hidden_size);
    t->final_norm = t->vectors + largest_vector(c);
    for (size_t i = 0; i < c->layers; i++)
        place_layer(t, i, type, &dealer);
    return dealer.used;
}

bool transformer_random(struct transformer **transformer, const struct model_config *config,
    enum data_type type, struct error *error) {
    struct transformer *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "a model");
    new->config = *config;
    new->layers = memory_alloc_zeroed(config->layers, sizeof *new->layers);
    new->vectors = memory_alloc_zeroed(2 * largest_vector(config), sizeof *new->vectors);
    if (new->layers &&new->vectors) {
        new->random_bytes = place(new, type, NULL);
        new->random = memory_alloc_aligned(new->random_bytes, 1);
    }
    if (!new->random) {
        transformer_close(new);
        return memory_error(error, "a model of random weights");
    }
    for (size_t i = 0; i < largest_vector(config); i++)
        new->vectors[largest_vector(config) + i] = 1.0f;
    place(new, type, new->random);
    *transformer = new;
    return true;
}
