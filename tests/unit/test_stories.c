// Models that nobody here made: the 20-step curve of LoRA on stories260K as PyTorch has it, and a
// story that TinyStories-656K goes on with.
#include "base/memory.h"
#include "generate/kv_cache.h"
#include "generate/sampler.h"
#include "model/tokenizer.h"
#include "model/transformer_training.h"
#include "test_model.h"
#include <jansson.h>
#include <math.h>

#define SHARED TEMPER_SOURCE_DIR "/../shared/data/weights/"

static bool is_absent(const char *path) {
    if (file_exists(path)) return false;
    print_message("skipped: %s is not here\n", path);
    return true;
}

// ---- stories260K, in llama2.c's format: a header of seven int32, then the weights, f32 ----

struct stories {
    struct model_config config;
    struct parameters *parameters;
    const float *at;
    size_t left;
};

static void take(struct stories *s, float *to, size_t count) {
    assert_true(count <= s->left);
    memcpy(to, s->at, count * sizeof *to);
    s->at += count;
    s->left -= count;
}

// From pairs side by side (llama2.c) to halves (Hugging Face): the rows of each head are reordered.
static void take_rotated(struct stories *s, float *to, size_t heads, size_t columns) {
    size_t dim = s->config.head_dim;
    for (size_t head = 0; head < heads; head++)
        for (size_t i = 0; i < dim; i++)
            take(s, to + (head * dim + i / 2 + i % 2 * (dim / 2)) * columns, columns);
}

static float *of(
    struct stories *s, enum parameter_kind kind, size_t layer, enum lora_module module) {
    return s->parameters->values + parameters_offset(s->parameters, kind, layer, module);
}

static void read_layers(struct stories *s) {
    const struct model_config *c = &s->config;
    size_t h = c->hidden_size, f = c->intermediate_size, kv = c->kv_heads * c->head_dim;
    for (size_t l = 0; l < c->layers; l++)
        take(s, of(s, PARAMETER_INPUT_NORM, l, 0), h);
    for (size_t l = 0; l < c->layers; l++)
        take_rotated(s, of(s, PARAMETER_LINEAR, l, LORA_Q), c->heads, h);
    for (size_t l = 0; l < c->layers; l++)
        take_rotated(s, of(s, PARAMETER_LINEAR, l, LORA_K), c->kv_heads, h);
    for (size_t l = 0; l < c->layers; l++)
        take(s, of(s, PARAMETER_LINEAR, l, LORA_V), kv * h);
    for (size_t l = 0; l < c->layers; l++)
        take(s, of(s, PARAMETER_LINEAR, l, LORA_O), h * h);
    for (size_t l = 0; l < c->layers; l++)
        take(s, of(s, PARAMETER_ATTENTION_NORM, l, 0), h);
    for (size_t l = 0; l < c->layers; l++)
        take(s, of(s, PARAMETER_LINEAR, l, LORA_GATE), f * h);
    for (size_t l = 0; l < c->layers; l++)
        take(s, of(s, PARAMETER_LINEAR, l, LORA_DOWN), h * f);
    for (size_t l = 0; l < c->layers; l++)
        take(s, of(s, PARAMETER_LINEAR, l, LORA_UP), f * h);
}

static void open_stories(struct stories *s, char *bytes, size_t length) {
    int32_t header[7];
    struct error error;
    memcpy(header, bytes, sizeof header);
    s->config = (struct model_config){.model_type = "llama",
        .hidden_size = (size_t)header[0],
        .intermediate_size = (size_t)header[1],
        .layers = (size_t)header[2],
        .heads = (size_t)header[3],
        .kv_heads = (size_t)header[4],
        .vocabulary_size = (size_t)header[5],
        .context_length = (size_t)header[6],
        .head_dim = (size_t)(header[0] / header[3]),
        .rms_norm_epsilon = 1e-5f,
        .rope_theta = 1e4,
        .rope_factor = 1,
        .tied_embeddings = true,
        .bos_token = 1};
    assert_true(parameters_create(&s->parameters, &s->config, &error));
    s->at = (const float *)(bytes + sizeof header);
    s->left = (length - sizeof header) / sizeof(float);
    take(s, of(s, PARAMETER_EMBEDDING, 0, 0), s->config.vocabulary_size * s->config.hidden_size);
    read_layers(s);
    take(s, of(s, PARAMETER_FINAL_NORM, 0, 0), s->config.hidden_size);
}

static void set_first_a(struct lora *lora) {
    for (size_t e = 0; e < lora->entry_count; e++)
        for (size_t i = 0; i < lora->rank; i++)
            for (size_t j = 0; j < lora->entries[e].in; j++)
                lora->parameters[lora->entries[e].a_offset + i * lora->entries[e].in + j] =
                    (float)(((int)(i * 31 + j * 17) % 13 - 6) / 60.0);
}

