// Forward keeps, for each layer, what its gradient needs and cannot cheaply be had again: the
// residual stream before and after attention, rotated queries and keys, values, attention's output,
// gate and up. Norms and the product of SwiGLU are computed once more in the backward pass.
//
// The residual stream and its gradient are f32; what products read lies in the type that they take.
#include "base/memory.h"
#include "model/training_internal.h"

bool training_create(struct training **training, const struct transformer *transformer,
    struct compute *compute, size_t max_rows, struct lora *lora, uint64_t budget,
    struct error *error) {
    struct training *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "training");
    new->transformer = transformer;
    new->config = &transformer->config;
    new->compute = compute;
    new->lora = lora;
    new->max_rows = max_rows;
    if (!training_allocate(new, budget, error)) {
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

void training_train_only(struct training *training, unsigned modules) {
    training->modules = modules;
}

// Embedding, output layer and norms, too.
static bool trains_all(const struct training *t) {
    return !t->lora && !t->modules;
}

static float *norm_gradient(const struct training *t, enum parameter_kind kind, size_t layer) {
    return trains_all(t) ? training_gradient_of(t, kind, layer, 0) : NULL;
}

// ---- forward ----

static struct product_finish to_operand(struct operand to) {
    return (struct product_finish){.kind = PRODUCT_STORE_OPERAND, .alpha = 1.0f, .to = to};
}

static struct product_finish to_f32(float *to, size_t stride, const float *addend) {
    return (struct product_finish){
        .kind = PRODUCT_STORE, .alpha = 1.0f, .to_f32 = to, .to_stride = stride, .addend = addend};
}

// A node's keys are its own rows; those of its ancestors are found along the spans.
static void set_spans(struct training *t, const struct layer_activations *a) {
    size_t columns = kv_columns(t->config);
    for (size_t i = 0; i < t->batch->sequence_count; i++) {
        const struct training_sequence *node = &t->batch->sequences[i];
        size_t depth = (size_t)t->positions[node->first_row];
        struct operand keys = compute_operand_at(t->compute, a->key, node->first_row, 0);
        struct operand values = compute_operand_at(t->compute, a->value, node->first_row, 0);
        t->spans[i] = (struct attention_span){.first_row = node->first_row,
            .query_count = node->row_count,
            .first_position = depth,
            .keys = compute_operand_matrix(t->compute, keys, node->row_count, columns),
            .values = compute_operand_matrix(t->compute, values, node->row_count, columns),
            .first_key = depth,
            .parent = node->parent == TRAINING_NO_PARENT ? NULL : &t->spans[node->parent]};
    }
}

static struct attention attention_of(
    struct training *t, const struct layer_activations *a, size_t layer) {
    set_spans(t, a);
    return (struct attention){.spans = t->spans,
        .span_count = t->batch->sequence_count,
        .shape = layer_attention(t->config, layer),
        .query =
            compute_operand_matrix(t->compute, a->query, t->batch->rows, query_columns(t->config)),
        .output = a->attention,
        .log_sum_exp = a->log_sum_exp};
}

static struct rotation rotation_of(const struct training *t) {
    return rope_table_rotation(&t->rope, t->config, t->positions);
}

static void normalise(struct training *t, float *inverse_rms, const float *x, const float *weight) {
    compute_rmsnorm_operand(t->compute, t->norm, inverse_rms, x, weight, t->batch->rows,
        t->config->hidden_size, t->config->rms_norm_epsilon);
}

static void normalise_again(
    struct training *t, const float *inverse_rms, const float *x, const float *weight) {
    compute_rmsnorm_again(
        t->compute, t->norm, inverse_rms, x, weight, t->batch->rows, t->config->hidden_size);
}

// Queries, keys and values of the norm, rotated.
static void project(struct training *t, size_t index) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows;
    bool normed = c->query_key_norm;
    struct product_finish finishes[3] = {
        to_f32(normed ? a->raw_query : t->query_f32, query_columns(c), NULL),
        to_f32(normed ? a->raw_key : t->key_f32, kv_columns(c), NULL), to_operand(a->value)};
    linear_forward(t, index, LORA_QKV, t->norm, finishes);
    if (normed) {
        compute_rmsnorm(t->compute, t->query_f32, a->query_inverse_rms, a->raw_query,
            layer->query_norm, rows * c->heads, c->head_dim, c->rms_norm_epsilon);
        compute_rmsnorm(t->compute, t->key_f32, a->key_inverse_rms, a->raw_key, layer->key_norm,
            rows * c->kv_heads, c->head_dim, c->rms_norm_epsilon);
    }
    struct rotation rotation = rotation_of(t);
    compute_rope_operand(t->compute, &rotation, a->query, t->query_f32, rows, c->heads, 1);
    compute_rope_operand(t->compute, &rotation, a->key, t->key_f32, rows, c->kv_heads, 1);
}

