// The forward pass for generation. Rows that go on with a sequence one or a few tokens at a time
// (decoding) take the kernels for few rows, longer runs (prefill) the blocked products: which of
// the two depends on the span's own length alone, so that a request's numbers do not depend on its
// company.
#include "base/memory.h"
#include "model/transformer_internal.h"

enum { FEW_ROWS = 8, FEW_LOGIT_ROWS = 64 };

// Neighbouring spans whose rows take the same kernels.
struct row_run {
    size_t first, count;
    bool few;
};

struct inference {
    const struct transformer *transformer;
    const struct model_config *config;
    struct compute *compute;
    size_t max_rows;
    float *block;
    float *x, *norm, *query, *key, *value, *attention, *gate, *up, *low;
    int32_t *positions;
    struct attention_span *attention_spans;
    struct row_run *runs;
    struct rope_table rope;
    // of the present call
    const struct inference_span *spans;
    size_t span_count, run_count, rows;
    struct inference_pause *pause;
    bool paused;
};

size_t kv_sequence_floats(const struct model_config *config, size_t capacity) {
    return config->layers * capacity * kv_columns(config);
}

// ---- memory ----

static bool allocate(struct inference *s, struct error *error) {
    const struct model_config *c = s->config;
    size_t rows = s->max_rows, hidden = rows * c->hidden_size, query = rows * query_columns(c);
    size_t kv = rows * kv_columns(c), inner = rows * c->intermediate_size;
    size_t low = rows * LORA_MAX_RANK;
    s->block =
        memory_alloc_aligned(2 * hidden + 2 * query + 2 * kv + 2 * inner + low, sizeof(float));
    s->positions = memory_alloc_array(rows, sizeof *s->positions);
    s->attention_spans = memory_alloc_array(rows, sizeof *s->attention_spans);
    s->runs = memory_alloc_array(rows, sizeof *s->runs);
    if (!s->block || !s->positions || !s->attention_spans || !s->runs)
        return memory_error(error, "generation");
    s->x = s->block;
    s->norm = s->x + hidden;
    s->query = s->norm + hidden;
    s->attention = s->query + query;
    s->key = s->attention + query;
    s->value = s->key + kv;
    s->gate = s->value + kv;
    s->up = s->gate + inner;
    s->low = s->up + inner;
    return true;
}

bool inference_create(struct inference **inference, const struct transformer *transformer,
    struct compute *compute, size_t max_rows, struct error *error) {
    struct inference *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "generation");
    new->transformer = transformer;
    new->config = &transformer->config;
    new->compute = compute;
    new->max_rows = max_rows;
    if (!allocate(new, error)) {
        inference_free(new);
        return false;
    }
    *inference = new;
    return true;
}

void inference_free(struct inference *inference) {
    if (!inference) return;
    memory_free(inference->block);
    memory_free(inference->positions);
    memory_free(inference->attention_spans);
    memory_free(inference->runs);
    rope_table_free(&inference->rope);
    memory_free(inference);
}

// ---- checks ----

static bool check_tokens(
    const struct inference *s, const int32_t *tokens, size_t rows, struct error *error) {
    for (size_t i = 0; i < rows; i++)
        if (tokens[i] < 0 || (size_t)tokens[i] >= s->config->vocabulary_size)
            return error_set(error, ERROR_INVALID,
                "token %d is outside the model's vocabulary of %zu", tokens[i],
                s->config->vocabulary_size);
    return true;
}

static bool check_spans(struct inference *s, size_t rows, struct error *error) {
    size_t next = 0, longest = 0;
    for (size_t i = 0; i < s->span_count; i++) {
        const struct inference_span *span = &s->spans[i];
        if (span->first_row != next || !span->row_count || span->row_count > rows - next)
            return error_set(error, ERROR_INTERNAL, "the spans do not divide the batch");
        if (span->adapter && span->adapter->layers != s->config->layers)
            return error_set(error, ERROR_INVALID, "an adapter of another base model");
        next += span->row_count;
        size_t length = span->kv->length + span->row_count;
        if (length > span->kv->capacity)
            return error_set(error, ERROR_CONFLICT, "a sequence of %zu tokens in a cache for %zu",
                length, span->kv->capacity);
        longest = length > longest ? length : longest;
    }
    if (next != rows || rows > s->max_rows)
        return error_set(error, ERROR_INTERNAL, "the spans do not divide the batch");
    return rope_table_reserve(&s->rope, s->config, longest, error);
}

// ---- linear layers ----

static void set_runs(struct inference *s) {
    s->run_count = 0;
    for (size_t i = 0; i < s->span_count; i++) {
        const struct inference_span *span = &s->spans[i];
        bool few = span->row_count < FEW_ROWS;
        if (s->run_count && s->runs[s->run_count - 1].few == few)
            s->runs[s->run_count - 1].count += span->row_count;
        else
            s->runs[s->run_count++] = (struct row_run){span->first_row, span->row_count, few};
    }
}

