#include "model/gguf_layout.h"
#include <stdio.h>
#include <string.h>

// ---- types ----

static const struct {
    uint32_t number;
    struct ggml_type type;
} types[] = {
    {0, {"F32", 1, 4, DATA_F32}},
    {1, {"F16", 1, 2, DATA_F16}},
    {2, {"Q4_0", 32, 18, DATA_TYPES}},
    {3, {"Q4_1", 32, 20, DATA_TYPES}},
    {6, {"Q5_0", 32, 22, DATA_TYPES}},
    {7, {"Q5_1", 32, 24, DATA_TYPES}},
    {8, {"Q8_0", 32, 34, DATA_Q8_0}},
    {9, {"Q8_1", 32, 36, DATA_TYPES}},
    {10, {"Q2_K", 256, 84, DATA_TYPES}},
    {11, {"Q3_K", 256, 110, DATA_TYPES}},
    {12, {"Q4_K", 256, 144, DATA_TYPES}},
    {13, {"Q5_K", 256, 176, DATA_TYPES}},
    {14, {"Q6_K", 256, 210, DATA_TYPES}},
    {15, {"Q8_K", 256, 292, DATA_TYPES}},
    {16, {"IQ2_XXS", 256, 66, DATA_TYPES}},
    {17, {"IQ2_XS", 256, 74, DATA_TYPES}},
    {18, {"IQ3_XXS", 256, 98, DATA_TYPES}},
    {19, {"IQ1_S", 256, 50, DATA_TYPES}},
    {20, {"IQ4_NL", 32, 18, DATA_TYPES}},
    {21, {"IQ3_S", 256, 110, DATA_TYPES}},
    {22, {"IQ2_S", 256, 82, DATA_TYPES}},
    {23, {"IQ4_XS", 256, 136, DATA_TYPES}},
    {24, {"I8", 1, 1, DATA_TYPES}},
    {25, {"I16", 1, 2, DATA_TYPES}},
    {26, {"I32", 1, 4, DATA_TYPES}},
    {27, {"I64", 1, 8, DATA_TYPES}},
    {28, {"F64", 1, 8, DATA_TYPES}},
    {29, {"IQ1_M", 256, 56, DATA_TYPES}},
    {30, {"BF16", 1, 2, DATA_BF16}},
    {34, {"TQ1_0", 256, 54, DATA_TYPES}},
    {35, {"TQ2_0", 256, 66, DATA_TYPES}},
    {39, {"MXFP4", 32, 17, DATA_TYPES}},
};

enum { KNOWN_TYPES = sizeof types / sizeof *types };

const struct ggml_type *ggml_type_of(uint32_t number) {
    for (size_t i = 0; i < KNOWN_TYPES; i++)
        if (types[i].number == number) return &types[i].type;
    return NULL;
}

uint32_t ggml_type_number(enum data_type type) {
    for (size_t i = 0; i < KNOWN_TYPES; i++)
        if (types[i].type.type == type) return types[i].number;
    return UINT32_MAX;
}

// ---- names of tensors ----

struct name_pair {
    const char *gguf;
    const char *hf;
};

static const struct name_pair ends[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
};

static const struct name_pair of_layer[] = {
    {"attn_norm.weight", "input_layernorm.weight"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_q.bias", "self_attn.q_proj.bias"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_k.bias", "self_attn.k_proj.bias"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_v.bias", "self_attn.v_proj.bias"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"attn_output.bias", "self_attn.o_proj.bias"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
    {"ffn_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
};

enum { ENDS = sizeof ends / sizeof *ends, OF_LAYER = sizeof of_layer / sizeof *of_layer };

// "3.rest" behind a prefix: the number, and where the rest begins.
static const char *layer_number(const char *text, unsigned *layer) {
    int used = 0;
    if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != '.')) return NULL;
    if (sscanf(text, "%4u.%n", layer, &used) != 1 || !used || *layer >= GGUF_MAX_LAYERS)
        return NULL;
    return text + used;
}

