// What commands tell of a model, for people and as JSON, in one place.
#ifndef CLI_MODEL_FACTS_H
#define CLI_MODEL_FACTS_H

#include "base/model_manifest.h"
#include "model/model_check.h"
#include <jansson.h>

enum { FACT_SIZE = 64 };

// "16.1 GB", "752 KB".
void fact_bytes(char text[FACT_SIZE], uint64_t bytes);

// "8.03 billion", "28.3 million".
void fact_count(char text[FACT_SIZE], uint64_t count);

// Adds "parameters", "bytes", "type" and "context_length".
void model_facts_json(json_t *object, const struct model_report *report);

// Tells that a model is there now, on standard output: in sentences, or (`as_json`) as an object.
// `weights` is where they lie.
void model_facts_added(const struct model_manifest *manifest, const char *directory,
    const char *weights, const struct model_report *report, bool as_json);

#endif
