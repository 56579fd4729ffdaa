#include "model/lora.h"
#include "base/memory.h"
#include "base/random.h"
#include <math.h>

const char *const lora_module_names[LORA_MODULES] = {
    "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
const char *const lora_module_parents[LORA_MODULES] = {
    "self_attn", "self_attn", "self_attn", "self_attn", "mlp", "mlp", "mlp"};

void lora_module_shape(
    const struct model_config *config, enum lora_module module, size_t *in, size_t *out) {
    size_t query = config->heads * config->head_dim, kv = config->kv_heads * config->head_dim;
    size_t hidden = config->hidden_size, inner = config->intermediate_size;
    const size_t shapes[LORA_MODULES][2] = {{hidden, query}, {hidden, kv}, {hidden, kv},
        {query, hidden}, {hidden, inner}, {hidden, inner}, {inner, hidden}};
    *in = shapes[module][0];
    *out = shapes[module][1];
}

const enum lora_module lora_group_ends[LORA_GROUPS] = {LORA_V, LORA_O, LORA_UP, LORA_DOWN};

// One entry for each adapted module of a group: all of its As, then its Bs.
static void add_group(struct lora *lora, const struct model_config *config, size_t layer, int first,
    enum lora_module last) {
    size_t begun = lora->entry_count;
    for (int module = first; module <= (int)last; module++) {
        if (!(lora->modules & 1u << module)) continue;
        struct lora_entry *entry = &lora->entries[lora->entry_count];
        *entry = (struct lora_entry){.layer = layer, .module = module};
        lora_module_shape(config, module, &entry->in, &entry->out);
        entry->a_offset = lora->count;
        lora->count += lora->rank * entry->in;
        lora->entry_of[layer * LORA_MODULES + (size_t)module] = (int32_t)lora->entry_count++;
    }
    for (size_t i = begun; i < lora->entry_count; i++) {
        lora->entries[i].b_offset = lora->count;
        lora->count += lora->rank * lora->entries[i].out;
    }
}

static bool make_table(struct lora *lora, const struct model_config *config, struct error *error) {
    size_t most = config->layers * LORA_MODULES;
    lora->entries = memory_alloc_array(most, sizeof *lora->entries);
    lora->entry_of = memory_alloc_array(most, sizeof *lora->entry_of);
    if (!lora->entries || !lora->entry_of) return memory_error(error, "the table of LoRA matrices");
    for (size_t i = 0; i < most; i++)
        lora->entry_of[i] = -1;
    for (size_t layer = 0; layer < config->layers; layer++)
        for (int group = 0, first = 0; group < LORA_GROUPS; first = lora_group_ends[group++] + 1)
            add_group(lora, config, layer, first, lora_group_ends[group]);
    return true;
}

static void draw(struct lora *lora, uint64_t seed) {
    for (size_t i = 0; i < lora->entry_count; i++) {
        const struct lora_entry *entry = &lora->entries[i];
        float *a = lora->parameters + entry->a_offset;
        double bound = 1.0 / sqrt((double)entry->in);
        for (size_t j = 0; j < lora->rank * entry->in; j++)
            a[j] = (float)((2 * random_uniform(seed, i, j) - 1) * bound);
    }
}

bool lora_create(struct lora **lora, const struct model_config *config, size_t rank, float alpha,
    unsigned modules, uint64_t seed, struct error *error) {
    if (!rank || rank > LORA_MAX_RANK)
        return error_set(error, ERROR_INVALID, "the LoRA rank is %zu; it must be from 1 to %d",
            rank, LORA_MAX_RANK);
    if (!(alpha > 0) || !isfinite(alpha))
        return error_set(error, ERROR_INVALID, "LoRA's alpha must be a number above 0");
    if (!(modules & LORA_ALL_MODULES))
        return error_set(error, ERROR_INVALID, "LoRA needs at least one target module");
    struct lora *new = memory_alloc_zeroed(1, sizeof *new);
    if (!new) return memory_error(error, "LoRA");
    new->rank = rank;
    new->alpha = alpha;
    new->modules = modules &LORA_ALL_MODULES;
    new->layers = config->layers;
    new->interleaved_head = config->rope_interleaved ? config->head_dim : 0;
    if (!make_table(new, config, error)) {
        lora_free(new);
        return false;
    }
    new->parameters = memory_alloc_aligned(new->count, sizeof *new->parameters);
    if (!new->parameters) {
        lora_free(new);
        return memory_error(error, "LoRA matrices");
    }
    draw(new, seed);
    *lora = new;
    return true;
}

void lora_free(struct lora *lora) {
    if (!lora) return;
    memory_free(lora->entries);
    memory_free(lora->entry_of);
    memory_free(lora->parameters);
    memory_free(lora);
}

const struct lora_entry *lora_find(const struct lora *lora, size_t layer, enum lora_module module) {
    if (!lora || layer >= lora->layers) return NULL;
    int32_t index = lora->entry_of[layer * LORA_MODULES + (size_t)module];
    return index < 0 ? NULL : &lora->entries[index];
}
