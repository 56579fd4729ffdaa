// The buffers of a training pass: one block, dealt out once.
//
// Where memory is short, the first layers keep no more than what they were given, and run forward
// again when the backward pass gets to them (Chen et al. 2016). The arithmetic is the same, and so
// is every bit of the result.
#include "base/memory.h"
#include "model/training_internal.h"

enum {
    LOGIT_BYTES = 56 << 20, // of a chunk of logits and their transpose, whatever the vocabulary
    LINE = 64,
};

// Deals out one block: with `base` NULL it only counts.
struct dealer {
    uint8_t *base;
    size_t used;
    size_t element; // bytes of an operand's
};

static void *deal_bytes(struct dealer *dealer, size_t bytes) {
    uint8_t *at = dealer->base ? dealer->base + dealer->used : NULL;
    dealer->used += (bytes + LINE - 1) / LINE * LINE;
    return at;
}

static float *deal(struct dealer *dealer, size_t floats) {
    return deal_bytes(dealer, floats * sizeof(float));
}

static struct operand deal_operand(struct dealer *dealer, size_t rows, size_t columns) {
    size_t stride = compute_operand_stride(columns);
    return (struct operand){deal_bytes(dealer, rows * stride * dealer->element), stride};
}

// How many modules of a group are adapted.
static size_t adapted(const struct lora *lora, int group) {
    int first = group ? lora_group_ends[group - 1] + 1 : 0;
    size_t count = 0;
    for (int module = first; lora && module <= (int)lora_group_ends[group]; module++)
        count += lora->modules >> module & 1;
    return count;
}

// All but x.
static void deal_layer(struct layer_activations *a, const struct model_config *c,
    const struct lora *lora, size_t rows, struct dealer *dealer) {
    a->query = deal_operand(dealer, rows, query_columns(c));
    a->key = deal_operand(dealer, rows, kv_columns(c));
    a->value = deal_operand(dealer, rows, kv_columns(c));
    size_t normed = c->query_key_norm ? rows : 0;
    a->raw_query = deal(dealer, normed * query_columns(c));
    a->raw_key = deal(dealer, normed * kv_columns(c));
    a->query_inverse_rms = deal(dealer, normed * c->heads);
    a->key_inverse_rms = deal(dealer, normed * c->kv_heads);
    a->attention = deal_operand(dealer, rows, query_columns(c));
    a->log_sum_exp = deal(dealer, rows * c->heads);
    a->middle = deal(dealer, rows * c->hidden_size);
    a->gate = deal_operand(dealer, rows, c->intermediate_size);
    a->up = deal_operand(dealer, rows, c->intermediate_size);
    a->input_inverse_rms = deal(dealer, rows);
    a->attention_inverse_rms = deal(dealer, rows);
    for (int group = 0; group < LORA_GROUPS; group++) {
        size_t count = adapted(lora, group);
        if (count) a->low[group] = deal_operand(dealer, rows, count * lora->rank);
    }
}

// Where the output layer is trained, logits stand twice, once as they are and once transposed.
static size_t logit_bytes(
    const struct model_config *c, const struct lora *lora, size_t rows, size_t element) {
    size_t bytes = rows * compute_operand_stride(c->vocabulary_size) * element;
    return lora ? bytes : bytes + c->vocabulary_size * compute_operand_stride(rows + 1) * element;
}

