// What commands tell of a model, for people and as JSON, in one place.
#ifndef CLI_MODEL_FACTS_H
#define CLI_MODEL_FACTS_H

#include "model/model_check.h"
#include <jansson.h>

enum { FACT_SIZE = 64 };

// "16.1 GB", "752 KB".
void fact_bytes(char text[FACT_SIZE], uint64_t bytes);

// "8.03 billion", "28.3 million".
void fact_count(char text[FACT_SIZE], uint64_t count);

// Adds "parameters", "bytes", "type" and "context_length".
void model_facts_json(json_t *object, const struct model_report *report);

// A sentence on standard output: the model by this name is there, what it is, what to do next.
void model_facts_print(const char *id, const struct model_report *report, const char *source);

#endif
