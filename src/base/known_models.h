// Models that this program knows by several names: the built-in one, and those that hosted services
// offer for fine-tuning, which here answer to the service's name and to their makers' alike. One
// table; whether such a model is on this machine is model_directory's to say.
#ifndef BASE_KNOWN_MODELS_H
#define BASE_KNOWN_MODELS_H

#include <stddef.h>

#define BUILT_IN_MODEL "temper/mini-instruct"

enum { KNOWN_MODEL_NAMES = 4, KNOWN_MODELS = 3 };

struct known_model {
    const char *names[KNOWN_MODEL_NAMES]; // the first is its own; NULL behind the last
    const char *hub;                      // what `temper models pull` fetches; NULL: comes with us
    const char *size;                     // on disk, as it is fetched; NULL: comes with us
};

extern const struct known_model known_models[KNOWN_MODELS];

// The model that has this name among its own, or NULL.
const struct known_model *known_model_find(const char *name);

#endif