// As many as fit, but no more than make even chunks of the rows.
static size_t logit_rows(
    const struct model_config *c, const struct lora *lora, size_t max_rows, size_t element) {
    size_t rows = LOGIT_BYTES / (c->vocabulary_size * element);
    if (rows > max_rows) rows = max_rows;
    while (rows > 1 && logit_bytes(c, lora, rows, element) > LOGIT_BYTES)
        rows--;
    if (rows < 1) return 1;
    size_t chunks = (max_rows + rows - 1) / rows;
    return (max_rows + chunks - 1) / chunks;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

// Columns of what the widest linear layer is given, and of what it gives.
static size_t widest(const struct model_config *c) {
    return larger(larger(c->hidden_size, c->intermediate_size), query_columns(c));
}

// What only the layer at work needs.
static void deal_work(
    struct training *t, const struct model_config *c, size_t rows, struct dealer *dealer) {
    t->activation = deal_operand(dealer, rows, c->intermediate_size);
    t->query_f32 = deal(dealer, rows * query_columns(c));
    t->key_f32 = deal(dealer, rows * kv_columns(c));
    t->raw_gradient = deal(dealer, c->query_key_norm ? rows * query_columns(c) : 0);
    t->attention_delta = deal(dealer, rows * c->heads);
    t->dx_operand = deal_operand(dealer, rows, c->hidden_size);
    t->dgate = deal_operand(dealer, rows, c->intermediate_size);
    t->dup = deal_operand(dealer, rows, c->intermediate_size);
    t->dattention = deal_operand(dealer, rows, query_columns(c));
    t->dkey = deal(dealer, rows * kv_columns(c));
    t->dvalue = deal(dealer, rows * kv_columns(c));
    t->dquery_operand = deal_operand(dealer, rows, query_columns(c));
    t->dkey_operand = deal_operand(dealer, rows, kv_columns(c));
    t->dvalue_operand = deal_operand(dealer, rows, kv_columns(c));
}

// What only the loss needs, a chunk of targets at a time.
static void deal_loss(struct training *t, const struct model_config *c, struct dealer *dealer) {
    t->logits = deal_operand(dealer, t->logit_rows, c->vocabulary_size);
    t->gathered = deal(dealer, t->logit_rows * c->hidden_size);
    t->dgathered = deal(dealer, t->logit_rows * c->hidden_size);
    t->final_inverse_rms = deal(dealer, t->logit_rows);
    t->losses = deal(dealer, t->logit_rows);
    t->hits = deal(dealer, t->logit_rows);
    t->weights = deal(dealer, t->logit_rows);
}

static void deal_trained(struct training *t, const struct model_config *c, const struct lora *lora,
    size_t rows, struct dealer *dealer) {
    if (lora) {
        t->dlow = deal_operand(dealer, rows, 3 * lora->rank);
        t->dlow_transposed = deal_operand(dealer, 3 * lora->rank, rows + 1);
        t->low_transposed = deal_operand(dealer, 3 * lora->rank, rows + 1);
    } else {
        // Of a linear layer's output, or of a chunk of logits.
        size_t layers = widest(c) * compute_operand_stride(rows + 1);
        size_t logits = c->vocabulary_size * compute_operand_stride(t->logit_rows + 1);
        t->dy_transposed.data = deal_bytes(dealer, larger(layers, logits) * dealer->element);
    }
    if (lora && lora->dropout > 0) {
        t->dropped = deal_operand(dealer, rows, widest(c));
        t->wide = deal(dealer, 2 * rows * widest(c) + LINE);
    }
}

// Rows of an odd number of columns have a zero behind them, which nobody may write over.
static bool even_columns(const struct model_config *c) {
    return !((c->hidden_size | c->intermediate_size | kv_columns(c) | query_columns(c)) & 1);
}

// The loss stands between the forward and the backward pass, when no layer is at work: it may have
// the same place.
static void deal_shared(struct training *t, const struct model_config *c, const struct lora *lora,
    size_t rows, struct dealer *dealer) {
    t->logit_rows = logit_rows(c, lora, rows, dealer->element);
    t->last = deal(dealer, rows * c->hidden_size);
    t->norm = deal_operand(dealer, rows, c->hidden_size);
    t->dx = deal(dealer, rows * c->hidden_size);
    t->dnorm = deal(dealer, rows * c->hidden_size);
    deal_trained(t, c, lora, rows, dealer);
    struct dealer loss = *dealer;
    deal_work(t, c, rows, dealer);
    if (!even_columns(c)) loss = *dealer;
    deal_loss(t, c, &loss);
    dealer->used = larger(dealer->used, loss.used);
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

static uint64_t bytes_for(const struct model_config *config, const struct lora *lora, size_t rows,
    size_t recomputed, size_t element) {
    struct training shared = {0};
    struct dealer dealer = {.element = element};
    deal_shared(&shared, config, lora, rows, &dealer);
    deal_layers(&shared, config, lora, rows, recomputed, &dealer);
    return dealer.used;
}

// How many layers are to be recomputed so that the rest fits.
static size_t recomputed_layers(const struct model_config *config, const struct lora *lora,
    size_t rows, uint64_t budget, size_t element) {
    size_t recomputed = 0;
    if (bytes_for(config, lora, rows, 0, element) <= budget) return 0;
    // One layer's share is the same for all; a single recomputed layer would save nothing.
    for (recomputed = 2; recomputed < config->layers; recomputed++)
        if (bytes_for(config, lora, rows, recomputed, element) <= budget) break;
    return recomputed < config->layers ? recomputed : config->layers;
}

uint64_t training_bytes(
    const struct model_config *config, const struct lora *lora, size_t max_rows, uint64_t budget) {
    size_t element = sizeof(float);
    size_t recomputed = recomputed_layers(config, lora, max_rows, budget, element);
    return bytes_for(config, lora, max_rows, recomputed, element);
}

uint64_t training_bytes_on(const struct compute *compute, const struct model_config *config,
    const struct lora *lora, size_t max_rows, uint64_t budget) {
    size_t element = data_type_table[compute_operand_type(compute)].size;
    size_t recomputed = recomputed_layers(config, lora, max_rows, budget, element);
    return bytes_for(config, lora, max_rows, recomputed, element);
}

bool training_allocate(struct training *t, uint64_t budget, struct error *error) {
    size_t rows = t->max_rows, element = data_type_table[compute_operand_type(t->compute)].size;
    struct dealer dealer = {.element = element};
    t->recomputed = recomputed_layers(t->config, t->lora, rows, budget, element);
    uint64_t bytes = bytes_for(t->config, t->lora, rows, t->recomputed, element);
    t->block = dealer.base = memory_alloc_aligned(bytes, 1);
    t->layers = memory_alloc_zeroed(t->config->layers, sizeof *t->layers);
    t->positions = memory_alloc_array(rows, sizeof *t->positions);
    t->target_tokens = memory_alloc_array(rows, sizeof *t->target_tokens);
    t->spans = memory_alloc_array(rows, sizeof *t->spans);
    if (!t->block || !t->layers || !t->positions || !t->target_tokens || !t->spans)
        return error_set(error, ERROR_MEMORY,
            "training %zu tokens at a time needs %llu MB for activations, which this machine "
            "cannot give; train fewer at a time",
            rows, (unsigned long long)(bytes >> 20));
    deal_shared(t, t->config, t->lora, rows, &dealer);
    deal_layers(t, t->config, t->lora, rows, t->recomputed, &dealer);
    return rope_table_reserve(&t->rope, t->config, rows, error);
}
