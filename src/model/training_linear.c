// The linear layers of a training pass, by groups that have the same input: y = x·Wᵀ + u·Bᵀ with
// u = alpha / rank · x·Aᵀ (LoRA), or y = x·Wᵀ whose W is trained.
//
// LoRA's products are parts of the large ones: u·Bᵀ sums over a few more k. Of its gradients,
// du = alpha / rank · dy·B, dA = duᵀ·x and dB = dyᵀ·u, and dx = dy·W + du·A sums over more k once
// more. With dropout d, a factor for each element, u = (d∘x)·Aᵀ, dA = duᵀ·(d∘x),
// dx = dy·W + d∘(du·A).
#include "model/training_internal.h"

static bool drops(const struct training *t) {
    return t->lora && t->lora->dropout > 0 && !t->evaluating;
}

static enum lora_module group_first(enum lora_group group) {
    return group ? lora_group_ends[group - 1] + 1 : LORA_Q;
}

static size_t group_size(enum lora_group group) {
    return (size_t)lora_group_ends[group] - group_first(group) + 1;
}

static struct dropout dropout_of(const struct training *t, size_t layer, enum lora_module module) {
    return (struct dropout){
        t->batch->dropout_key, layer * LORA_MODULES + (size_t)module, t->lora->dropout};
}

// The adapted modules of a group in one layer.
struct adapted {
    size_t count;
    const struct lora_entry *entries[3];
};

static struct adapted adapted_of(const struct training *t, size_t layer, enum lora_group group) {
    struct adapted adapted = {0};
    for (int module = group_first(group); module <= (int)lora_group_ends[group]; module++) {
        const struct lora_entry *entry = lora_find(t->lora, layer, module);
        if (entry) adapted.entries[adapted.count++] = entry;
    }
    return adapted;
}

// Which of the adapted modules this is, or adapted->count.
static size_t place_of(const struct adapted *adapted, enum lora_module module) {
    size_t i = 0;
    while (i < adapted->count && adapted->entries[i]->module != module)
        i++;
    return i;
}

static struct matrix matrix_a(const struct training *t, const struct lora_entry *entry) {
    return matrix_f32(t->lora->parameters + entry->a_offset, t->lora->rank, entry->in);
}

static struct matrix matrix_b(const struct training *t, const struct lora_entry *entry) {
    return matrix_f32(t->lora->parameters + entry->b_offset, entry->out, t->lora->rank);
}

static struct matrix operand_of(
    const struct training *t, struct operand operand, size_t rows, size_t columns) {
    return compute_operand_matrix(t->compute, operand, rows, columns);
}

// The columns that belong to one adapted module.
static struct operand low_of(const struct training *t, struct operand low, size_t place) {
    return compute_operand_at(t->compute, low, 0, place * t->lora->rank);
}

static void one_product(struct training *t, enum compute_operation operation,
    const struct product_term *term, size_t m, size_t n, struct product_finish finish) {
    struct product product = {
        .operation = operation, .terms = term, .term_count = 1, .m = m, .n = n, .finish = finish};
    compute_products(t->compute, &product, 1);
}

// ---- forward ----

void linear_low(struct training *t, size_t layer, enum lora_group group, struct operand x) {
    struct adapted adapted = adapted_of(t, layer, group);
    if (!adapted.count) return;
    size_t rows = t->batch->rows, in = adapted.entries[0]->in, rank = t->lora->rank;
    bool dropping = drops(t);
    struct operand low = t->layers[layer].low[group];
    // One product for all modules, unless each is given something else.
    for (size_t i = 0; i < (dropping ? adapted.count : 1); i++) {
        struct dropout dropout = {0};
        if (dropping) dropout = dropout_of(t, layer, adapted.entries[i]->module);
        if (dropping) compute_dropout(t->compute, &dropout, x, t->dropped, rows, in);
        struct matrix a = matrix_a(t, adapted.entries[i]);
        if (!dropping) a.rows = adapted.count * rank;
        struct product_term term = {operand_of(t, dropping ? t->dropped : x, rows, in), a, true};
        one_product(t, COMPUTE_PRODUCT_THIN, &term, rows, a.rows,
            (struct product_finish){.kind = PRODUCT_STORE_OPERAND,
                .alpha = lora_scale(t->lora),
                .to = low_of(t, low, i)});
    }
}

// The terms of one module's output; returns how many.
static size_t output_terms(struct training *t, size_t layer, enum lora_group group,
    const struct adapted *adapted, enum lora_module module, struct operand x,
    struct product_term terms[2]) {
    struct matrix weights = t->transformer->layers[layer].weights[module];
    size_t rows = t->batch->rows, place = place_of(adapted, module);
    terms[0] = (struct product_term){operand_of(t, x, rows, weights.columns), weights, true};
    if (place == adapted->count) return 1;
    struct operand low = low_of(t, t->layers[layer].low[group], place);
    terms[1] = (struct product_term){
        operand_of(t, low, rows, t->lora->rank), matrix_b(t, adapted->entries[place]), true};
    return 2;
}