bool gguf_name_to_hf(char *to, const char *name, size_t length) {
    char text[GGUF_NAME_SIZE];
    unsigned layer;
    if (length >= sizeof text) return false;
    memcpy(text, name, length);
    text[length] = 0;
    for (size_t i = 0; i < ENDS; i++)
        if (!strcmp(text, ends[i].gguf)) {
            strcpy(to, ends[i].hf);
            return true;
        }
    const char *rest = strncmp(text, "blk.", 4) ? NULL : layer_number(text + 4, &layer);
    for (size_t i = 0; rest && i < OF_LAYER; i++)
        if (!strcmp(rest, of_layer[i].gguf)) {
            snprintf(to, GGUF_LONGEST_NAME, "model.layers.%u.%s", layer, of_layer[i].hf);
            return true;
        }
    return false;
}

bool gguf_name_from_hf(char *to, const char *name) {
    unsigned layer;
    for (size_t i = 0; i < ENDS; i++)
        if (!strcmp(name, ends[i].hf)) {
            strcpy(to, ends[i].gguf);
            return true;
        }
    const char *rest = strncmp(name, "model.layers.", 13) ? NULL : layer_number(name + 13, &layer);
    for (size_t i = 0; rest && i < OF_LAYER; i++)
        if (!strcmp(rest, of_layer[i].hf)) {
            snprintf(to, GGUF_LONGEST_NAME, "blk.%u.%s", layer, of_layer[i].gguf);
            return true;
        }
    return false;
}

// ---- pre-tokenizers ----

#define BYTE_LEVEL(regex)                                                                          \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_"              \
    "regex\":" regex "}"
#define SPLIT(pattern)                                                                             \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern                                        \
    "\"},\"behavior\":\"Isolated\",\"invert\":false}"
#define SEQUENCE(list) "{\"type\":\"Sequence\",\"pretokenizers\":[" list "]}"

#define GPT2_WORDS                                                                                 \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)"
#define WORDS_WITH(numbers)                                                                        \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" numbers                \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define TEKKEN_WORDS                                                                               \
    "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*"                \
    "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]+|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"                        \
    "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]+[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]*|"       \
    "\\\\p{N}| "                                                                                   \
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define DIGITS "{\"type\":\"Digits\",\"individual_digits\":true}"
#define NFC "{\"type\":\"NFC\"}"

static const struct gguf_pre_tokenizer pre_tokenizers[] = {
    {"llama-bpe", SEQUENCE(SPLIT(WORDS_WITH("\\\\p{N}{1,3}")) "," BYTE_LEVEL("false")), "null",
        true, true},
    {"qwen2", SEQUENCE(SPLIT(WORDS_WITH("\\\\p{N}")) "," BYTE_LEVEL("false")), NFC, false, false},
    {"smollm", SEQUENCE(DIGITS "," BYTE_LEVEL("true")), "null", false, false},
    {"gpt-2", BYTE_LEVEL("true"), "null", false, false},
    {"tekken", SEQUENCE(SPLIT(TEKKEN_WORDS) "," BYTE_LEVEL("false")), "null", true, true},
    {"default",
        SEQUENCE(SPLIT("[\\\\p{P}\\\\$\\\\+<=>\\\\^~\\\\|]+") "," SPLIT(GPT2_WORDS) "," SPLIT(
            "\\\\p{N}+") "," SPLIT("[0-9][0-9][0-9]") "," BYTE_LEVEL("false")),
        "null", false, false},
};

static const struct {
    const char *alias;
    const char *name;
} pre_aliases[] = {
    {"llama3", "llama-bpe"},
    {"llama-v3", "llama-bpe"},
    {"starcoder", "smollm"},
};

const struct gguf_pre_tokenizer *gguf_pre_tokenizer_at(size_t index) {
    return index < sizeof pre_tokenizers / sizeof *pre_tokenizers ? &pre_tokenizers[index] : NULL;
}

const struct gguf_pre_tokenizer *gguf_pre_tokenizer_find(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof pre_aliases / sizeof *pre_aliases; i++)
        if (strlen(pre_aliases[i].alias) == length && !memcmp(pre_aliases[i].alias, name, length))
            return gguf_pre_tokenizer_find(pre_aliases[i].name, strlen(pre_aliases[i].name));
    const struct gguf_pre_tokenizer *each;
    for (size_t i = 0; (each = gguf_pre_tokenizer_at(i)); i++)
        if (strlen(each->name) == length && !memcmp(each->name, name, length)) return each;
    return NULL;
}
