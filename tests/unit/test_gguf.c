// What the reader of GGUF files refuses, by name, and the tokenizers and rotations that it makes of
// them.
#include "base/memory.h"
#include "model/gguf.h"
#include "model/gguf_writer.h"
#include "model/model_config.h"
#include "model/tokenizer.h"
#include "test_directory.h"
#include <math.h>

enum { HIDDEN = 32, VOCABULARY = 9 };

// What a file has that a good one has not; NULL or 0 for nothing.
struct fault {
    const char *architecture; // "llama"
    const char *text_key, *text;
    const char *number_key;
    uint32_t number;
    const char *tensor; // one more
    enum data_type tensor_type;
    size_t tensor_elements;
    const float *tensor_values;
    const char *without; // a tensor that is left out
    const char *model, *pre;
    const char *twice; // the last token again
};

// ---- files ----

static const char *const pieces[VOCABULARY] = {
    "<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab", "▁ab"};

static void write_sizes(struct gguf_writer *writer, const char *architecture) {
    static const struct {
        const char *key;
        uint32_t value;
    } sizes[] = {{"block_count", 1}, {"context_length", 64}, {"embedding_length", HIDDEN},
        {"feed_forward_length", HIDDEN}, {"attention.head_count", 2}};
    char key[64];
    gguf_writer_text(writer, "general.architecture", architecture);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(key, sizeof key, "%s.%s", architecture, sizes[i].key);
        gguf_writer_uint32(writer, key, sizes[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", architecture);
    gguf_writer_float32(writer, key, 1e-5f);
}

static void write_vocabulary(struct gguf_writer *writer, const struct fault *fault) {
    static const int32_t types[VOCABULARY] = {2, 3, 3, 1, 1, 1, 1, 1, 1};
    static const float scores[VOCABULARY] = {0, 0, 0, -9, -9, -9, -1, -2, -3};
    static const char *const byte_pieces[] = {"a b"};
    const char *texts[VOCABULARY];
    memcpy(texts, pieces, sizeof texts);
    if (fault->twice) texts[VOCABULARY - 1] = fault->twice;
    gguf_writer_text(writer, "tokenizer.ggml.model", fault->model ? fault->model : "llama");
    if (fault->pre) gguf_writer_text(writer, "tokenizer.ggml.pre", fault->pre);
    gguf_writer_texts(writer, "tokenizer.ggml.tokens", texts, VOCABULARY);
    gguf_writer_floats(writer, "tokenizer.ggml.scores", scores, VOCABULARY);
    gguf_writer_int32s(writer, "tokenizer.ggml.token_type", types, VOCABULARY);
    gguf_writer_texts(writer, "tokenizer.ggml.merges", byte_pieces, 1);
}

struct written {
    struct gguf_writer *writer;
    size_t bytes[32];
    size_t count;
};

static void add(struct written *w, const struct fault *fault, const char *name, size_t rows) {
    size_t shape[] = {rows, HIDDEN};
    if (fault->without && !strcmp(name, fault->without)) return;
    if (rows == 1)
        gguf_writer_tensor(w->writer, name, DATA_F32, 1, shape + 1);
    else
        gguf_writer_tensor(w->writer, name, DATA_F32, 2, shape);
    w->bytes[w->count++] = rows * HIDDEN * sizeof(float);
}

static void write_tensors(struct written *w, const struct fault *fault) {
    static const char *const linear[] = {
        "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
    char name[64];
    add(w, fault, "token_embd.weight", VOCABULARY);
    add(w, fault, "output_norm.weight", 1);
    for (size_t i = 0; i < sizeof linear / sizeof *linear; i++) {
        snprintf(name, sizeof name, "blk.0.%s.weight", linear[i]);
        add(w, fault, name, HIDDEN);
    }
    add(w, fault, "blk.0.attn_norm.weight", 1);
    add(w, fault, "blk.0.ffn_norm.weight", 1);
}

static void write_gguf(const char *path, const struct fault *fault) {
    static const float zeros[HIDDEN * HIDDEN];
    struct written w = {0};
    struct error error = {0};
    assert_true(gguf_writer_create(&w.writer, &error));
    write_sizes(w.writer, fault->architecture ? fault->architecture : "llama");
    write_vocabulary(w.writer, fault);
    if (fault->text_key) gguf_writer_text(w.writer, fault->text_key, fault->text);
    if (fault->number_key) gguf_writer_uint32(w.writer, fault->number_key, fault->number);
    write_tensors(&w, fault);
    if (fault->tensor)
        gguf_writer_tensor(w.writer, fault->tensor, fault->tensor_type, 1, &fault->tensor_elements);
    assert_true(gguf_writer_start(w.writer, path, &error));
    for (size_t i = 0; i < w.count; i++)
        assert_true(gguf_writer_append(w.writer, zeros, w.bytes[i], &error));
    if (fault->tensor)
        assert_true(
            gguf_writer_append(w.writer, fault->tensor_values ? fault->tensor_values : zeros,
                data_type_bytes(fault->tensor_type, fault->tensor_elements), &error));
    if (!gguf_writer_finish(w.writer, &error)) fail_msg("%s", error.message);
    gguf_writer_free(w.writer);
}

// ---- refusals ----

static bool read_all(const char *path, struct error *error) {
    char *bytes;
    size_t length;
    assert_true(file_read(path, 1 << 24, &bytes, &length, error));
    bool ok = gguf_check(bytes, length, error);
    memory_free(bytes);
    return ok;
}

static void test_gguf_refuses_what_it_does_not_compute_by_name(void **state) {
    (void)state;
    static const float wrong_divisors[8] = {1, 1, 2, 2, 3, 3, 4, 4};
    static const struct {
        struct fault fault;
        const char *says;
    } cases[] = {
        {{.architecture = "gemma"}, "general.architecture is 'gemma'"},
        {{.text_key = "general.type", .text = "adapter"}, "general.type is 'adapter'"},
        {{.number_key = "split.count", .number = 2}, "split.count is 2"},
        {{.number_key = "llama.expert_count", .number = 8}, "'llama.expert_count' is 8"},
        {{.number_key = "llama.wonder", .number = 8}, "the key 'llama.wonder'"},
        {{.number_key = "llama.rope.dimension_count", .number = 8}, "'llama.rope.dimension_count'"},
        {{.number_key = "llama.attention.sliding_window", .number = 8},
            "'llama.attention.sliding_window' is 8"},
        {{.text_key = "llama.rope.scaling.type", .text = "yarn"}, "'yarn'"},
        {{.text_key = "llama.block_count2", .text = "x"}, "'llama.block_count2'"},
        {{.tensor = "blk.0.ffn_gate_inp.weight", .tensor_elements = HIDDEN},
            "'blk.0.ffn_gate_inp.weight'"},
        {{.tensor = "blk.0.attn_q_norm.weight", .tensor_elements = 16},
            "'blk.0.attn_q_norm.weight'"},
        {{.tensor = "blk.0.attn_q.bias", .tensor_elements = HIDDEN}, "biases"},
        {{.tensor = "rope_freqs.weight", .tensor_elements = 8, .tensor_values = wrong_divisors},
            "'rope_freqs.weight' divides frequency"},
        {{.without = "token_embd.weight"}, "'token_embd.weight'"},
        {{.model = "t5"}, "tokenizer.ggml.model is 't5'"},
        {{.model = "gpt2", .pre = "wonder"}, "tokenizer.ggml.pre is 'wonder'"},
        {{.twice = "ab"}, "token 8, 'ab', stands twice"},
        {{.twice = ""}, "token 8, '', is empty"},
        {{.number_key = "tokenizer.ggml.eos_token_id", .number = 100}, "100, of 9 tokens"},
        {{.text_key = "tokenizer.huggingface.json", .text = "{"}, "tokenizer.huggingface.json"},
    };
    char directory[FILE_PATH_SIZE];
    test_directory_make(directory);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        const char *path = test_path(directory, "model.gguf");
        write_gguf(path, &cases[i].fault);
        if (read_all(path, &error)) fail_msg("case %zu was taken", i);
        if (!strstr(error.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].says);
    }
    test_directory_remove(directory);
}

static void test_gguf_refuses_types_of_tensors_by_name(void **state) {
    (void)state;
    char directory[FILE_PATH_SIZE], *bytes;
    size_t length;
    struct error error = {0};
    test_directory_make(directory);
    const char *path = test_path(directory, "model.gguf");
    write_gguf(path, &(struct fault){0});
    assert_true(file_read(path, 1 << 24, &bytes, &length, &error));
    char *name = memmem(bytes, length, "blk.0.attn_v.weight", 19);
    assert_non_null(name);
    uint32_t type = 12; // behind the name: the count of dimensions, two sizes, the type
    memcpy(name + 19 + 4 + 16, &type, sizeof type);
    assert_false(gguf_check(bytes, length, &error));
    assert_non_null(strstr(error.message, "blk.0.attn_v.weight"));
    type = 2;
    memcpy(name + 19 + 4 + 16, &type, sizeof type);
    assert_false(gguf_check(bytes, length, &error));
    assert_non_null(strstr(error.message, "Q4_0"));
    memory_free(bytes);
    test_directory_remove(directory);
}

static void test_gguf_refuses_a_file_that_is_cut_off_anywhere(void **state) {
    (void)state;
    char directory[FILE_PATH_SIZE], *bytes;
    size_t length;
    struct error error = {0};
    test_directory_make(directory);
    const char *path = test_path(directory, "model.gguf");
    write_gguf(path, &(struct fault){0});
    assert_true(file_read(path, 1 << 24, &bytes, &length, &error));
    assert_true(gguf_check(bytes, length, &error));
    for (size_t cut = 0; cut < length; cut += cut < 3000 ? 1 : 97)
        assert_false(gguf_check(bytes, cut, &error));
    memory_free(bytes);
    test_directory_remove(directory);
}

static void test_gguf_refuses_a_table_that_lies(void **state) {
    (void)state;
    static const char name[] = "blk.0.attn_v.weight";
    static const struct {
        size_t at; // behind the name, or, from 1000 on, in the file
        uint64_t value;
        const char *says;
    } cases[] = {
        {4, 0, "a dimension is 0"},
        {4, UINT64_MAX / 2, "a dimension is 0, or their product too large"},
        {4, 1 << 20, "outside the file"},
        {24, 1, "not aligned"},
        {24, 0, "over another's"},
        {24, UINT64_MAX - 31, "outside the file"},
        {1008, UINT64_MAX, "tensors: it is cut off"},
        {1016, UINT64_MAX, "values: it is cut off"},
        {1016, 1 << 15, "values: it is cut off"},
    };
    char directory[FILE_PATH_SIZE], *bytes;
    size_t length;
    struct error error = {0};
    test_directory_make(directory);
    const char *path = test_path(directory, "model.gguf");
    write_gguf(path, &(struct fault){0});
    assert_true(file_read(path, 1 << 24, &bytes, &length, &error));
    char *behind = (char *)memmem(bytes, length, name, strlen(name)) + strlen(name);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *place = cases[i].at < 1000 ? behind + cases[i].at : bytes + cases[i].at - 1000;
        uint64_t good;
        memcpy(&good, place, sizeof good);
        memcpy(place, &cases[i].value, sizeof good);
        if (gguf_check(bytes, length, &error)) fail_msg("case %zu was taken", i);
        if (!strstr(error.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].says);
        memcpy(place, &good, sizeof good);
    }
    assert_true(gguf_check(bytes, length, &error));
    memory_free(bytes);
    test_directory_remove(directory);
}

static void test_gguf_refuses_tensors_and_keys_that_stand_twice(void **state) {
    (void)state;
    static const struct fault faults[] = {
        {.tensor = "output_norm.weight", .tensor_elements = HIDDEN},
        {.number_key = "llama.block_count", .number = 1},
    };
    char directory[FILE_PATH_SIZE];
    test_directory_make(directory);
    for (size_t i = 0; i < 2; i++) {
        struct error error = {0};
        write_gguf(test_path(directory, "model.gguf"), &faults[i]);
        assert_false(read_all(test_path(directory, "model.gguf"), &error));
        assert_non_null(strstr(error.message, "stands twice"));
    }
    test_directory_remove(directory);
}

// ---- what is made of a file ----

static void test_gguf_models_are_found_by_directory_and_by_file(void **state) {
    (void)state;
    char directory[FILE_PATH_SIZE], found[FILE_PATH_SIZE];
    test_directory_make(directory);
    assert_false(gguf_find(found, sizeof found, directory));
    write_gguf(test_path(directory, "model.gguf"), &(struct fault){0});
    assert_true(gguf_find(found, sizeof found, directory));
    assert_string_equal(found, test_path(directory, "model.gguf"));
    assert_true(gguf_find(found, sizeof found, test_path(directory, "model.gguf")));
    assert_false(gguf_find(found, sizeof found, test_path(directory, "other.gguf")));
    test_write(directory, "config.json", "{}");
    assert_false(gguf_find(found, sizeof found, directory));
    test_directory_remove(directory);
}

static void test_gguf_scores_become_merges_in_their_order(void **state) {
    (void)state;
    char directory[FILE_PATH_SIZE];
    struct tokenizer *tokenizer;
    struct token_ids ids = {0};
    struct error error = {0};
    test_directory_make(directory);
    write_gguf(test_path(directory, "model.gguf"), &(struct fault){0});
    if (!tokenizer_open(&tokenizer, directory, &error)) fail_msg("%s", error.message);
    assert_true(tokenizer_encode(tokenizer, "ab b", 4, false, &ids, &error));
    // "▁ab▁b": "▁a" has the best score, then nothing makes "ab", and "▁ab" is of "▁a" and "b".
    const int32_t wanted[] = {8, 3, 5};
    assert_int_equal(ids.count, 3);
    assert_memory_equal(ids.ids, wanted, sizeof wanted);
    assert_int_equal(tokenizer_bos(tokenizer), 1);
    token_ids_free(&ids);
    tokenizer_close(tokenizer);
    test_directory_remove(directory);
}

static void test_gguf_divisors_of_llama_3_become_its_scaling(void **state) {
    (void)state;
    char directory[FILE_PATH_SIZE];
    struct model_config wanted = {.head_dim = 16, .rope_theta = 1e4}, config;
    float plain[8], scaled[8], found[8];
    struct error error = {0};
    test_directory_make(directory);
    wanted.rope_scaling = ROPE_SCALING_NONE;
    model_config_rope_frequencies(&wanted, plain);
    wanted.rope_scaling = ROPE_SCALING_LLAMA3;
    wanted.rope_factor = 32;
    wanted.rope_low_frequency_factor = 1;
    wanted.rope_high_frequency_factor = 4;
    wanted.rope_original_context = 8192;
    model_config_rope_frequencies(&wanted, scaled);
    for (size_t i = 0; i < 8; i++)
        plain[i] /= scaled[i];
    write_gguf(test_path(directory, "model.gguf"),
        &(struct fault){
            .tensor = "rope_freqs.weight", .tensor_elements = 8, .tensor_values = plain});
    if (!model_config_load(&config, directory, &error)) fail_msg("%s", error.message);
    assert_int_equal(config.rope_scaling, ROPE_SCALING_LLAMA3);
    assert_true(config.rope_interleaved);
    model_config_rope_frequencies(&config, found);
    for (size_t i = 0; i < 8; i++)
        assert_true(fabsf(found[i] - scaled[i]) <= 1e-6f * scaled[i]);
    test_directory_remove(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf_refuses_what_it_does_not_compute_by_name),
        cmocka_unit_test(test_gguf_refuses_types_of_tensors_by_name),
        cmocka_unit_test(test_gguf_refuses_a_file_that_is_cut_off_anywhere),
        cmocka_unit_test(test_gguf_refuses_a_table_that_lies),
        cmocka_unit_test(test_gguf_refuses_tensors_and_keys_that_stand_twice),
        cmocka_unit_test(test_gguf_models_are_found_by_directory_and_by_file),
        cmocka_unit_test(test_gguf_scores_become_merges_in_their_order),
        cmocka_unit_test(test_gguf_divisors_of_llama_3_become_its_scaling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