static void product(struct inference *s, bool few, const float *x, size_t rows, struct matrix w,
    float *y, float alpha, bool accumulate) {
    if (few)
        compute_few_rows(s->compute, x, w.columns, rows, w, y, w.rows, alpha, accumulate);
    else
        compute_gemm(
            s->compute, GEMM_NT, matrix_f32(x, rows, w.columns), w, y, w.rows, alpha, accumulate);
}

static void adapter_product(struct inference *s, size_t layer, enum lora_module module,
    size_t index, const float *x, float *y) {
    const struct inference_span *span = &s->spans[index];
    const struct lora *lora = span->adapter;
    const struct lora_entry *entry = lora_find(lora, layer, module);
    if (!entry) return;
    bool few = span->row_count < FEW_ROWS;
    product(s, few, x + span->first_row * entry->in, span->row_count,
        matrix_f32(lora->parameters + entry->a_offset, lora->rank, entry->in), s->low, 1.0f, false);
    product(s, few, s->low, span->row_count,
        matrix_f32(lora->parameters + entry->b_offset, entry->out, lora->rank),
        y + span->first_row * entry->out, lora_scale(lora), true);
}

static void linear(struct inference *s, size_t layer, enum lora_module module, const float *x,
    float *y, bool accumulate) {
    struct matrix weights = s->transformer->layers[layer].weights[module];
    for (size_t i = 0; i < s->run_count; i++) {
        const struct row_run *run = &s->runs[i];
        product(s, run->few, x + run->first * weights.columns, run->count, weights,
            y + run->first * weights.rows, 1.0f, accumulate);
    }
    const float *bias = s->transformer->layers[layer].biases[module];
    if (bias) compute_add_bias(s->compute, y, bias, s->rows, weights.rows);
    for (size_t i = 0; i < s->span_count; i++)
        adapter_product(s, layer, module, i, x, y);
}

// ---- layers ----

static void set_attention_spans(struct inference *s, size_t layer) {
    size_t columns = kv_columns(s->config);
    for (size_t i = 0; i < s->span_count; i++) {
        const struct inference_span *span = &s->spans[i];
        size_t at = layer * span->kv->capacity * columns;
        size_t positions = span->kv->length + span->row_count;
        s->attention_spans[i] = (struct attention_span){.first_row = span->first_row,
            .query_count = span->row_count,
            .first_position = span->kv->length,
            .keys = matrix_f32(span->kv->keys + at, positions, columns),
            .values = matrix_f32(span->kv->values + at, positions, columns)};
    }
}

static void store_keys(struct inference *s, size_t layer) {
    size_t columns = kv_columns(s->config);
    for (size_t i = 0; i < s->span_count; i++) {
        const struct inference_span *span = &s->spans[i];
        size_t at = (layer * span->kv->capacity + span->kv->length) * columns;
        size_t from = span->first_row * columns, bytes = span->row_count * columns * sizeof(float);
        memcpy(span->kv->keys + at, s->key + from, bytes);
        memcpy(span->kv->values + at, s->value + from, bytes);
    }
}

static void normalise(struct inference *s, const float *weight) {
    compute_rmsnorm(s->compute, s->norm, NULL, s->x, weight, s->rows, s->config->hidden_size,
        s->config->rms_norm_epsilon);
}

static void normalise_heads(struct inference *s, float *x, const float *weight, size_t heads) {
    if (!weight) return;
    compute_rmsnorm(s->compute, x, NULL, x, weight, s->rows * heads, s->config->head_dim,
        s->config->rms_norm_epsilon);
}

static void attention(struct inference *s, size_t layer) {
    const struct model_config *c = s->config;
    const struct transformer_layer *weights = &s->transformer->layers[layer];
    linear(s, layer, LORA_Q, s->norm, s->query, false);
    linear(s, layer, LORA_K, s->norm, s->key, false);
    linear(s, layer, LORA_V, s->norm, s->value, false);
    normalise_heads(s, s->query, weights->query_norm, c->heads);
    normalise_heads(s, s->key, weights->key_norm, c->kv_heads);
    struct rotation rotation = rope_table_rotation(&s->rope, c, s->positions);
    compute_rope(s->compute, &rotation, s->query, query_columns(c), s->rows, c->heads, 1);
    compute_rope(s->compute, &rotation, s->key, kv_columns(c), s->rows, c->kv_heads, 1);
    store_keys(s, layer);
    set_attention_spans(s, layer);
    struct attention attention = {.spans = s->attention_spans,
        .span_count = s->span_count,
        .shape = layer_attention(c, layer),
        .query = matrix_f32(s->query, s->rows, query_columns(c)),
        .output_f32 = s->attention};
    compute_attention(s->compute, &attention);
    linear(s, layer, LORA_O, s->attention, s->x, true);
}