// Twins have as many terms each: where one of them is not adapted, rows of zeros meet the other's
// B.
static void even_terms(struct product_term *terms, size_t have, const struct product_term *like) {
    static const float zeros[LORA_MAX_RANK];
    if (have > 1) return;
    terms[1] = *like;
    terms[1].a.data = zeros;
    terms[1].a.stride = 0;
}

void linear_forward(struct training *t, size_t layer, enum lora_group group, struct operand x,
    const struct product_finish *finishes) {
    const struct transformer_layer *weights = &t->transformer->layers[layer];
    struct adapted adapted = adapted_of(t, layer, group);
    struct product products[3];
    struct product_term terms[3][2];
    size_t count = group_size(group), term_counts[3];
    linear_low(t, layer, group, x);
    for (size_t i = 0; i < count; i++) {
        enum lora_module module = group_first(group) + (enum lora_module)i;
        term_counts[i] = output_terms(t, layer, group, &adapted, module, x, terms[i]);
        products[i] = (struct product){.operation = COMPUTE_PRODUCT,
            .terms = terms[i],
            .term_count = term_counts[i],
            .m = t->batch->rows,
            .n = weights->weights[module].rows,
            .finish = finishes[group == LORA_GATE_UP ? 0 : i]};
        products[i].finish.bias = weights->biases[module];
    }
    if (group == LORA_GATE_UP) {
        size_t most = term_counts[0] > term_counts[1] ? term_counts[0] : term_counts[1];
        if (most > 1) even_terms(terms[0], term_counts[0], &terms[1][1]);
        if (most > 1) even_terms(terms[1], term_counts[1], &terms[0][1]);
        products[0].term_count = most;
        products[0].twin_terms = terms[1];
        products[0].finish.twin_bias = weights->biases[LORA_UP];
        count = 1;
    }
    compute_products(t->compute, products, count);
}

// ---- backward ----

float *training_gradient_of(
    const struct training *t, enum parameter_kind kind, size_t layer, enum lora_module module) {
    return t->gradients + parameters_offset(t->transformer->parameters, kind, layer, module);
}

// du of all adapted modules, and du and u transposed, which the gradients of A and B begin with.
static void low_gradients(struct training *t, size_t layer, enum lora_group group,
    const struct adapted *adapted, const struct operand *dy) {
    size_t rows = t->batch->rows, rank = t->lora->rank;
    struct product products[3];
    struct product_term terms[3];
    for (size_t i = 0; i < adapted->count; i++) {
        const struct lora_entry *entry = adapted->entries[i];
        terms[i] = (struct product_term){
            operand_of(t, dy[entry->module - group_first(group)], rows, entry->out),
            matrix_b(t, entry), false};
        products[i] = (struct product){.operation = COMPUTE_PRODUCT_THIN,
            .terms = &terms[i],
            .term_count = 1,
            .m = rows,
            .n = rank,
            .finish = {.kind = PRODUCT_STORE_OPERAND,
                .alpha = lora_scale(t->lora),
                .to = low_of(t, t->dlow, i)}};
    }
    compute_products(t->compute, products, adapted->count);
    compute_transpose(t->compute, t->dlow_transposed, t->dlow, rows, adapted->count * rank);
    compute_transpose(
        t->compute, t->low_transposed, t->layers[layer].low[group], rows, adapted->count * rank);
}

static struct product_finish add_to(float *gradient, size_t stride) {
    return (struct product_finish){.kind = PRODUCT_STORE,
        .alpha = 1.0f,
        .to_f32 = gradient,
        .to_stride = stride,
        .addend = gradient};
}

// Rows of an operand from `row` on.
static struct matrix transposed_rows(
    const struct training *t, struct operand operand, size_t row, size_t count) {
    return operand_of(t, compute_operand_at(t->compute, operand, row, 0), count, t->batch->rows);
}

// dB = (uᵀ·dy)ᵀ of each module, and dA of all of them.
static void adapter_gradients(struct training *t, enum lora_group group,
    const struct adapted *adapted, struct operand x, const struct operand *dy) {
    size_t rows = t->batch->rows, rank = t->lora->rank, in = adapted->entries[0]->in;
    struct product products[4];
    struct product_term terms[4];
    size_t count = adapted->count;
    for (size_t i = 0; i < count; i++) {
        const struct lora_entry *entry = adapted->entries[i];
        terms[i] = (struct product_term){transposed_rows(t, t->low_transposed, i * rank, rank),
            operand_of(t, dy[entry->module - group_first(group)], rows, entry->out), false};
        products[i] = (struct product){.operation = COMPUTE_PRODUCT_THIN,
            .terms = &terms[i],
            .term_count = 1,
            .m = rank,
            .n = entry->out,
            .finish = {.kind = PRODUCT_ADD_TRANSPOSED,
                .alpha = 1.0f,
                .to_f32 = t->gradients + entry->b_offset,
                .to_stride = rank}};
    }
    if (!drops(t)) {
        terms[count] =
            (struct product_term){transposed_rows(t, t->dlow_transposed, 0, count * rank),
                operand_of(t, x, rows, in), false};
        products[count] = (struct product){.operation = COMPUTE_PRODUCT_THIN,
            .terms = &terms[count],
            .term_count = 1,
            .m = count * rank,
            .n = in,
            .finish = add_to(t->gradients + adapted->entries[0]->a_offset, in)};
        compute_products(t->compute, products, count + 1);
        return;
    }
    compute_products(t->compute, products, count);
}