// `next` NULL: for the sake of the activations alone.
static void layer_forward(struct training *t, size_t index, float *next) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    size_t hidden = t->config->hidden_size;

    normalise(t, a->input_inverse_rms, a->x, layer->input_norm);
    project(t, index);
    struct attention attention = attention_of(t, a, index);
    compute_attention(t->compute, &attention);
    struct product_finish to_middle = to_f32(a->middle, hidden, a->x);
    linear_forward(t, index, LORA_OUTPUT, a->attention, &to_middle);

    normalise(t, a->attention_inverse_rms, a->middle, layer->attention_norm);
    struct product_finish swiglu = {
        .kind = PRODUCT_SWIGLU, .gate = a->gate, .up = a->up, .to = t->activation};
    linear_forward(t, index, LORA_GATE_UP, t->norm, &swiglu);
    struct product_finish to_next = to_f32(next, hidden, a->middle);
    if (next)
        linear_forward(t, index, LORA_INNER, t->activation, &to_next);
    else
        linear_low(t, index, LORA_INNER, t->activation);
}

static void start_batch(struct training *t, const struct training_batch *batch) {
    t->batch = batch;
    for (size_t i = 0; i < batch->sequence_count; i++) {
        const struct training_sequence *node = &batch->sequences[i], *up = node;
        if (node->parent != TRAINING_NO_PARENT) up = &batch->sequences[node->parent];
        int32_t depth = up == node ? 0 : t->positions[up->first_row + up->row_count - 1] + 1;
        for (size_t j = 0; j < node->row_count; j++)
            t->positions[node->first_row + j] = depth + (int32_t)j;
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
    compute_rmsnorm_operand(t->compute, t->norm, t->final_inverse_rms, t->gathered,
        t->transformer->final_norm, count, columns, t->config->rms_norm_epsilon);
}

static void output_product(struct training *t, enum compute_operation operation, size_t m, size_t n,
    struct product_term term, struct product_finish finish) {
    struct product product = {
        .operation = operation, .terms = &term, .term_count = 1, .m = m, .n = n, .finish = finish};
    compute_products(t->compute, &product, 1);
}

static void output_weight_gradient(struct training *t, size_t count) {
    size_t columns = t->config->hidden_size, vocabulary = t->config->vocabulary_size;
    enum parameter_kind kind = t->config->tied_embeddings ? PARAMETER_EMBEDDING : PARAMETER_OUTPUT;
    float *gradient = training_gradient_of(t, kind, 0, 0);
    struct operand transposed = {t->dy_transposed.data, compute_operand_stride(count + 1)};
    compute_transpose(t->compute, transposed, t->logits, count, vocabulary);
    output_product(t, COMPUTE_PRODUCT_WEIGHT, vocabulary, columns,
        (struct product_term){compute_operand_matrix(t->compute, transposed, vocabulary, count),
            compute_operand_matrix(t->compute, t->norm, count, columns), false},
        to_f32(gradient, columns, gradient));
}

// From the gradient of a chunk's logits to that of what the last layer gives, which is added to.
static void output_backward(
    struct training *t, const struct training_target *targets, size_t count) {
    size_t columns = t->config->hidden_size, vocabulary = t->config->vocabulary_size;
    output_product(t, COMPUTE_PRODUCT_INPUT, count, columns,
        (struct product_term){compute_operand_matrix(t->compute, t->logits, count, vocabulary),
            t->transformer->output, false},
        to_f32(t->dnorm, columns, NULL));
    if (trains_all(t)) output_weight_gradient(t, count);
    memset(t->dgathered, 0, count * columns * sizeof(float));
    compute_rmsnorm_backward(t->compute, t->dgathered, (struct operand){0},
        norm_gradient(t, PARAMETER_FINAL_NORM, 0), t->dnorm, t->gathered,
        t->transformer->final_norm, t->final_inverse_rms, count, columns);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < columns; j++)
            t->dx[targets[i].row * columns + j] += t->dgathered[i * columns + j];
}

