"""Makes the built-in model's tokenizer and the small files beside it, in Hugging Face's own formats.

    python tools/make_tokenizer.py PRETRAINING.jsonl models/mini-instruct

The tokenizer is a byte-level BPE of 4096 tokens, learned from the first rows of the file that
make_pretraining_data.py writes. Its one purpose beyond compression is that a name has the same tokens
wherever it stands, so that a small model can copy it token by token: merges stay inside a run of
letters and are cut where a capital follows a small letter (`TaskMaster` is `Task` `Master`); each digit,
space and punctuation mark is a token of its own, whatever stands around it. Three exceptions buy
shorter texts at no cost to copying: sixty function words that are hardly ever part of a name are one
token together with the space before them, and so are two spaces (indentation) and two line feeds
(chat headers). Trailing-space or leading-space tokens for all words would shorten prose by another
quarter, but then ` Photon` in a sentence and `Photon` after a quotation mark share no token, and
copying a made-up name would have to be learned pair by pair.
"""

import json
import sys
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

VOCABULARY = 4096
ROWS_READ = 60_000
CONTEXT = 1024

SPECIAL_TOKENS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|pad|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|reserved_0|>",
    "<|reserved_1|>",
]

FUNCTION_WORDS = (
    "the of and to a in that it was he is his for with as on at be by her had not but you they from "
    "or have an this which were so are she him my we their there when if will would been has your "
    "into its who what do did could them then than our"
).split()

# One alternative a line: a function word with its space, a capitalised or small run of letters, a run
# of capitals, a digit, a pair of spaces or line feeds, any other character.
PATTERN = "|".join(
    [
        " (?:" + "|".join(FUNCTION_WORDS) + r")(?![\p{L}\p{M}\p{N}_])",
        r"\p{Lu}?[\p{Ll}\p{Lt}\p{Lm}\p{Lo}\p{M}]+",
        r"\p{Lu}+(?!\p{Ll})",
        r"\p{N}",
        r" {2}",
        r"\n{2}",
        r"[^\p{L}\p{M}\p{N}]",
    ]
)

CHAT_TEMPLATE = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"
    "{%- endif %}"
)


def training_texts(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file):
            if number == ROWS_READ:
                return
            row = json.loads(line)
            if "text" in row:
                yield row["text"]
            for message in row.get("messages", []):
                yield message["role"] + "\n\n" + message["content"]


def train_tokenizer(path):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training_texts(path), trainer)
    begin = SPECIAL_TOKENS[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A",
        pair=f"{begin} $A {begin} $B",
        special_tokens=[(begin, tokenizer.token_to_id(begin))],
    )
    return tokenizer


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_side_files(directory, tokenizer):
    named = {
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "pad_token": "<|pad|>",
    }
    identifiers = {name: tokenizer.token_to_id(token) for name, token in named.items()}
    write_json(directory / "special_tokens_map.json", named)
    write_json(
        directory / "tokenizer_config.json",
        {
            "added_tokens_decoder": {
                str(tokenizer.token_to_id(token)): {
                    "content": token,
                    "lstrip": False,
                    "normalized": False,
                    "rstrip": False,
                    "single_word": False,
                    "special": True,
                }
                for token in SPECIAL_TOKENS
            },
            **named,
            "chat_template": CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "attention_mask"],
            "model_max_length": CONTEXT,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )
    write_json(
        directory / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": identifiers["bos_token"],
            "eos_token_id": identifiers["eos_token"],
            "head_dim": 64,
            "hidden_act": "silu",
            "hidden_size": 384,
            "initializer_range": 0.02,
            "intermediate_size": 1024,
            "max_position_embeddings": CONTEXT,
            "mlp_bias": False,
            "model_type": "llama",
            "num_attention_heads": 6,
            "num_hidden_layers": 6,
            "num_key_value_heads": 2,
            "pad_token_id": identifiers["pad_token"],
            "pretraining_tp": 1,
            "rms_norm_eps": 1e-05,
            "rope_scaling": None,
            "rope_theta": 10000.0,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "vocab_size": VOCABULARY,
        },
    )
    write_json(
        directory / "generation_config.json",
        {
            "bos_token_id": identifiers["bos_token"],
            "eos_token_id": [identifiers["eos_token"], tokenizer.token_to_id("<|end_of_text|>")],
            "pad_token_id": identifiers["pad_token"],
        },
    )


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    directory = Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(sys.argv[1])
    tokenizer.save(str(directory / "tokenizer.json"))
    write_side_files(directory, tokenizer)
    print(f"{directory}: {tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
