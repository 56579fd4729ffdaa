// Forward keeps, for each layer, what its gradient needs and cannot cheaply be had again: the
// residual stream before and after attention, rotated queries and keys, values, attention's output,
// gate and up. Norms and the product of SwiGLU are computed once more in the backward pass.
//
// Where memory is short, the first layers keep no more than what they were given, and run forward
// again when the backward pass gets to them (Chen et al. 2016). The arithmetic is the same, and so
// is every bit of the result.
#include "model/transformer_training.h"
#include "base/memory.h"
#include "model/transformer_internal.h"
#include <math.h>

enum { LOGIT_FLOATS = 14 << 20 }; // of a chunk of logits: 56 MB, whatever the vocabulary

struct layer_activations {
    float *x; // [rows, hidden]: what the layer was given
    float *query, *key, *value, *attention, *log_sum_exp;
    // Where heads are normalised: queries and keys before it.
    float *raw_query, *raw_key, *query_inverse_rms, *key_inverse_rms;
    float *middle; // [rows, hidden]: the residual stream after attention
    float *gate, *up;
    float *input_inverse_rms, *attention_inverse_rms;
    float *low[LORA_MODULES]; // [rows, rank]: x·Aᵀ
};

struct training {
    const struct transformer *transformer;
    const struct model_config *config;
    struct compute *compute;
    const struct lora *lora;
    size_t max_rows;
    size_t recomputed; // layers 0 … recomputed - 1 share one set of activations, but for x
    float *block;      // all floats below
    struct layer_activations *layers;
    float *last; // what the last layer gives
    float *norm, *activation, *dx, *dnorm, *dquery, *dkey, *dvalue, *dattention, *dgate, *dup,
        *dlow, *dropped;
    float *gathered, *dgathered, *final_inverse_rms;
    float *logits, *losses, *hits, *weights; // of a chunk of targets
    size_t logit_rows;
    int32_t *target_tokens, *positions;
    float *path[4]; // keys, values and their gradients, of a node and its ancestors
    struct attention_span *spans;
    struct rope_table rope;
    // of the present batch
    const struct training_batch *batch;
    bool branches;   // it is a tree
    bool evaluating; // without gradients, and without dropout
    float *gradients;
};

// ---- memory ----

// Deals out one block: with `base` NULL it only counts.
struct dealer {
    float *base;
    size_t used;
};

static float *deal(struct dealer *dealer, size_t floats) {
    float *at = dealer->base ? dealer->base + dealer->used : NULL;
    dealer->used += (floats + 15) / 16 * 16;
    return at;
}

// All but x.
static void deal_layer(struct layer_activations *a, const struct model_config *c,
    const struct lora *lora, size_t rows, struct dealer *dealer) {
    a->query = deal(dealer, rows * query_columns(c));
    a->key = deal(dealer, rows * kv_columns(c));
    a->value = deal(dealer, rows * kv_columns(c));
    size_t normed = c->query_key_norm ? rows : 0;
    a->raw_query = deal(dealer, normed * query_columns(c));
    a->raw_key = deal(dealer, normed * kv_columns(c));
    a->query_inverse_rms = deal(dealer, normed * c->heads);
    a->key_inverse_rms = deal(dealer, normed * c->kv_heads);
    a->attention = deal(dealer, rows * query_columns(c));
    a->log_sum_exp = deal(dealer, rows * c->heads);
    a->middle = deal(dealer, rows * c->hidden_size);
    a->gate = deal(dealer, rows * c->intermediate_size);
    a->up = deal(dealer, rows * c->intermediate_size);
    a->input_inverse_rms = deal(dealer, rows);
    a->attention_inverse_rms = deal(dealer, rows);
    for (int module = 0; module < LORA_MODULES; module++)
        a->low[module] =
            lora && lora->modules >> module & 1 ? deal(dealer, rows * lora->rank) : NULL;
}

static size_t logit_rows(const struct model_config *c, size_t max_rows) {
    size_t rows = LOGIT_FLOATS / c->vocabulary_size;
    return rows < 1 ? 1 : rows > max_rows ? max_rows : rows;
}

// Columns of what the widest linear layer is given.
static size_t widest_input(const struct model_config *c) {
    size_t widest = c->hidden_size > c->intermediate_size ? c->hidden_size : c->intermediate_size;
    return widest > query_columns(c) ? widest : query_columns(c);
}

