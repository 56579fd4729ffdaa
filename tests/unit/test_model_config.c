// config.json as the families' models on the hub have it, older and newer; and what is refused in
// it, by the name of the field and its value.
#include "model/model_config.h"
#include "test_model.h"
#include <math.h>

static bool load(struct model_config *config, const char *text, struct error *error) {
    char *directory = test_directory(), path[FILE_PATH_SIZE];
    *error = (struct error){0};
    assert_true(file_path(path, sizeof path, error, directory, "config.json"));
    assert_true(file_write_atomic(path, text, strlen(text), error));
    bool ok = model_config_load(config, directory, error);
    test_directory_remove(directory);
    return ok;
}

#define SIZES                                                                                      \
    "\"vocab_size\": 96, \"hidden_size\": 32, \"intermediate_size\": 48, "                         \
    "\"num_hidden_layers\": 4, \"num_attention_heads\": 4, "

// A config.json with the sizes above and `fields`.
static bool load_fields(struct model_config *config, const char *fields, struct error *error) {
    char text[2048];
    snprintf(text, sizeof text, "{" SIZES "%s}", fields);
    return load(config, text, error);
}

static struct model_config taken(const char *fields) {
    struct model_config config;
    struct error error;
    if (!load_fields(&config, fields, &error)) fail_msg("%s: %s", fields, error.message);
    return config;
}

