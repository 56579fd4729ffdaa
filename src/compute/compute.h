// The operations that a transformer is made of, forward and backward, over a pool of threads: one
// object, one table of kernels, chosen once at run time.
//
// Every operation has a plain f32 implementation, the reference. Faster paths replace some of them
// and are tested against it. No result depends on the number of threads: work is cut into tasks of
// fixed size, and sums over tasks are added in a fixed order.
//
// Buffers are f32 in row-major order unless a `struct matrix` says otherwise. Functions do not
// check shapes (their callers, in model, made them) and cannot fail: all scratch is taken at
// creation.
#ifndef COMPUTE_COMPUTE_H
#define COMPUTE_COMPUTE_H

#include "base/error.h"
#include "base/thread_pool.h"
#include "compute/data_type.h"

struct compute;

enum compute_path {
    COMPUTE_AUTO, // the fastest one that this processor has
    COMPUTE_REFERENCE,
    COMPUTE_AVX2,
    COMPUTE_AVX512,
    COMPUTE_AVX512_BF16, // products in bf16 with f32 sums; all else in f32
    COMPUTE_PATHS
};

extern const char *const compute_path_names[COMPUTE_PATHS]; // "auto", "reference", "avx2", …

// threads: 0 for one a core. With COMPUTE_AUTO the variable TEMPER_COMPUTE may name a path; one
// that this processor does not have is an error.
bool compute_create(
    struct compute **compute, int threads, enum compute_path path, struct error *error) WARN_UNUSED;
void compute_free(struct compute *compute);

enum compute_path compute_path_of(const struct compute *compute);
int compute_threads(const struct compute *compute);
struct thread_pool *compute_pool(struct compute *compute);

// ---- the machine (peak.c) ----

// What this machine can do at most with these kernels and threads, measured now, in about a third
// of a second each: multiply-adds from registers, in 10⁹ operations a second, as the best of many
// runs of a millisecond, and as the mean of a fifth of a second without a pause, which is what it
// keeps up; reading memory, in GB a second.
double compute_peak_gflops(struct compute *compute);
double compute_sustained_gflops(struct compute *compute);
bool compute_bandwidth(struct compute *compute, double *gigabytes, struct error *error) WARN_UNUSED;

// ---- where time goes ----

enum compute_operation {
    COMPUTE_PRODUCT,          // x · Wᵀ: forward
    COMPUTE_PRODUCT_INPUT,    // dy · W: the gradient of the input
    COMPUTE_PRODUCT_WEIGHT,   // dyᵀ · x: the gradient of a weight
    COMPUTE_PRODUCT_THIN,     // any of these with a side of at most 64: LoRA
    COMPUTE_PRODUCT_FEW_ROWS, // decoding
    COMPUTE_ATTENTION,
    COMPUTE_ATTENTION_BACKWARD,
    COMPUTE_CROSS_ENTROPY,
    COMPUTE_RMSNORM,
    COMPUTE_RMSNORM_BACKWARD,
    COMPUTE_SWIGLU,
    COMPUTE_SWIGLU_BACKWARD,
    COMPUTE_ROPE,
    COMPUTE_ELEMENTWISE, // sums, biases, dropout
    COMPUTE_EMBEDDING,
    COMPUTE_OPTIMIZER,
    COMPUTE_OPERATIONS
};

extern const char *const compute_operation_names[COMPUTE_OPERATIONS];

// What one kind of operation took. Bytes are those that must pass memory once: each operand read,
// each result written (and read, where it is added to).
struct compute_profile {
    uint64_t calls;
    double seconds, operations, bytes;
};

// From here on every operation adds to profiles[COMPUTE_OPERATIONS], borrowed; NULL: no more.
void compute_profile_into(struct compute *compute, struct compute_profile *profiles);

// ---- operands (operand.c) ----

// What products read on their left: activations and their gradients, in the type of the path's
// product kernel, f32 or bf16. Operations that make such rows write them in that type at once.
struct operand {
    void *data;
    size_t stride; // elements from one row to the next: compute_operand_stride(), or a view's
};

enum data_type compute_operand_type(const struct compute *compute);

// Room for whole vectors, and an odd number of cache lines, so that rows do not all fall onto the
// same few lines of the cache.
size_t compute_operand_stride(size_t columns);

struct matrix compute_operand_matrix(
    const struct compute *compute, struct operand operand, size_t rows, size_t columns);

// The same rows from `column` on.
struct operand compute_operand_at(
    const struct compute *compute, struct operand operand, size_t row, size_t column);

void compute_to_operand(
    struct compute *compute, struct operand to, const float *x, size_t rows, size_t columns);

// to [columns, rows] = fromᵀ, with zeros up to a whole number of the kernel's steps along k.
void compute_transpose(
    struct compute *compute, struct operand to, struct operand from, size_t rows, size_t columns);

// ---- products (product.c) ----