static void deal_shared(struct training *t, const struct model_config *c, const struct lora *lora,
    size_t rows, struct dealer *dealer) {
    t->last = deal(dealer, rows * c->hidden_size);
    t->norm = deal(dealer, rows * c->hidden_size);
    t->dx = deal(dealer, rows * c->hidden_size);
    t->dnorm = deal(dealer, rows * c->hidden_size);
    t->activation = deal(dealer, rows * c->intermediate_size);
    t->dgate = deal(dealer, rows * c->intermediate_size);
    t->dup = deal(dealer, rows * c->intermediate_size);
    t->dquery = deal(dealer, rows * query_columns(c));
    t->dattention = deal(dealer, rows * query_columns(c));
    t->dkey = deal(dealer, rows * kv_columns(c));
    t->dvalue = deal(dealer, rows * kv_columns(c));
    t->dlow = deal(dealer, lora ? rows * lora->rank : 0);
    t->dropped = deal(dealer, lora && lora->dropout > 0 ? rows * widest_input(c) : 0);
    t->logit_rows = logit_rows(c, rows);
    t->logits = deal(dealer, t->logit_rows * c->vocabulary_size);
    t->gathered = deal(dealer, t->logit_rows * c->hidden_size);
    t->dgathered = deal(dealer, t->logit_rows * c->hidden_size);
    t->final_inverse_rms = deal(dealer, t->logit_rows);
    t->losses = deal(dealer, t->logit_rows);
    t->hits = deal(dealer, t->logit_rows);
    t->weights = deal(dealer, t->logit_rows);
    for (int i = 0; i < 4; i++)
        t->path[i] = deal(dealer, rows * kv_columns(c));
}

static void deal_layers(struct training *t, const struct model_config *c, const struct lora *lora,
    size_t rows, size_t recomputed, struct dealer *dealer) {
    struct layer_activations shared = {0}, unused;
    if (recomputed) deal_layer(&shared, c, lora, rows, dealer);
    for (size_t i = 0; i < c->layers; i++) {
        struct layer_activations *a = t->layers ? &t->layers[i] : &unused;
        *a = shared;
        if (i >= recomputed) deal_layer(a, c, lora, rows, dealer);
        a->x = deal(dealer, rows * c->hidden_size);
    }
}

static uint64_t bytes_for(
    const struct model_config *config, const struct lora *lora, size_t rows, size_t recomputed) {
    struct training shared = {0};
    struct dealer dealer = {0};
    deal_shared(&shared, config, lora, rows, &dealer);
    deal_layers(&shared, config, lora, rows, recomputed, &dealer);
    return dealer.used * sizeof(float);
}

// How many layers are to be recomputed so that the rest fits.
static size_t recomputed_layers(
    const struct model_config *config, const struct lora *lora, size_t rows, uint64_t budget) {
    size_t recomputed;
    if (bytes_for(config, lora, rows, 0) <= budget) return 0;
    // One layer's share is the same for all; a single recomputed layer would save nothing.
    for (recomputed = 2; recomputed < config->layers; recomputed++)
        if (bytes_for(config, lora, rows, recomputed) <= budget) break;
    return recomputed < config->layers ? recomputed : config->layers;
}

uint64_t training_bytes(
    const struct model_config *config, const struct lora *lora, size_t max_rows, uint64_t budget) {
    return bytes_for(config, lora, max_rows, recomputed_layers(config, lora, max_rows, budget));
}

static bool allocate(struct training *t, uint64_t budget, struct error *error) {
    size_t rows = t->max_rows;
    struct dealer dealer = {0};
    t->recomputed = recomputed_layers(t->config, t->lora, rows, budget);
    uint64_t bytes = bytes_for(t->config, t->lora, rows, t->recomputed);
    t->block = dealer.base = memory_alloc_aligned(bytes / sizeof(float), sizeof(float));
    t->layers = memory_alloc_zeroed(t->config->layers, sizeof *t->layers);
    t->target_tokens = memory_alloc_array(rows, sizeof *t->target_tokens);
    t->positions = memory_alloc_array(rows, sizeof *t->positions);
    t->spans = memory_alloc_array(rows, sizeof *t->spans);
    if (!t->block || !t->layers || !t->target_tokens || !t->positions || !t->spans)
        return error_set(error, ERROR_MEMORY,
            "training %zu tokens at a time needs %llu MB for activations, which this machine "
            "cannot give; train fewer at a time",
            rows, (unsigned long long)(bytes >> 20));
    deal_shared(t, t->config, t->lora, rows, &dealer);
    deal_layers(t, t->config, t->lora, rows, t->recomputed, &dealer);
    return rope_table_reserve(&t->rope, t->config, rows, error);
}

