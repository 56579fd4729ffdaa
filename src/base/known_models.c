#include "base/known_models.h"
#include <string.h>

const struct known_model known_models[KNOWN_MODELS] = {
    {{BUILT_IN_MODEL, "mini-instruct", "temper-mini"}, NULL, NULL},
    {{"meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Meta-Llama-3.1-8B-Instruct",
         "klusterai/Meta-Llama-3.1-8B-Instruct-Turbo"},
        "meta-llama/Llama-3.1-8B-Instruct", "16.1 GB"},
    {{"meta-llama/Llama-3.3-70B-Instruct", "klusterai/Meta-Llama-3.3-70B-Instruct-Turbo"},
        "meta-llama/Llama-3.3-70B-Instruct", "141 GB"},
};

const struct known_model *known_model_find(const char *name) {
    for (size_t i = 0; i < KNOWN_MODELS; i++)
        for (size_t j = 0; j < KNOWN_MODEL_NAMES && known_models[i].names[j]; j++)
            if (!strcmp(name, known_models[i].names[j])) return &known_models[i];
    return NULL;
}
