// What the readers of a GGUF file share: its metadata by key, and its tensors.
#ifndef MODEL_GGUF_INTERNAL_H
#define MODEL_GGUF_INTERNAL_H

#include "base/file.h"
#include "model/gguf.h"

enum gguf_type {
    GGUF_UINT8,
    GGUF_INT8,
    GGUF_UINT16,
    GGUF_INT16,
    GGUF_UINT32,
    GGUF_INT32,
    GGUF_FLOAT32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_UINT64,
    GGUF_INT64,
    GGUF_FLOAT64,
    GGUF_TYPES
};

// A text in the file: not followed by a NUL, UTF-8 or not.
struct gguf_text {
    const char *bytes;
    size_t length;
};

struct gguf_value {
    struct gguf_text key;
    enum gguf_type type;
    enum gguf_type element; // of an array
    size_t count;           // of an array's elements; else 1
    const uint8_t *data;    // the first element
};

struct gguf_tensor {
    struct gguf_text name; // as the file has it
    uint32_t type;         // ggml's number
    size_t dimensions;
    size_t shape[4]; // as ggml has it: the fastest dimension first
    uint64_t offset;
};

struct gguf {
    struct file_map map;
    size_t value_count;
    struct gguf_value *values; // sorted by key
    size_t tensor_count;
    struct gguf_tensor *tensors;      // sorted by offset
    struct safetensor *model_tensors; // the same under Hugging Face's names, sorted by them
    const uint8_t *data;              // where offsets count from
};

// Holds, for each pair of a head, the number by which its rotary frequency is divided.
#define GGUF_ROPE_FREQS "rope_freqs.weight"

// Reads the table of values and tensors of a file in memory.
bool gguf_read(
    struct gguf *file, const uint8_t *bytes, size_t size, struct error *error) WARN_UNUSED;

// ---- metadata ----

const struct gguf_value *gguf_value_find(const struct gguf *file, const char *key); // or NULL

// Each reads an optional key: `*value` stays as it is where the file has none. A key of another
// type, or out of range, is an error.
bool gguf_read_size(const struct gguf *file, const char *key, size_t most, size_t *value,
    struct error *error) WARN_UNUSED;
bool gguf_read_number(
    const struct gguf *file, const char *key, double *value, struct error *error) WARN_UNUSED;
bool gguf_read_bool(
    const struct gguf *file, const char *key, bool *value, struct error *error) WARN_UNUSED;
bool gguf_read_text(const struct gguf *file, const char *key, struct gguf_text *value,
    struct error *error) WARN_UNUSED;

// An array of this element type, or NULL with an error.
const struct gguf_value *gguf_array(
    const struct gguf *file, const char *key, enum gguf_type element, struct error *error);

// Element `index` of an array of numbers.
double gguf_element(const struct gguf_value *array, size_t index);

// Goes on from one text of an array to the next: start with array->data.
struct gguf_text gguf_next_text(const uint8_t **at);

bool gguf_text_is(struct gguf_text text, const char *wanted);

// ---- conversions of an open file ----

bool gguf_config_of(const struct gguf *file, json_t **config, struct error *error) WARN_UNUSED;
bool gguf_tokenizer_of(
    const struct gguf *file, json_t **tokenizer, struct error *error) WARN_UNUSED;
bool gguf_tokenizer_config_of(
    const struct gguf *file, json_t **config, struct error *error) WARN_UNUSED;

// Puts bos_token_id and eos_token_id (all tokens that end a text or a turn) into `config`.
bool gguf_special_tokens(const struct gguf *file, json_t *config, struct error *error) WARN_UNUSED;

// Refuses what is no model of an architecture that this program computes.
bool gguf_check_kind(const struct gguf *file, struct error *error) WARN_UNUSED;

// The file's tensors under Hugging Face's names.
bool gguf_map_tensors(struct gguf *file, struct error *error) WARN_UNUSED;

#endif