bool training_create(struct training **training, const struct transformer *transformer,
    struct compute *compute, size_t max_rows, struct lora *lora, uint64_t budget,
    struct error *error) {
    struct training *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "training");
    *new = (struct training){.transformer = transformer,
        .config = &transformer->config,
        .compute = compute,
        .lora = lora,
        .max_rows = max_rows};
    if (!allocate(new, budget, error)) {
        training_free(new);
        return false;
    }
    *training = new;
    return true;
}

void training_free(struct training *training) {
    if (!training) return;
    memory_free(training->block);
    memory_free(training->layers);
    memory_free(training->target_tokens);
    memory_free(training->positions);
    memory_free(training->spans);
    rope_table_free(&training->rope);
    memory_free(training);
}

// ---- linear layers ----

static bool drops(const struct training *t) {
    return t->lora && t->lora->dropout > 0 && !t->evaluating;
}

static struct dropout dropout_of(const struct training *t, size_t layer, enum lora_module module) {
    return (struct dropout){
        t->batch->dropout_key, layer * LORA_MODULES + (size_t)module, t->lora->dropout};
}

// What A is given of x: x itself, or what dropout leaves of it, in t->dropped.
static const float *given_to_a(
    struct training *t, size_t layer, enum lora_module module, const float *x, size_t in) {
    if (!drops(t)) return x;
    struct dropout dropout = dropout_of(t, layer, module);
    compute_dropout(t->compute, &dropout, x, t->dropped, t->batch->rows, in, false);
    return t->dropped;
}

// `y` NULL: only x·Aᵀ, which the backward pass asks for.
static void linear_forward(struct training *t, size_t layer, enum lora_module module,
    const float *x, float *y, bool accumulate) {
    struct matrix weights = t->transformer->layers[layer].weights[module];
    size_t rows = t->batch->rows, in = weights.columns, out = weights.rows;
    struct matrix of_x = matrix_f32(x, rows, in);
    if (y) compute_gemm(t->compute, GEMM_NT, of_x, weights, y, out, 1.0f, accumulate);
    const float *bias = t->transformer->layers[layer].biases[module];
    if (y && bias) compute_add_bias(t->compute, y, bias, rows, out);
    const struct lora_entry *entry = lora_find(t->lora, layer, module);
    if (!entry) return;
    size_t rank = t->lora->rank;
    float *low = t->layers[layer].low[module];
    const float *a = t->lora->parameters + entry->a_offset;
    const float *b = t->lora->parameters + entry->b_offset;
    of_x = matrix_f32(given_to_a(t, layer, module, x, in), rows, in);
    compute_gemm(t->compute, GEMM_NT, of_x, matrix_f32(a, rank, in), low, rank, 1.0f, false);
    if (!y) return;
    compute_gemm(t->compute, GEMM_NT, matrix_f32(low, rows, rank), matrix_f32(b, out, rank), y, out,
        lora_scale(t->lora), true);
}