static void loss_chunk(struct training *t, const struct training_target *targets, size_t count,
    struct training_result *result) {
    size_t columns = t->config->hidden_size, vocabulary = t->config->vocabulary_size;
    gather_targets(t, targets, count);
    output_product(t, COMPUTE_PRODUCT, count, vocabulary,
        (struct product_term){compute_operand_matrix(t->compute, t->norm, count, columns),
            t->transformer->output, true},
        (struct product_finish){.kind = PRODUCT_LOGITS, .to = t->logits});
    compute_cross_entropy(t->compute, t->logits, t->losses, t->hits, t->target_tokens, t->weights,
        count, vocabulary, !t->evaluating);
    for (size_t i = 0; i < count; i++) {
        result->loss += (double)targets[i].weight * t->losses[i];
        result->hits += (double)targets[i].examples * t->hits[i];
        result->supervised += targets[i].examples;
    }
    if (!t->evaluating) output_backward(t, targets, count);
}

// Chunks as even as can be.
static void loss_pass(struct training *t, struct training_result *result, float *target_losses) {
    size_t count = t->batch->target_count;
    size_t chunks = (count + t->logit_rows - 1) / t->logit_rows;
    if (!t->evaluating) memset(t->dx, 0, t->batch->rows * t->config->hidden_size * sizeof(float));
    for (size_t i = 0; i < chunks; i++) {
        size_t first = count * i / chunks, take = count * (i + 1) / chunks - first;
        loss_chunk(t, t->batch->targets + first, take, result);
        if (target_losses) memcpy(target_losses + first, t->losses, take * sizeof *target_losses);
    }
}

// ---- backward ----

static void mlp_backward(struct training *t, size_t index) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows;
    struct product_finish swiglu = {.kind = PRODUCT_SWIGLU_BACKWARD,
        .gate = a->gate,
        .up = a->up,
        .dgate = t->dgate,
        .dup = t->dup,
        .to = t->activation};
    linear_input_gradient(t, index, LORA_INNER, &t->dx_operand, &swiglu);
    linear_weight_gradients(t, index, LORA_INNER, t->activation, &t->dx_operand);
    normalise_again(t, a->attention_inverse_rms, a->middle, layer->attention_norm);
    struct operand dy[] = {t->dgate, t->dup};
    struct product_finish to_dnorm = to_f32(t->dnorm, c->hidden_size, NULL);
    linear_input_gradient(t, index, LORA_GATE_UP, dy, &to_dnorm);
    linear_weight_gradients(t, index, LORA_GATE_UP, t->norm, dy);
    compute_rmsnorm_backward(t->compute, t->dx, t->dx_operand,
        norm_gradient(t, PARAMETER_ATTENTION_NORM, index), t->dnorm, a->middle,
        layer->attention_norm, a->attention_inverse_rms, rows, c->hidden_size);
}

// From the gradients of normalised queries or keys to those of the raw ones, in place; `spare` is
// as wide.
static void normalise_heads_backward(struct training *t, float *gradient, float *spare,
    float *dweight, const float *raw, const float *weight, const float *inverse_rms, size_t heads) {
    size_t rows = t->batch->rows * heads, dim = t->config->head_dim;
    memset(spare, 0, rows * dim * sizeof *spare);
    compute_rmsnorm_backward(t->compute, spare, (struct operand){0}, dweight, gradient, raw, weight,
        inverse_rms, rows, dim);
    memcpy(gradient, spare, rows * dim * sizeof *gradient);
}