// dA of each module, whose input dropout has thinned out in its own way.
static void dropped_gradients(
    struct training *t, size_t layer, const struct adapted *adapted, struct operand x) {
    size_t rows = t->batch->rows, rank = t->lora->rank;
    for (size_t i = 0; i < adapted->count; i++) {
        const struct lora_entry *entry = adapted->entries[i];
        struct dropout dropout = dropout_of(t, layer, entry->module);
        compute_dropout(t->compute, &dropout, x, t->dropped, rows, entry->in);
        struct product_term term = {transposed_rows(t, t->dlow_transposed, i * rank, rank),
            operand_of(t, t->dropped, rows, entry->in), false};
        one_product(t, COMPUTE_PRODUCT_THIN, &term, rank, entry->in,
            add_to(t->gradients + entry->a_offset, entry->in));
    }
}

static void trained_weight(struct training *t, size_t layer, enum lora_module module,
    struct operand x, struct operand dy) {
    struct matrix weights = t->transformer->layers[layer].weights[module];
    size_t rows = t->batch->rows, in = weights.columns, out = weights.rows;
    struct operand transposed = {t->dy_transposed.data, compute_operand_stride(rows + 1)};
    compute_transpose(t->compute, transposed, dy, rows, out);
    struct product_term term = {
        operand_of(t, transposed, out, rows), operand_of(t, x, rows, in), false};
    one_product(t, COMPUTE_PRODUCT_WEIGHT, &term, out, in,
        add_to(training_gradient_of(t, PARAMETER_LINEAR, layer, module), in));
    if (has_bias(t->config, module))
        compute_bias_backward(
            t->compute, training_gradient_of(t, PARAMETER_BIAS, layer, module), dy, rows, out);
}

void linear_weight_gradients(struct training *t, size_t layer, enum lora_group group,
    struct operand x, const struct operand *dy) {
    struct adapted adapted = adapted_of(t, layer, group);
    for (size_t i = 0; !t->lora && i < group_size(group); i++)
        if (!t->modules || t->modules >> (group_first(group) + i) & 1)
            trained_weight(t, layer, group_first(group) + (enum lora_module)i, x, dy[i]);
    if (!adapted.count) return;
    adapter_gradients(t, group, &adapted, x, dy);
    if (drops(t)) dropped_gradients(t, layer, &adapted, x);
}

// dx with dropout: d∘(du·A) of each module is added to what the large product gave, all in f32.
static void dropped_input_gradient(struct training *t, size_t layer, const struct adapted *adapted,
    struct product *product, const struct product_finish *finish) {
    size_t rows = t->batch->rows, in = product->n;
    float *sum = t->wide, *part = t->wide + rows * in;
    product->finish = (struct product_finish){
        .kind = PRODUCT_STORE, .alpha = 1.0f, .to_f32 = sum, .to_stride = in};
    compute_products(t->compute, product, 1);
    for (size_t i = 0; i < adapted->count; i++) {
        const struct lora_entry *entry = adapted->entries[i];
        struct dropout dropout = dropout_of(t, layer, entry->module);
        struct product_term term = {
            operand_of(t, low_of(t, t->dlow, i), rows, t->lora->rank), matrix_a(t, entry), false};
        one_product(t, COMPUTE_PRODUCT_THIN, &term, rows, in,
            (struct product_finish){
                .kind = PRODUCT_STORE, .alpha = 1.0f, .to_f32 = part, .to_stride = in});
        compute_dropout_add(t->compute, &dropout, part, sum, rows, in);
    }
    compute_finish(t->compute, finish, sum, rows, in);
}

void linear_input_gradient(struct training *t, size_t layer, enum lora_group group,
    const struct operand *dy, const struct product_finish *finish) {
    struct adapted adapted = adapted_of(t, layer, group);
    size_t rows = t->batch->rows, count = group_size(group);
    if (adapted.count) low_gradients(t, layer, group, &adapted, dy);
    if (!finish) return;
    struct product_term terms[4];
    for (size_t i = 0; i < count; i++) {
        struct matrix weights = t->transformer->layers[layer].weights[group_first(group) + i];
        terms[i] = (struct product_term){operand_of(t, dy[i], rows, weights.rows), weights, false};
    }
    struct product product = {.operation = COMPUTE_PRODUCT_INPUT,
        .terms = terms,
        .term_count = count,
        .m = rows,
        .n = terms[0].b.columns,
        .finish = *finish};
    if (adapted.count && drops(t)) {
        dropped_input_gradient(t, layer, &adapted, &product, finish);
        return;
    }
    if (adapted.count) {
        struct matrix a = matrix_a(t, adapted.entries[0]);
        a.rows = adapted.count * t->lora->rank;
        terms[product.term_count++] =
            (struct product_term){operand_of(t, t->dlow, rows, a.rows), a, false};
    }
    compute_products(t->compute, &product, 1);
}