// A part of a sum of products: a · bᵀ with b [n, k], or a · b with b [k, n].
struct product_term {
    struct matrix a; // [m, k], of the operand type; where k is odd, a row has a zero behind it
    struct matrix b; // of any type
    bool b_transposed;
};

enum product_finish_kind {
    PRODUCT_STORE,           // to_f32 = alpha · p (+ addend) (+ bias)
    PRODUCT_STORE_OPERAND,   // to = alpha · p (+ bias)
    PRODUCT_ADD_TRANSPOSED,  // to_f32 [n, m] += alpha · pᵀ
    PRODUCT_SWIGLU,          // p and its twin are gate and up: gate, up and `to` = silu(gate) · up
    PRODUCT_SWIGLU_BACKWARD, // p is the gradient of silu(gate) · up, which `to` gets once more, and
                             // the gradients take the places of gate and up
    PRODUCT_LOGITS, // to = p, for compute_cross_entropy
    PRODUCT_FINISHES
};

struct product_finish {
    enum product_finish_kind kind;
    float alpha;
    float *to_f32;
    size_t to_stride; // of to_f32 and addend
    const float *addend;
    const float *bias, *twin_bias;
    struct operand to, gate, up, dgate, dup;
};

// The sum of the terms, [m, n], and what becomes of it. Twin terms, where there are any, make a
// second product of the same shape whose tiles are finished together with the first one's.
struct product {
    enum compute_operation operation; // as which it is counted
    const struct product_term *terms, *twin_terms;
    size_t term_count; // of each, up to PRODUCT_TERMS
    size_t m, n;
    struct product_finish finish;
};

enum { PRODUCT_TERMS = 6 };

// All of them in one parallel run: none may read what another writes.
void compute_products(struct compute *compute, const struct product *products, size_t count);

// The same with a matrix in memory in place of a product (without a twin). A vector may be read
// behind its end.
void compute_finish(struct compute *compute, const struct product_finish *finish,
    const float *values, size_t rows, size_t columns);

enum gemm_form {
    GEMM_NT, // C[m,n] = A[m,k] · B[n,k]ᵀ: a linear layer, whose weights are [out, in]
    GEMM_NN, // C[m,n] = A[m,k] · B[k,n]: the gradient of its input
    GEMM_TN, // C[m,n] = A[k,m]ᵀ · B[k,n]: the gradient of its weights
};

// One product of matrices of any type: C = alpha · product, or C += alpha · product with
// `accumulate`. `c_stride` in floats.
void compute_gemm(struct compute *compute, enum gemm_form form, struct matrix a, struct matrix b,
    float *c, size_t c_stride, float alpha, bool accumulate);

// The form NT for few rows of A (decoding), where time goes into reading B: every type of B has a
// kernel that reads it once. The sum of one element does not depend on how many rows there are.
void compute_few_rows(struct compute *compute, const float *a, size_t a_stride, size_t m,
    struct matrix b, float *c, size_t c_stride, float alpha, bool accumulate);

// ---- rows (reference.c, rows.c) ----

// y = x · weight / rms(x), row by row; inverse_rms [rows] is kept for the backward pass (may be
// NULL).
void compute_rmsnorm(struct compute *compute, float *y, float *inverse_rms, const float *x,
    const float *weight, size_t rows, size_t columns, float epsilon);

// The same with an operand for y.
void compute_rmsnorm_operand(struct compute *compute, struct operand y, float *inverse_rms,
    const float *x, const float *weight, size_t rows, size_t columns, float epsilon);

// The same once more, bit for bit, with the inverse_rms that the first time gave.
void compute_rmsnorm_again(struct compute *compute, struct operand y, const float *inverse_rms,
    const float *x, const float *weight, size_t rows, size_t columns);

// dx += …, and a copy of the sum as an operand (whose data may be NULL: none); dweight += … (NULL
// where the weight is frozen).
void compute_rmsnorm_backward(struct compute *compute, float *dx, struct operand dx_operand,
    float *dweight, const float *dy, const float *x, const float *weight, const float *inverse_rms,
    size_t rows, size_t columns);

// How rows are rotated: element i of a head with i + head_dim / 2, or, with `interleaved` (the
// order of Llama's GGUF files), 2i with 2i + 1.
struct rotation {
    const int32_t *positions;   // [rows]
    const float *cosine, *sine; // [position][head_dim / 2]
    size_t head_dim;
    bool interleaved;
};

// The first `heads` heads of each row in place; direction 1 forward, -1 for the gradient.
void compute_rope(struct compute *compute, const struct rotation *rotation, float *x, size_t stride,
    size_t rows, size_t heads, int direction);

// The same from f32 [rows, heads · head_dim] to an operand.
void compute_rope_operand(struct compute *compute, const struct rotation *rotation,
    struct operand to, const float *x, size_t rows, size_t heads, int direction);

// y = silu(gate) · up, over `count` elements. y may be gate or up itself.
void compute_swiglu(
    struct compute *compute, float *y, const float *gate, const float *up, size_t count);

