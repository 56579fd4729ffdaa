// A small random model in a directory of its own, for tests of what trains and serves one.
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include "base/file.h"
#include "model/parameters.h"
#include "test_support.h"
#include <stdlib.h>
#include <unistd.h>

static const struct model_config test_model_config = {.model_type = "llama",
    .vocabulary_size = 96,
    .hidden_size = 32,
    .intermediate_size = 48,
    .layers = 2,
    .heads = 4,
    .kv_heads = 2,
    .head_dim = 8,
    .context_length = 128,
    .rms_norm_epsilon = 1e-5f,
    .rope_theta = 1e4,
    .rope_factor = 1,
    .tied_embeddings = true,
    .initializer_range = 0.2f,
    .bos_token = -1};

static const char test_model_json[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 96, \"hidden_size\": 32, "
    "\"intermediate_size\": 48, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
    "\"num_key_value_heads\": 2, \"head_dim\": 8, \"max_position_embeddings\": 128, "
    "\"rms_norm_eps\": 1e-5, \"rope_theta\": 10000.0, \"tie_word_embeddings\": true}";

// A new directory below /tmp; its name is the caller's to remove (file_remove_tree) and free.
static inline char *test_directory(void) {
    char *name = strdup("/tmp/temper-test-XXXXXX");
    assert_non_null(name);
    assert_non_null(mkdtemp(name));
    return name;
}

static inline void test_directory_remove(char *name) {
    struct error error;
    assert_true(file_remove_tree(name, &error));
    free(name);
}

// The test's model, or one with more layers.
static inline char *test_model_directory_of(const struct model_config *config) {
    char *name = test_directory(), path[FILE_PATH_SIZE], json[512];
    struct parameters *parameters;
    struct error error;
    assert_true(parameters_create(&parameters, config, &error));
    parameters_initialise(parameters, config, 7);
    assert_true(parameters_save(parameters, name, DATA_F32, &error));
    parameters_free(parameters);
    assert_true(file_path(path, sizeof path, &error, name, "config.json"));
    const char *layers = strstr(test_model_json, "2, \"num_attention_heads");
    snprintf(json, sizeof json, "%.*s%zu%s", (int)(layers - test_model_json), test_model_json,
        config->layers, layers + 1);
    assert_true(file_write_atomic(path, json, strlen(json), &error));
    return name;
}

static inline char *test_model_directory(void) {
    return test_model_directory_of(&test_model_config);
}

#endif