static void run_layer(struct inference *s, size_t index) {
    const struct transformer_layer *layer = &s->transformer->layers[index];
    normalise(s, layer->input_norm);
    attention(s, index);
    normalise(s, layer->attention_norm);
    linear(s, index, LORA_GATE, s->norm, s->gate, false);
    linear(s, index, LORA_UP, s->norm, s->up, false);
    compute_swiglu(s->compute, s->gate, s->gate, s->up, s->rows * s->config->intermediate_size);
    linear(s, index, LORA_DOWN, s->gate, s->x, true);
}

// One row a sequence is what generation asks for; many more than that is somebody measuring a loss.
static void output(struct inference *s, const uint32_t *logit_rows, size_t count, float *logits) {
    size_t columns = s->config->hidden_size;
    for (size_t first = 0; first < count; first += s->max_rows) {
        size_t rows = count - first < s->max_rows ? count - first : s->max_rows;
        for (size_t i = 0; i < rows; i++)
            memcpy(s->norm + i * columns, s->x + logit_rows[first + i] * columns,
                columns * sizeof(float));
        compute_rmsnorm(s->compute, s->norm, NULL, s->norm, s->transformer->final_norm, rows,
            columns, s->config->rms_norm_epsilon);
        product(s, count <= FEW_LOGIT_ROWS, s->norm, rows, s->transformer->output,
            logits + first * s->config->vocabulary_size, 1.0f, false);
    }
}

void inference_pause_by(struct inference *inference, struct inference_pause *pause) {
    inference->pause = pause;
}

bool inference_was_paused(const struct inference *inference) {
    return inference->paused;
}

void inference_pause_free(struct inference_pause *pause) {
    memory_free(pause->rows);
    pause->rows = NULL;
    pause->floats = pause->layer = 0;
}

// Keeps the rows before `layer`. Without memory for them the pass begins anew later.
static void put_aside(struct inference *s, size_t layer) {
    struct inference_pause *pause = s->pause;
    size_t floats = s->rows * s->config->hidden_size;
    if (floats > pause->floats) {
        memory_free(pause->rows);
        pause->rows = memory_alloc_array(floats, sizeof(float));
        pause->floats = pause->rows ? floats : 0;
    }
    pause->layer = pause->rows ? layer : 0;
    if (pause->rows) memcpy(pause->rows, s->x, floats * sizeof(float));
}

// The layer to begin with, and its rows.
static size_t take_up(struct inference *s, const int32_t *tokens) {
    if (s->pause && s->pause->layer)
        memcpy(s->x, s->pause->rows, s->rows * s->config->hidden_size * sizeof(float));
    else
        compute_embedding(s->compute, s->x, tokens, s->rows, s->transformer->embedding);
    return s->pause ? s->pause->layer : 0;
}

static bool run_layers(struct inference *s, size_t first, struct error *error) {
    for (size_t layer = first; layer < s->config->layers; layer++) {
        s->paused = s->pause && s->pause->asked(s->pause->context);
        if (s->paused) {
            put_aside(s, layer);
            return error_set(error, ERROR_CONFLICT, "the pass was put aside");
        }
        weight_stream_enter(s->transformer->stream, layer, (layer + 1) % s->config->layers);
        run_layer(s, layer);
    }
    if (s->pause) s->pause->layer = 0;
    return true;
}

bool inference_forward(struct inference *inference, const int32_t *tokens, size_t rows,
    const struct inference_span *spans, size_t span_count, const uint32_t *logit_rows,
    size_t logit_count, float *logits, struct error *error) {
    struct inference *s = inference;
    s->spans = spans;
    s->span_count = span_count;
    s->rows = rows;
    s->paused = false;
    if (!check_spans(s, rows, error) || !check_tokens(s, tokens, rows, error)) return false;
    for (size_t i = 0; i < logit_count; i++)
        if (logit_rows[i] >= rows)
            return error_set(error, ERROR_INTERNAL, "logits of a row that is not in the batch");
    set_runs(s);
    for (size_t i = 0; i < span_count; i++)
        for (size_t j = 0; j < spans[i].row_count; j++)
            s->positions[spans[i].first_row + j] = (int32_t)(spans[i].kv->length + j);
    if (!run_layers(s, take_up(s, tokens), error)) return false;
    for (size_t i = 0; i < span_count; i++)
        spans[i].kv->length += spans[i].row_count;
    output(s, logit_rows, logit_count, logits);
    return true;
}
