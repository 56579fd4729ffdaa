// Keys and values of a path through a tree of spans, as the panels that products read.
#include "compute/attention_internal.h"

static const struct matrix *side_of(const struct attention_span *span, enum attention_side side) {
    return side == ATTENTION_KEYS ? &span->keys : &span->values;
}

// The span on the path that has the key of this position.
static const struct attention_span *owner_of(const struct attention_span *span, size_t position) {
    while (position < span->first_key)
        span = span->parent;
    return span;
}

// One head's rows of one span's matrix.
static struct matrix head_rows(const struct attention_pack *pack, const struct attention_span *span,
    enum attention_side side, size_t position, size_t rows) {
    struct matrix m = *side_of(span, side);
    size_t dim = pack->shape->head_dim;
    size_t at = (position - span->first_key) * m.stride + pack->kv_head * dim;
    m.data = (const uint8_t *)m.data + at * data_type_table[m.type].size;
    m.rows = rows;
    m.columns = dim;
    return m;
}

static void copy_row(
    const struct attention_pack *pack, const struct matrix *rows, size_t row, uint8_t *to) {
    const struct compute *compute = pack->compute;
    size_t size = data_type_table[rows->type].size;
    const uint8_t *from = (const uint8_t *)rows->data + row * rows->stride * size;
    if (rows->type == compute->operands->type)
        memcpy(to, from, rows->columns * size);
    else
        compute->operands->store(to, (const float *)from, rows->columns);
}

// All rows as one matrix: a view where one span has them all, else gathered one by one.
static struct matrix path_rows(const struct attention_pack *pack, enum attention_side side) {
    const struct attention_span *last = owner_of(pack->span, pack->first + pack->keys - 1);
    if (pack->first >= last->first_key) return head_rows(pack, last, side, pack->first, pack->keys);
    size_t stride = attention_padded(pack->shape), size = pack->compute->gemm->element_size;
    for (size_t end = pack->first + pack->keys; end > pack->first;) {
        const struct attention_span *span = owner_of(pack->span, end - 1);
        size_t start = span->first_key > pack->first ? span->first_key : pack->first;
        struct matrix rows = head_rows(pack, span, side, start, end - start);
        for (size_t i = 0; i < end - start; i++)
            copy_row(pack, &rows, i, pack->gathered + (start - pack->first + i) * stride * size);
        end = start;
    }
    return (struct matrix){pack->gathered, pack->compute->operands->type, pack->keys,
        pack->shape->head_dim, stride, NULL};
}

void attention_pack_keys(
    const struct attention_pack *pack, enum attention_side side, uint8_t *panels, size_t panel) {
    const struct gemm_kernel *gemm = pack->compute->gemm;
    struct matrix rows = path_rows(pack, side);
    for (size_t key = 0; key < pack->keys; key += gemm->nr, panels += panel)
        gemm->pack(panels, gemm->nr, &rows, true, key, smaller(gemm->nr, pack->keys - key), 0,
            pack->shape->head_dim);
}

void attention_pack_depth(
    const struct attention_pack *pack, enum attention_side side, uint8_t *panels, size_t panel) {
    const struct gemm_kernel *gemm = pack->compute->gemm;
    size_t dim = pack->shape->head_dim;
    struct matrix rows = path_rows(pack, side);
    for (size_t column = 0; column < dim; column += gemm->nr, panels += panel)
        gemm->pack(panels, attention_width(gemm, dim - column), &rows, false, column,
            smaller(gemm->nr, dim - column), 0, pack->keys);
}

const uint8_t *attention_operand_rows(const struct compute *compute, const struct matrix *matrix,
    size_t at, size_t rows, size_t dim, uint8_t *buffer, size_t *stride) {
    const struct gemm_kernel *gemm = compute->gemm;
    size_t size = gemm->element_size;
    if (matrix->type == compute->operands->type && dim % gemm->k_unit == 0) {
        *stride = matrix->stride;
        return (const uint8_t *)matrix->data + at * size;
    }
    *stride = round_up(dim, 32);
    for (size_t i = 0; i < rows; i++) {
        uint8_t *to = buffer + i * *stride * size;
        size_t from = at + i * matrix->stride;
        memset(to + dim * size, 0, (*stride - dim) * size);
        if (matrix->type == compute->operands->type)
            memcpy(to, (const uint8_t *)matrix->data + from * size, dim * size);
        else
            compute->operands->store(to, (const float *)matrix->data + from, dim);
    }
    return buffer;
}