// y = x·Wᵀ + s·u·Bᵀ with u = x·Aᵀ, so dB = s·dyᵀ·u, du = s·dy·B, dA = duᵀ·x, dx = dy·W + du·A. With
// dropout d, a factor for each element, u = (d∘x)·Aᵀ, dA = duᵀ·(d∘x), dx = dy·W + d∘(du·A).
static void lora_backward(struct training *t, size_t layer, const struct lora_entry *entry,
    const float *x, const float *dy, float *dx) {
    size_t rows = t->batch->rows, rank = t->lora->rank;
    float scale = lora_scale(t->lora);
    const float *a = t->lora->parameters + entry->a_offset;
    const float *b = t->lora->parameters + entry->b_offset;
    const float *low = t->layers[layer].low[entry->module];
    struct matrix of_dy = matrix_f32(dy, rows, entry->out);
    struct matrix of_dlow = matrix_f32(t->dlow, rows, rank);
    compute_gemm(t->compute, GEMM_TN, of_dy, matrix_f32(low, rows, rank),
        t->gradients + entry->b_offset, rank, scale, true);
    compute_gemm(
        t->compute, GEMM_NN, of_dy, matrix_f32(b, entry->out, rank), t->dlow, rank, scale, false);
    const float *given = given_to_a(t, layer, entry->module, x, entry->in);
    compute_gemm(t->compute, GEMM_TN, of_dlow, matrix_f32(given, rows, entry->in),
        t->gradients + entry->a_offset, entry->in, 1.0f, true);
    if (!dx) return;
    bool dropping = drops(t);
    float *to = dropping ? t->dropped : dx;
    compute_gemm(t->compute, GEMM_NN, of_dlow, matrix_f32(a, rank, entry->in), to, entry->in, 1.0f,
        !dropping);
    if (!dropping) return;
    struct dropout dropout = dropout_of(t, layer, entry->module);
    compute_dropout(t->compute, &dropout, to, dx, rows, entry->in, true);
}

static float *gradient_of(
    const struct training *t, enum parameter_kind kind, size_t layer, enum lora_module module) {
    return t->gradients + parameters_offset(t->transformer->parameters, kind, layer, module);
}

// dx (NULL where nobody needs it) is overwritten, or added to with `accumulate`.
static void linear_backward(struct training *t, size_t layer, enum lora_module module,
    const float *x, const float *dy, float *dx, bool accumulate) {
    struct matrix weights = t->transformer->layers[layer].weights[module];
    size_t rows = t->batch->rows, in = weights.columns, out = weights.rows;
    struct matrix of_dy = matrix_f32(dy, rows, out);
    if (dx) compute_gemm(t->compute, GEMM_NN, of_dy, weights, dx, in, 1.0f, accumulate);
    if (!t->lora) {
        compute_gemm(t->compute, GEMM_TN, of_dy, matrix_f32(x, rows, in),
            gradient_of(t, PARAMETER_LINEAR, layer, module), in, 1.0f, true);
        if (has_bias(t->config, module))
            compute_bias_backward(
                t->compute, gradient_of(t, PARAMETER_BIAS, layer, module), dy, rows, out);
        return;
    }
    const struct lora_entry *entry = lora_find(t->lora, layer, module);
    if (entry) lora_backward(t, layer, entry, x, dy, dx);
}

static float *norm_gradient(const struct training *t, enum parameter_kind kind, size_t layer) {
    return t->lora ? NULL : gradient_of(t, kind, layer, 0);
}

// ---- forward ----

// Copies the rows of a node and of its ancestors to where they lie in one piece, or adds them back
// (`back`) to where they came from.
static void move_path(const struct training *t, size_t node, float *rows, float *path, bool back) {
    size_t columns = kv_columns(t->config);
    for (; node != TRAINING_NO_PARENT; node = t->batch->sequences[node].parent) {
        const struct training_sequence *sequence = &t->batch->sequences[node];
        float *there = path + (size_t)t->positions[sequence->first_row] * columns;
        float *here = rows + sequence->first_row * columns;
        size_t count = sequence->row_count * columns;
        if (back)
            compute_add(t->compute, here, there, count);
        else
            memcpy(there, here, count * sizeof *there);
    }
}

static struct attention_span span_of(
    struct training *t, const struct layer_activations *a, size_t node) {
    const struct training_sequence *sequence = &t->batch->sequences[node];
    size_t first = sequence->first_row, rows = sequence->row_count, columns = kv_columns(t->config);
    size_t at = first * columns, depth = (size_t)t->positions[first];
    if (!depth)
        return (struct attention_span){
            first, rows, 0, a->key + at, a->value + at, columns, t->dkey + at, t->dvalue + at};
    move_path(t, node, a->key, t->path[0], false);
    move_path(t, node, a->value, t->path[1], false);
    for (int i = 2; i < 4; i++)
        memset(t->path[i], 0, (depth + rows) * columns * sizeof(float));
    return (struct attention_span){
        first, rows, depth, t->path[0], t->path[1], columns, t->path[2], t->path[3]};
}

