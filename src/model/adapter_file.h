// An adapter on disk, in peft's own format: adapter_config.json and adapter_model.safetensors, with
// keys base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight. What does not match is an
// error: an adapter that loads and does nothing is the worst kind of fault.
//
// Files are always in Hugging Face's order. Over a base model whose rows of q_proj and k_proj stand
// in pairs (a GGUF file of Llama), the same rows of B are reordered on the way.
#ifndef MODEL_ADAPTER_FILE_H
#define MODEL_ADAPTER_FILE_H

#include "model/lora.h"

// Writes both files into `directory`, which must exist. `base_model` goes into
// base_model_name_or_path.
bool adapter_file_save(const struct lora *lora, const char *directory, const char *base_model,
    struct error *error) WARN_UNUSED;

// Reads an adapter made by this program or by peft: any of the seven linear layers, any rank and
// alpha, rslora, weights in f32, bf16 or f16. Refused with the reason: other adapter types, DoRA,
// biases, modules_to_save, patterns of ranks or layers, keys that this program does not know and
// that are set, tensors missing, unknown, of a wrong shape, or with values that are not finite.
bool adapter_file_load(struct lora **lora, const struct model_config *config, const char *directory,
    struct error *error) WARN_UNUSED;

// The template that an adapter was trained with where that is not its base model's, as
// transformers keeps it beside an adapter, too.
#define ADAPTER_TEMPLATE_FILE "chat_template.jinja"

// Copies that file from one directory to another, where it is there and where `from` is not NULL;
// replaces one that is there.
bool adapter_file_copy_template(const char *from, const char *to, struct error *error) WARN_UNUSED;

#endif