// The gradients of queries, keys and values become operands, of what was before rotation.
static void unrotate(struct training *t, size_t index) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows;
    struct rotation rotation = rotation_of(t);
    compute_to_operand(t->compute, t->dvalue_operand, t->dvalue, rows, kv_columns(c));
    if (!c->query_key_norm) {
        compute_rope_operand(
            t->compute, &rotation, t->dquery_operand, t->query_f32, rows, c->heads, -1);
        compute_rope_operand(
            t->compute, &rotation, t->dkey_operand, t->dkey, rows, c->kv_heads, -1);
        return;
    }
    float *spare = t->raw_gradient;
    compute_rope(t->compute, &rotation, t->query_f32, query_columns(c), rows, c->heads, -1);
    compute_rope(t->compute, &rotation, t->dkey, kv_columns(c), rows, c->kv_heads, -1);
    normalise_heads_backward(t, t->query_f32, spare, norm_gradient(t, PARAMETER_QUERY_NORM, index),
        a->raw_query, layer->query_norm, a->query_inverse_rms, c->heads);
    normalise_heads_backward(t, t->dkey, spare, norm_gradient(t, PARAMETER_KEY_NORM, index),
        a->raw_key, layer->key_norm, a->key_inverse_rms, c->kv_heads);
    compute_to_operand(t->compute, t->dquery_operand, t->query_f32, rows, query_columns(c));
    compute_to_operand(t->compute, t->dkey_operand, t->dkey, rows, kv_columns(c));
}

static void attention_gradients(struct training *t, size_t index) {
    struct attention attention = attention_of(t, &t->layers[index], index);
    struct attention_gradient gradient = {
        t->dattention, t->query_f32, t->dkey, t->dvalue, t->attention_delta};
    compute_attention_backward(t->compute, &attention, &gradient);
    unrotate(t, index);
}

// Below the lowest trained layer nothing is differentiated: `below` says whether anybody needs dx.
static void attention_backward(struct training *t, size_t index, bool below) {
    const struct transformer_layer *layer = &t->transformer->layers[index];
    struct layer_activations *a = &t->layers[index];
    const struct model_config *c = t->config;
    size_t rows = t->batch->rows;
    struct product_finish to_dattention = to_operand(t->dattention);
    linear_input_gradient(t, index, LORA_OUTPUT, &t->dx_operand, &to_dattention);
    linear_weight_gradients(t, index, LORA_OUTPUT, a->attention, &t->dx_operand);
    attention_gradients(t, index);
    normalise_again(t, a->input_inverse_rms, a->x, layer->input_norm);
    struct operand dy[] = {t->dquery_operand, t->dkey_operand, t->dvalue_operand};
    struct product_finish to_dnorm = to_f32(t->dnorm, c->hidden_size, NULL);
    linear_input_gradient(t, index, LORA_QKV, dy, below ? &to_dnorm : NULL);
    linear_weight_gradients(t, index, LORA_QKV, t->norm, dy);
    if (below)
        compute_rmsnorm_backward(t->compute, t->dx, t->dx_operand,
            norm_gradient(t, PARAMETER_INPUT_NORM, index), t->dnorm, a->x, layer->input_norm,
            a->input_inverse_rms, rows, c->hidden_size);
}

static size_t lowest_trained_layer(const struct training *t) {
    return t->lora && t->lora->entry_count ? t->lora->entries[0].layer : 0;
}

// dx and its copy as an operand go down the layers.
static void backward(struct training *t) {
    size_t lowest = lowest_trained_layer(t);
    compute_to_operand(t->compute, t->dx_operand, t->dx, t->batch->rows, t->config->hidden_size);
    for (size_t index = t->config->layers; index-- > lowest;) {
        weight_stream_enter(t->transformer->stream, index, index > lowest ? index - 1 : index);
        if (index < t->recomputed) layer_forward(t, index, NULL);
        mlp_backward(t, index);
        attention_backward(t, index, trains_all(t) || index > lowest);
    }
    if (trains_all(t))
        compute_embedding_backward(t->compute, training_gradient_of(t, PARAMETER_EMBEDDING, 0, 0),
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