static void run_curve(struct stories *s, const json_t *golden) {
    enum { MAX_TOKENS = 1024 };
    const json_t *ids = json_object_get(golden, "tokens");
    const json_t *losses = json_object_get(golden, "loss_per_step");
    size_t count = json_array_size(ids), rows = count - 1;
    static int32_t tokens[MAX_TOKENS];
    static struct training_target targets[MAX_TOKENS];
    struct transformer *transformer;
    struct compute *compute;
    struct training *training;
    struct lora *lora;
    struct error error;
    assert_true(count > 2 && count <= MAX_TOKENS);
    for (size_t i = 0; i < count; i++) {
        tokens[i] = (int32_t)json_integer_value(json_array_get(ids, i));
        if (i)
            targets[i - 1] = (struct training_target){
                (uint32_t)(i - 1), tokens[i], (float)(1.0 / (double)rows), 1};
    }
    assert_true(compute_create(&compute, 1, COMPUTE_REFERENCE, &error));
    assert_true(transformer_over(&transformer, &s->config, s->parameters, &error));
    assert_true(lora_create(&lora, &s->config, 4, 8, 1 << LORA_Q | 1 << LORA_V, 0, &error));
    set_first_a(lora);
    assert_true(training_create(&training, transformer, compute, rows, lora, UINT64_MAX, &error));
    float *memory = memory_alloc_zeroed(3 * lora->count, sizeof *memory);
    struct training_sequence sequence = {0, rows, TRAINING_NO_PARENT};
    struct training_batch batch = {tokens, rows, &sequence, 1, targets, rows, 0};
    assert_true(json_array_size(losses) >= 20);
    for (size_t step = 0; step < json_array_size(losses); step++) {
        struct training_result result = {0};
        struct adamw adamw = {1e-2f, 0.9f, 0.999f, 1e-8f, 0, step + 1, 1};
        double wanted = json_number_value(json_array_get(losses, step));
        memset(memory, 0, lora->count * sizeof *memory);
        training_step(training, &batch, memory, &result, NULL);
        if (fabs(result.loss - wanted) > 1e-3 * wanted)
            fail_msg("step %zu: loss %.7f, PyTorch has %.7f", step, result.loss, wanted);
        compute_adamw(compute, &adamw, lora->parameters, memory, memory + lora->count,
            memory + 2 * lora->count, lora->count);
    }
    memory_free(memory);
    training_free(training);
    lora_free(lora);
    transformer_close(transformer);
    compute_free(compute);
}

static void test_stories260k_learns_along_the_curve_of_pytorch(void **state) {
    (void)state;
    const char *weights = SHARED "stories260K/stories260K.bin";
    const char *goldens = SHARED "stories260K/torch_grad_lora_goldens.json";
    struct stories stories;
    struct error error;
    char *bytes;
    size_t length;
    if (is_absent(weights) || is_absent(goldens)) skip();
    assert_true(file_read(weights, 1 << 24, &bytes, &length, &error));
    open_stories(&stories, bytes, length);
    memory_free(bytes);
    json_t *root = json_load_file(goldens, 0, NULL);
    assert_non_null(root);
    run_curve(&stories, json_object_get(root, "lora"));
    json_decref(root);
    parameters_free(stories.parameters);
}

// ---- TinyStories-656K ----

static void test_tinystories_goes_on_with_a_story(void **state) {
    (void)state;
    static const char beginning[] = "Once upon a time, there was a little girl named";
    const char *directory = SHARED "TinyStories-656K";
    struct transformer *transformer;
    struct tokenizer *tokenizer;
    struct compute *compute;
    struct inference *inference;
    struct error error = {0};
    struct token_ids ids = {0};
    struct kv_sequence kv = {0};
    char story[1024] = "";
    if (is_absent(SHARED "TinyStories-656K/config.json")) skip();
    if (!transformer_open(&transformer, directory, &error) ||
        !tokenizer_open(&tokenizer, directory, &error))
        fail_msg("%s", error.message);
    const struct model_config *config = transformer_config(transformer);
    int32_t bos = tokenizer_bos(tokenizer);
    assert_true(compute_create(&compute, 1, COMPUTE_REFERENCE, &error));
    assert_true(inference_create(&inference, transformer, compute, 256, &error));
    assert_true(bos < 0 || token_ids_append(&ids, &bos, 1, &error));
    assert_true(tokenizer_encode(tokenizer, beginning, strlen(beginning), false, &ids, &error));
    assert_true(kv_cache_reserve(&kv, config, ids.count + 32, &error));
    float *logits = memory_alloc_array(config->vocabulary_size, sizeof *logits);
    struct sampler greedy = {0, 1, 0};
    int32_t *tokens = ids.ids, next = 0;
    size_t count = ids.count;
    for (int i = 0; i < 24; i++) {
        uint32_t last = (uint32_t)count - 1;
        struct inference_span span = {0, count, &kv, NULL};
        assert_true(
            inference_forward(inference, tokens, count, &span, 1, &last, 1, logits, &error));
        next = sampler_pick(&greedy, logits, config->vocabulary_size, 0, NULL);
        size_t length;
        const char *bytes = tokenizer_token_bytes(tokenizer, next, &length);
        strncat(story, bytes, length);
        tokens = &next;
        count = 1;
    }
    print_message("%s%s\n", beginning, story);
    // What a model of that kind says, and broken arithmetic does not: a name, a full stop, then a
    // sentence.
    assert_non_null(strstr(story, ". "));
    assert_true(strstr(story, "She") || strstr(story, "she"));
    memory_free(logits);
    kv_cache_free(&kv);
    token_ids_free(&ids);
    inference_free(inference);
    compute_free(compute);
    tokenizer_close(tokenizer);
    transformer_close(transformer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories260k_learns_along_the_curve_of_pytorch),
        cmocka_unit_test(test_tinystories_goes_on_with_a_story),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