// All sequences at once, or, where there is but one place for a path, node by node.
static void attention(struct training *t, struct layer_activations *a,
    const struct attention_shape *shape, bool backward) {
    size_t count = t->batch->sequence_count, together = t->branches ? 1 : count;
    for (size_t first = 0; first < count; first += together) {
        for (size_t i = 0; i < together; i++)
            t->spans[i] = span_of(t, a, first + i);
        if (!backward) {
            compute_attention(
                t->compute, a->attention, a->log_sum_exp, a->query, t->spans, together, shape);
            continue;
        }
        compute_attention_backward(t->compute, t->dquery, t->dattention, a->query, a->attention,
            a->log_sum_exp, t->spans, together, shape);
        if (!t->spans[0].first_position) continue;
        move_path(t, first, t->dkey, t->path[2], true);
        move_path(t, first, t->dvalue, t->path[3], true);
    }
}

static void rotate(struct training *t, float *query, float *key, int direction) {
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows;
    compute_rope(t->compute, query, query_columns(c), t->positions, rows, c->heads, c->head_dim,
        c->rope_interleaved, t->rope.cosine, t->rope.sine, direction);
    compute_rope(t->compute, key, kv_columns(c), t->positions, rows, c->kv_heads, c->head_dim,
        c->rope_interleaved, t->rope.cosine, t->rope.sine, direction);
}

static void normalise(struct training *t, float *inverse_rms, const float *x, const float *weight) {
    compute_rmsnorm(t->compute, t->norm, inverse_rms, x, weight, t->batch->rows,
        t->config->hidden_size, t->config->rms_norm_epsilon);
}

// `next` NULL: for the sake of the activations alone.
static void normalise_heads(
    struct training *t, const struct transformer_layer *layer, struct layer_activations *a) {
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows;
    memcpy(a->raw_query, a->query, rows * query_columns(c) * sizeof(float));
    memcpy(a->raw_key, a->key, rows * kv_columns(c) * sizeof(float));
    compute_rmsnorm(t->compute, a->query, a->query_inverse_rms, a->raw_query, layer->query_norm,
        rows * c->heads, c->head_dim, c->rms_norm_epsilon);
    compute_rmsnorm(t->compute, a->key, a->key_inverse_rms, a->raw_key, layer->key_norm,
        rows * c->kv_heads, c->head_dim, c->rms_norm_epsilon);
}

static void layer_forward(struct training *t, size_t index, float *next) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows, hidden_bytes = rows * c->hidden_size * sizeof(float);
    struct attention_shape shape = layer_attention(c, index);

    normalise(t, a->input_inverse_rms, a->x, layer->input_norm);
    linear_forward(t, index, LORA_Q, t->norm, a->query, false);
    linear_forward(t, index, LORA_K, t->norm, a->key, false);
    linear_forward(t, index, LORA_V, t->norm, a->value, false);
    if (c->query_key_norm) normalise_heads(t, layer, a);
    rotate(t, a->query, a->key, 1);
    attention(t, a, &shape, false);
    memcpy(a->middle, a->x, hidden_bytes);
    linear_forward(t, index, LORA_O, a->attention, a->middle, true);

    normalise(t, a->attention_inverse_rms, a->middle, layer->attention_norm);
    linear_forward(t, index, LORA_GATE, t->norm, a->gate, false);
    linear_forward(t, index, LORA_UP, t->norm, a->up, false);
    compute_swiglu(t->compute, t->activation, a->gate, a->up, rows * c->intermediate_size);
    if (next) memcpy(next, a->middle, hidden_bytes);
    linear_forward(t, index, LORA_DOWN, t->activation, next, true);
}

static void start_batch(struct training *t, const struct training_batch *batch) {
    t->batch = batch;
    t->branches = false;
    for (size_t i = 0; i < batch->sequence_count; i++) {
        const struct training_sequence *node = &batch->sequences[i], *up = node;
        if (node->parent != TRAINING_NO_PARENT) up = &batch->sequences[node->parent];
        int32_t depth = up == node ? 0 : t->positions[up->first_row + up->row_count - 1] + 1;
        for (size_t j = 0; j < node->row_count; j++)
            t->positions[node->first_row + j] = depth + (int32_t)j;
        t->branches |= up != node;
    }
}