static void test_model_config_refuses_by_name_what_it_does_not_compute(void **state) {
    (void)state;
#define LLAMA "\"model_type\": \"llama\", "
#define QWEN "\"model_type\": \"qwen2\", \"num_key_value_heads\": 2, "
#define ROPE LLAMA "\"rope_scaling\": "
    static const struct {
        const char *fields, *name, *value;
    } rows[] = {
        {"\"model_type\": \"gpt2\"", "model_type", "gpt2"},
        {"\"model_type\": \"gemma2\"", "model_type", "gemma2"},
        {"\"model_type\": \"phi3\"", "model_type", "phi3"},
        {"\"model_type\": \"mamba\"", "model_type", "mamba"},
        {"\"tie_word_embeddings\": true", "model_type", "absent"},
        {LLAMA "\"architectures\": [\"LlamaForSequenceClassification\"]", "architectures",
            "LlamaForSequenceClassification"},
        {"\"model_type\": \"mixtral\", \"num_local_experts\": 8", "num_local_experts", "8"},
        {"\"model_type\": \"qwen3_moe\", \"num_experts\": 128", "num_experts", "128"},
        {"\"model_type\": \"deepseek_v3\", \"n_routed_experts\": 256", "n_routed_experts", "256"},
        {LLAMA "\"vision_config\": {\"depth\": 32}", "vision_config", "{\"depth\":32}"},
        {LLAMA "\"audio_config\": {\"depth\": 32}", "audio_config", "{\"depth\":32}"},
        {QWEN "\"use_mrope\": true", "use_mrope", "true"},
        {LLAMA "\"mlp_bias\": true", "mlp_bias", "true"},
        {LLAMA "\"partial_rotary_factor\": 0.5", "partial_rotary_factor", "0.5"},
        {LLAMA "\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.25}",
            "partial_rotary_factor", "0.25"},
        {LLAMA "\"is_causal\": false", "is_causal", "false"},
        {LLAMA "\"hidden_act\": \"gelu\"", "hidden_act", "gelu"},
        {ROPE "{\"rope_type\": \"yarn\", \"factor\": 4.0}", "rope_scaling", "yarn"},
        {ROPE "{\"type\": \"dynamic\", \"factor\": 2.0}", "rope_scaling", "dynamic"},
        {ROPE "{\"rope_type\": \"longrope\"}", "rope_scaling", "longrope"},
        {LLAMA "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4.0}", "rope_scaling",
            "yarn"},
        {LLAMA "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}",
            "rope_parameters", "full_attention"},
        {ROPE "{\"rope_type\": \"linear\"}", "rope_scaling", "factor"},
        {ROPE "{\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, "
              "\"high_freq_factor\": 4.0}",
            "rope_scaling", "original_max_position_embeddings"},
        {"\"model_type\": \"mistral\", \"num_key_value_heads\": 2, \"attention_bias\": true",
            "attention_bias", "true"},
        {"\"model_type\": \"mistral\", \"num_key_value_heads\": 2, \"sliding_window\": 8, "
         "\"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\", "
         "\"sliding_attention\"]",
            "layer_types", "layer 0"},
        {QWEN "\"layer_types\": [\"chunked_attention\", \"full_attention\", \"full_attention\", "
              "\"full_attention\"]",
            "layer_types", "chunked_attention"},
        {QWEN "\"layer_types\": [\"full_attention\"]", "layer_types", "4"},
        {QWEN "\"sliding_window\": 8, \"layer_types\": [\"full_attention\", \"full_attention\", "
              "\"full_attention\", \"sliding_attention\"]",
            "layer_types", "sliding_attention"},
        {LLAMA "\"quantization_config\": {\"quant_method\": \"gptq\"}", "quant_method", "gptq"},
        {LLAMA "\"num_key_value_heads\": 3", "num_key_value_heads", "3"},
        {LLAMA "\"head_dim\": 7", "head", "7"},
        {LLAMA "\"head_dim\": \"x\"", "head_dim", "whole number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model_config config;
        struct error error;
        if (load_fields(&config, rows[i].fields, &error)) fail_msg("taken: %s", rows[i].fields);
        if (!strstr(error.message, rows[i].name) || !strstr(error.message, rows[i].value))
            fail_msg("%s: \"%s\" does not say '%s' and %s", rows[i].fields, error.message,
                rows[i].name, rows[i].value);
    }
}

static void test_model_config_needs_its_sizes(void **state) {
    (void)state;
    struct model_config config;
    struct error error;
    assert_false(load(&config, "{\"model_type\": \"llama\"}", &error));
    assert_non_null(strstr(error.message, "vocab_size"));
    assert_false(load(&config, "{\"model_type\": \"llama\", \"vocab_size\": -1}", &error));
    assert_non_null(strstr(error.message, "vocab_size"));
}

static void test_model_config_takes_what_each_family_leaves_out(void **state) {
    (void)state;
    struct model_config llama = taken("\"model_type\": \"llama\"");
    assert_int_equal(llama.kv_heads, 4);
    assert_int_equal(llama.head_dim, 8);
    assert_int_equal(llama.context_length, 2048);
    assert_false(llama.attention_bias || llama.query_key_norm);
    struct model_config mistral = taken("\"model_type\": \"mistral\", \"num_key_value_heads\": 2");
    assert_int_equal(model_config_window(&mistral, 0), 4096);
    assert_int_equal(mistral.context_length, 131072);
    struct model_config qwen2 = taken("\"model_type\": \"qwen2\", \"num_key_value_heads\": null");
    assert_int_equal(qwen2.kv_heads, 4);
    assert_true(qwen2.attention_bias && !qwen2.attention_output_bias);
    struct model_config qwen3 = taken("\"model_type\": \"qwen3\", \"num_key_value_heads\": 2");
    assert_int_equal(qwen3.head_dim, 128);
    assert_true(qwen3.query_key_norm && !qwen3.attention_bias);
}

static void test_model_config_knows_which_layers_have_a_window(void **state) {
    (void)state;
    static const struct {
        const char *fields;
        size_t windows[4];
    } rows[] = {
        {"\"model_type\": \"mistral\", \"num_key_value_heads\": 2, \"sliding_window\": null",
            {0, 0, 0, 0}},
        {"\"model_type\": \"mistral\", \"num_key_value_heads\": 2, \"sliding_window\": 8",
            {8, 8, 8, 8}},
        {QWEN "\"use_sliding_window\": false, \"sliding_window\": 8, \"max_window_layers\": 2",
            {0, 0, 0, 0}},
        {QWEN "\"sliding_window\": 8, \"max_window_layers\": 2", {0, 0, 0, 0}},
        {QWEN "\"use_sliding_window\": true, \"sliding_window\": 8, \"max_window_layers\": 3",
            {0, 0, 0, 8}},
        {QWEN "\"use_sliding_window\": true, \"sliding_window\": 8, \"max_window_layers\": 0",
            {8, 8, 8, 8}},
        {QWEN "\"use_sliding_window\": true, \"sliding_window\": 8, \"max_window_layers\": 28",
            {0, 0, 0, 0}},
        {QWEN "\"use_sliding_window\": true, \"sliding_window\": 8, \"layer_types\": "
              "[\"sliding_attention\", \"full_attention\", \"sliding_attention\", "
              "\"full_attention\"]",
            {8, 0, 8, 0}},
        {LLAMA "\"sliding_window\": 8", {0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model_config config = taken(rows[i].fields);
        for (size_t layer = 0; layer < 4; layer++)
            if (model_config_window(&config, layer) != rows[i].windows[layer])
                fail_msg("%s: layer %zu sees %zu", rows[i].fields, layer,
                    model_config_window(&config, layer));
    }
}

static void test_model_config_reads_rope_of_older_and_newer_files(void **state) {
    (void)state;
    struct model_config older = taken(LLAMA
        "\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
        "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
        "\"original_max_position_embeddings\": 8192}");
    struct model_config newer = taken(LLAMA
        "\"rope_parameters\": {\"rope_theta\": 500000.0, \"rope_type\": \"llama3\", \"factor\": "
        "8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
        "\"original_max_position_embeddings\": 8192}");
    float of_older[4], of_newer[4];
    model_config_rope_frequencies(&older, of_older);
    model_config_rope_frequencies(&newer, of_newer);
    assert_memory_equal(of_older, of_newer, sizeof of_older);
    assert_float_equal(of_older[3], powf(5e5f, -0.75f) / 8, 1e-8);
    struct model_config linear = taken(ROPE "{\"type\": \"linear\", \"factor\": 4.0}");
    model_config_rope_frequencies(&linear, of_older);
    assert_float_equal(of_older[0], 0.25f, 1e-7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_config_refuses_by_name_what_it_does_not_compute),
        cmocka_unit_test(test_model_config_needs_its_sizes),
        cmocka_unit_test(test_model_config_takes_what_each_family_leaves_out),
        cmocka_unit_test(test_model_config_knows_which_layers_have_a_window),
        cmocka_unit_test(test_model_config_reads_rope_of_older_and_newer_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