// Dropout (Srivastava et al. 2014) as PyTorch has it: an element is kept with probability 1 -
// `probability` and then divided by that, else it is 0. Which are kept is a function of key, stream
// and place, so that forward, backward and a resumed run agree.
struct dropout {
    uint64_t key, stream;
    float probability;
};

// y = dropout(x), of operands.
void compute_dropout(struct compute *compute, const struct dropout *dropout, struct operand x,
    struct operand y, size_t rows, size_t columns);

// y += dropout(x).
void compute_dropout_add(struct compute *compute, const struct dropout *dropout, const float *x,
    float *y, size_t rows, size_t columns);

// y[row] += bias, in each row of `columns`.
void compute_add_bias(
    struct compute *compute, float *y, const float *bias, size_t rows, size_t columns);

// dbias += Σ dy[row], rows in order.
void compute_bias_backward(
    struct compute *compute, float *dbias, struct operand dy, size_t rows, size_t columns);

// x[row] = table[token]; the caller has checked the tokens.
void compute_embedding(
    struct compute *compute, float *x, const int32_t *tokens, size_t rows, struct matrix table);

// dtable[token] += dx[row], rows in order.
void compute_embedding_backward(struct compute *compute, float *dtable, const float *dx,
    const int32_t *tokens, size_t rows, size_t columns);

// ---- attention (attention.c, attention_backward.c) ----

// Query rows that follow one another in a sequence: positions first_position, first_position + 1,
// …; the query at position p sees the keys 0 … p of the sequence, or the last `window` of them.
// Keys and values of the positions from first_key on are rows of `keys` and `values` [positions,
// kv_heads · head_dim], f32 or operands; those before are found along `parent`.
struct attention_span {
    size_t first_row, query_count, first_position;
    struct matrix keys, values;
    size_t first_key;
    const struct attention_span *parent; // NULL where first_key is 0
};

struct attention_shape {
    size_t heads, kv_heads, head_dim;
    float scale;   // 1 / sqrt(head_dim)
    size_t window; // keys that a query sees, its own among them; 0 for all
};

// Causal softmax attention with grouped queries, computed block by block (Dao et al. 2022): the
// matrix of scores never exists.
struct attention {
    const struct attention_span *spans;
    size_t span_count;
    struct attention_shape shape;
    struct matrix query;   // [rows, heads · head_dim], f32 or operands
    float *output_f32;     // the same shape without gaps, or NULL: `output`
    struct operand output; // the same shape
    float *log_sum_exp;    // [rows, heads]: kept for the backward pass; may be NULL
};

// The largest head_dim that scratch has room for.
enum { ATTENTION_HEAD_DIM = 512 };

void compute_attention(struct compute *compute, const struct attention *attention);

// f32 without gaps, overwritten: dquery [rows, heads · head_dim], dkeys and dvalues [rows, kv_heads
// · head_dim]; and delta [rows, heads], which only the pass itself needs.
struct attention_gradient {
    struct operand doutput;
    float *dquery, *dkeys, *dvalues, *delta;
};

// Queries and output are operands. The keys of a span are those of its own rows (first_key is
// first_position), and the spans of a tree stand one behind the other, parents before children.
void compute_attention_backward(struct compute *compute, const struct attention *attention,
    const struct attention_gradient *gradient);

// ---- loss (loss.c) ----

// Row by row: losses = -log softmax(logits)[target] (unweighted), hits = 1 where the target has the
// largest logit, else 0. `logits` [rows, vocabulary] are what PRODUCT_LOGITS stored, and become,
// where `gradient`, weight · (softmax - one-hot), an operand; else they are good for nothing more.
void compute_cross_entropy(struct compute *compute, struct operand logits, float *losses,
    float *hits, const int32_t *targets, const float *weights, size_t rows, size_t vocabulary,
    bool gradient);

// ---- optimizer (optimizer.c) ----

double compute_square_sum(struct compute *compute, const float *x, size_t count);

struct adamw {
    float learning_rate;
    float beta1;
    float beta2;
    float epsilon;
    float weight_decay;
    uint64_t step;        // of this update, from 1: for the bias correction
    float gradient_scale; // clipping: gradients are multiplied by it first
};

// AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW computes it.
void compute_adamw(struct compute *compute, const struct adamw *settings, float *parameters,
    const float *gradients, float *first_moment, float *second_moment, size_t count);

struct muon {
    float learning_rate;
    float momentum;
    float gradient_scale;
    float weight_decay; // parameters shrink by learning_rate · weight_decay of themselves
};

// Muon (Jordan 2024) for one matrix [rows, columns]: Nesterov momentum, orthogonalised by five
// Newton- Schulz steps, scaled by sqrt(max(1, rows / columns)). `scratch` holds
// compute_muon_scratch() floats.
void compute_muon(struct compute *compute, const struct muon *settings, float *parameters,
    const float *gradients, float *momentum_buffer, size_t rows, size_t columns, float *scratch);
size_t compute_muon_scratch(size_t rows, size_t columns);

#endif