static void forward(struct training *t) {
    size_t layers = t->config->layers;
    compute_embedding(
        t->compute, t->layers[0].x, t->batch->tokens, t->batch->rows, t->transformer->embedding);
    for (size_t i = 0; i < layers; i++) {
        // The backward pass begins where this one ends, so that nothing needs to be read after it.
        weight_stream_enter(t->transformer->stream, i, i + 1 < layers ? i + 1 : i);
        layer_forward(t, i, i + 1 < layers ? t->layers[i + 1].x : t->last);
    }
}

// ---- loss ----

// What the output layer is given for a chunk of targets, and what cross-entropy needs to know.
static void gather_targets(
    struct training *t, const struct training_target *targets, size_t count) {
    size_t columns = t->config->hidden_size;
    for (size_t i = 0; i < count; i++) {
        memcpy(
            t->gathered + i * columns, t->last + targets[i].row * columns, columns * sizeof(float));
        t->target_tokens[i] = targets[i].token;
        t->weights[i] = targets[i].weight;
    }
    compute_rmsnorm(t->compute, t->norm, t->final_inverse_rms, t->gathered,
        t->transformer->final_norm, count, columns, t->config->rms_norm_epsilon);
}

// From the gradient of a chunk's logits to that of what the last layer gives, which is added to.
static void output_backward(
    struct training *t, const struct training_target *targets, size_t count) {
    size_t columns = t->config->hidden_size, vocabulary = t->config->vocabulary_size;
    struct matrix dlogits = matrix_f32(t->logits, count, vocabulary);
    compute_gemm(
        t->compute, GEMM_NN, dlogits, t->transformer->output, t->dnorm, columns, 1.0f, false);
    if (!t->lora)
        compute_gemm(t->compute, GEMM_TN, dlogits, matrix_f32(t->norm, count, columns),
            gradient_of(
                t, t->config->tied_embeddings ? PARAMETER_EMBEDDING : PARAMETER_OUTPUT, 0, 0),
            columns, 1.0f, true);
    memset(t->dgathered, 0, count * columns * sizeof(float));
    compute_rmsnorm_backward(t->compute, t->dgathered, norm_gradient(t, PARAMETER_FINAL_NORM, 0),
        t->dnorm, t->gathered, t->transformer->final_norm, t->final_inverse_rms, count, columns);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < columns; j++)
            t->dx[targets[i].row * columns + j] += t->dgathered[i * columns + j];
}

static void loss_chunk(struct training *t, const struct training_target *targets, size_t count,
    struct training_result *result) {
    size_t columns = t->config->hidden_size, vocabulary = t->config->vocabulary_size;
    gather_targets(t, targets, count);
    compute_gemm(t->compute, GEMM_NT, matrix_f32(t->norm, count, columns), t->transformer->output,
        t->logits, vocabulary, 1.0f, false);
    compute_cross_entropy(t->compute, t->logits, t->losses, t->hits, t->target_tokens, t->weights,
        count, vocabulary, !t->evaluating);
    for (size_t i = 0; i < count; i++) {
        result->loss += (double)targets[i].weight * t->losses[i];
        result->hits += (double)targets[i].examples * t->hits[i];
        result->supervised += targets[i].examples;
    }
    if (!t->evaluating) output_backward(t, targets, count);
}

static void loss_pass(struct training *t, struct training_result *result, float *target_losses) {
    size_t count = t->batch->target_count;
    if (!t->evaluating) memset(t->dx, 0, t->batch->rows * t->config->hidden_size * sizeof(float));
    for (size_t first = 0; first < count; first += t->logit_rows) {
        size_t left = count - first, take = left < t->logit_rows ? left : t->logit_rows;
        loss_chunk(t, t->batch->targets + first, take, result);
        if (target_losses) memcpy(target_losses + first, t->losses, take * sizeof *target_losses);
    }
}

// ---- backward ----

static void mlp_backward(struct training *t, size_t index) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    const struct model_config *c = t->config;
    size_t count = t->batch->rows * c->intermediate_size;
    compute_swiglu(t->compute, t->activation, a->gate, a->up, count);
    linear_backward(t, index, LORA_DOWN, t->activation, t->dx, t->dgate, false);
    compute_swiglu_backward(t->compute, t->dgate, t->dup, t->dgate, a->gate, a->up, count);
    normalise(t, a->attention_inverse_rms, a->middle, layer->attention_norm);
    linear_backward(t, index, LORA_GATE, t->norm, t->dgate, t->dnorm, false);
    linear_backward(t, index, LORA_UP, t->norm, t->dup, t->dnorm, true);
    compute_rmsnorm_backward(t->compute, t->dx, norm_gradient(t, PARAMETER_ATTENTION_NORM, index),
        t->dnorm, a->middle, layer->attention_norm, a->attention_inverse_rms, t->batch->rows,
        c->hidden_size);
}

// From the gradients of normalised queries and keys to those of the raw ones, in place.
static void normalise_heads_backward(struct training *t, size_t index) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows;
    size_t query = rows * query_columns(c) * sizeof(float);
    size_t key = rows * kv_columns(c) * sizeof(float);
    float *d = t->dattention; // which nobody needs any more; as wide as queries, no less than keys
    memset(d, 0, query);
    compute_rmsnorm_backward(t->compute, d, norm_gradient(t, PARAMETER_QUERY_NORM, index),
        t->dquery, a->raw_query, layer->query_norm, a->query_inverse_rms, rows * c->heads,
        c->head_dim);
    memcpy(t->dquery, d, query);
    memset(d, 0, key);
    compute_rmsnorm_backward(t->compute, d, norm_gradient(t, PARAMETER_KEY_NORM, index), t->dkey,
        a->raw_key, layer->key_norm, a->key_inverse_rms, rows * c->kv_heads, c->head_dim);
    memcpy(t->dkey, d, key);
}

// Below the lowest trained layer nothing is differentiated: `below` says whether anybody needs dx.
static void attention_backward(struct training *t, size_t index, bool below) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows, kv_bytes = rows * kv_columns(c) * sizeof(float);
    struct attention_shape shape = layer_attention(c, index);
    linear_backward(t, index, LORA_O, a->attention, t->dx, t->dattention, false);
    memset(t->dkey, 0, kv_bytes);
    memset(t->dvalue, 0, kv_bytes);
    attention(t, a, &shape, true);
    rotate(t, t->dquery, t->dkey, -1);
    if (c->query_key_norm) normalise_heads_backward(t, index);
    normalise(t, a->input_inverse_rms, a->x, layer->input_norm);
    float *dnorm = below ? t->dnorm : NULL;
    linear_backward(t, index, LORA_Q, t->norm, t->dquery, dnorm, false);
    linear_backward(t, index, LORA_K, t->norm, t->dkey, dnorm, true);
    linear_backward(t, index, LORA_V, t->norm, t->dvalue, dnorm, true);
    if (below)
        compute_rmsnorm_backward(t->compute, t->dx, norm_gradient(t, PARAMETER_INPUT_NORM, index),
            t->dnorm, a->x, layer->input_norm, a->input_inverse_rms, rows, c->hidden_size);
}

static size_t lowest_trained_layer(const struct training *t) {
    return t->lora && t->lora->entry_count ? t->lora->entries[0].layer : 0;
}

static void backward(struct training *t) {
    size_t lowest = lowest_trained_layer(t);
    for (size_t index = t->config->layers; index-- > lowest;) {
        weight_stream_enter(t->transformer->stream, index, index > lowest ? index - 1 : index);
        if (index < t->recomputed) layer_forward(t, index, NULL);
        mlp_backward(t, index);
        attention_backward(t, index, !t->lora || index > lowest);
    }
    if (!t->lora)
        compute_embedding_backward(t->compute,
            t->gradients + parameters_offset(t->transformer->parameters, PARAMETER_EMBEDDING, 0, 0),
            t->dx, t->batch->tokens, t->batch->rows, t->config->hidden_size);
}

static void pass(struct training *t, const struct training_batch *batch, float *gradients,
    struct training_result *result, float *target_losses) {
    t->gradients = gradients;
    t->evaluating = !gradients;
    start_batch(t, batch);
    forward(t);
    loss_pass(t, result, target_losses);
    if (gradients && batch->target_count) backward(t);
}

void training_step(struct training *training, const struct training_batch *batch, float *gradients,
    struct training_result *result, float *target_losses) {
    pass(training, batch, gradients, result, target_losses);
}

void training_evaluate(struct training *training, const struct training_batch *batch,
    struct training_result *result, float *target_losses) {
    pass(training, batch, NULL, result, target_losses);
}
