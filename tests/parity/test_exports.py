"""What `temper export` writes, in the programs that it is for: peft, transformers and llama.cpp. Fresh random models of
each family, and the built-in model after a moment of fine-tuning. PARITY_SEED=N repeats a run."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (AutoModelForCausalLM, AutoTokenizer, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config)

from support.server import ROOT, TEMPER

MODEL = ROOT / "models" / "mini-instruct"
SEED = int(os.environ.get("PARITY_SEED", random.randrange(1 << 30)))
REFERENCE = {**os.environ, "TEMPER_COMPUTE": "reference"}
SHAPE = dict(vocab_size=4096, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.3, bos_token_id=0, eos_token_id=5,
             tie_word_embeddings=False)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
FAMILIES = {
    "llama": lambda: LlamaConfig(**SHAPE),
    "llama3": lambda: LlamaConfig(**SHAPE, rope_theta=500000.0, rope_scaling=LLAMA3),
    "mistral": lambda: MistralConfig(**SHAPE, head_dim=32, sliding_window=None),
    "qwen2": lambda: Qwen2Config(**SHAPE),
    "qwen3": lambda: Qwen3Config(**SHAPE, head_dim=32),
}
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
GREEDY = 24
CLEAR = 1e-3  # a next token counts as sure where the best logit leads by this


def temper(*arguments, text=None):
    return subprocess.run([TEMPER, *map(str, arguments)], input=text, capture_output=True, text=True, env=REFERENCE)


def export(model, adapter, kind, output, *options):
    over = ["--adapter", adapter] if adapter else []
    done = temper("export", "--model", model, *over, "--format", kind, "--output", output, *options)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stderr


def llama_cpp(model, cases, adapter=None):
    if "LLAMA_CPP_MODULES" not in os.environ:
        raise unittest.SkipTest("LLAMA_CPP_MODULES does not name a directory with node-llama-cpp")
    request = {"model": str(model), "adapter": str(adapter) if adapter else None, "cases": cases}
    request = {key: value for key, value in request.items() if value is not None}
    done = subprocess.run(["node", str(pathlib.Path(__file__).parent / "llama_cpp.mjs")], input=json.dumps(request),
                          capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def logits_of(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0].float()


def greedy(model, ids, count=GREEDY):
    """Tokens that follow, up to the first about which the model is not sure."""
    found = []
    while len(found) < count:
        best = logits_of(model, ids + found)[-1].topk(2)
        if best.values[0] - best.values[1] < CLEAR:
            break
        found.append(best.indices[0].item())
    return found


# ---- small tokenizers of each kind ----

PLAIN_TEXTS = ["Hello, world! It's 12345 o'clock.", "  two  spaces\n\n\nlines \t tab", "naïve café ÀÉÎ", "def f(x):\n    return x",
               "日本語とEnglish", "🙂🚀 emoji", "I'LL we're THEY'VE", "a" * 40, " ", "\n", "1234567 89", "<s> is text </s>"]
CORPUS = [path.read_text() for path in (ROOT / "README.md", ROOT / "docs" / "architecture.md")]
LLAMA3_SPLIT = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")


def random_text(chance):
    pools = ["abcdefghij klmnop qrstuvwxyz ", "ABCDE fghij ", "0123456789.,:;'\"{}[]()<>|\n\t  ", "äöüßéèñçøå", "日本語中文한국어",
             "🙂🚀🎉👍", "АБВГд αβγδ", "  \n "]
    return "".join(chance.choice(chance.choice(pools)) for _ in range(chance.randrange(1, 60)))


def byte_level(pre, ignore_merges=False, normalizer=None):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def sentencepiece():
    """BPE of words with byte fallback, as Llama 2 has it; every way to a token is a merge."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [each for each in content["added_tokens"] if each["id"] < 3]
    content["pre_tokenizer"] = None
    content["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    content["model"]["merges"] = all_merges(content["model"])
    return Tokenizer.from_str(json.dumps(content))


def all_merges(model):
    """The merges by which sentencepiece goes: all pairs that make a token, the earliest tokens first."""
    rank = {}
    for left, right in model["merges"]:
        rank.setdefault(left + right, len(rank))
    pieces = {piece for piece in model["vocab"] if not piece.startswith("<")}
    merges = [(piece[:cut], piece[cut:]) for piece in rank for cut in range(1, len(piece))
              if piece[:cut] in pieces and piece[cut:] in pieces]
    return sorted(merges, key=lambda pair: (rank[pair[0] + pair[1]], -len(pair[0])))


TOKENIZERS = {
    "llama-bpe": lambda: byte_level(split(LLAMA3_SPLIT), ignore_merges=True),
    "qwen2": lambda: byte_level(split(LLAMA3_SPLIT.replace("{1,3}", "")), normalizer=normalizers.NFC()),
    "smollm": lambda: byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                          pre_tokenizers.ByteLevel(add_prefix_space=False)])),
    "gpt-2": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "sentencepiece": sentencepiece,
}


class Exports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"PARITY_SEED={SEED}", flush=True)
        cls.chance = random.Random(SEED)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-exports-"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def make(self, family):
        """A random model of a family and an adapter over it, as transformers and peft save them."""
        torch.manual_seed(SEED)
        place = self.folder / family
        config = FAMILIES[family]()
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith(("bias", "norm.weight")):
                    parameter.add_(torch.randn_like(parameter) * 0.1)
        model.save_pretrained(place / "base")
        AutoTokenizer.from_pretrained(MODEL).save_pretrained(place / "base")
        adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=ALL_LINEAR, task_type="CAUSAL_LM"))
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(0, 0.1)
        adapted.save_pretrained(place / "adapter")
        return place, adapted.eval()

    def ids(self, count=20):
        return [0] + [self.chance.randrange(8, 4096) for _ in range(count)]

    def same_logits(self, first, second, tolerance):
        for _ in range(3):
            ids = self.ids()
            difference = (logits_of(first, ids) - logits_of(second, ids)).abs().max().item()
            self.assertLess(difference, tolerance)

    def check_family(self, family):
        place, adapted = self.make(family)
        export(place / "base", place / "adapter", "peft", place / "peft")
        base = AutoModelForCausalLM.from_pretrained(place / "base", dtype=torch.float32)
        self.same_logits(PeftModel.from_pretrained(base, place / "peft").eval(), adapted, 1e-5)
        export(place / "base", place / "adapter", "merged", place / "merged")
        merged = AutoModelForCausalLM.from_pretrained(place / "merged", dtype="auto").eval()
        self.assertEqual(merged.dtype, torch.float32)
        self.same_logits(merged, adapted, 5e-4)
        self.check_llama_cpp(place, adapted)

    def continues(self, model, gguf, adapter=None):
        """llama.cpp goes on as `model` does."""
        prompts = [self.ids() for _ in range(3)]
        compared = 0
        for ids, answer in zip(prompts, llama_cpp(gguf, [{"ids": ids, "count": GREEDY} for ids in prompts], adapter)):
            wanted = greedy(model, ids)
            self.assertEqual([each["id"] for each in answer["greedy"]][:len(wanted)], wanted)
            compared += len(wanted)
        self.assertGreater(compared, GREEDY)

    def check_llama_cpp(self, place, adapted):
        export(place / "base", place / "adapter", "gguf", place / "gguf")
        self.continues(adapted, place / "gguf" / "model.gguf")
        export(place / "base", None, "gguf", place / "base-gguf")
        self.continues(adapted, place / "base-gguf" / "model.gguf", place / "gguf" / "adapter.gguf")
        with adapted.disable_adapter():
            self.continues(adapted, place / "base-gguf" / "model.gguf")

    def test_llama(self):
        self.check_family("llama")

    def test_llama_with_the_rotations_of_llama_3(self):
        self.check_family("llama3")

    def test_mistral(self):
        self.check_family("mistral")

    def test_qwen2(self):
        self.check_family("qwen2")

    def test_qwen3(self):
        self.check_family("qwen3")

    # ---- the built-in model, fine-tuned ----

    def test_the_built_in_model_after_a_moment_of_fine_tuning(self):
        place = self.folder / "built-in"
        done = temper("train", ROOT / "examples" / "json-generation.jsonl", "--output", place / "adapter", "--model", MODEL,
                      "--epochs", 1, "--seed", SEED, "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        for kind in ("f32", "q8_0"):
            with self.subTest(kind):
                self.check_built_in(place, kind)

    def check_built_in(self, place, kind):
        shutil.rmtree(place / "gguf", ignore_errors=True)
        notes = export(MODEL, place / "adapter", "gguf", place / "gguf", "--type", kind)
        self.assertIn("llama.cpp has no pre-tokenizer", notes)
        lines = (ROOT / "examples" / "json-generation-heldout.jsonl").read_text().splitlines()
        for line in self.chance.sample(lines, 3):
            self.check_answer(place, kind, [m for m in json.loads(line)["messages"] if m["role"] != "assistant"])

    def check_answer(self, place, kind, chat):
        tokenizer = AutoTokenizer.from_pretrained(MODEL)
        system = [m["content"] for m in chat if m["role"] == "system"]
        ids = json.loads(temper("tokenize", "--model", place / "gguf" / "model.gguf", "--chat", "--prompt", "--json",
                                text=json.dumps(chat)).stdout)["ids"]
        self.assertEqual(ids, list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=True,
                                                                 return_dict=True)["input_ids"]))
        answers = set()
        models_of = [["--model", place / "gguf"]]
        if kind == "f32":
            models_of.append(["--model", MODEL, "--adapter", place / "adapter"])
        for model in models_of:
            done = temper("chat", *model, *(["--system", system[0]] if system else []), "--json", "--max-tokens", 60,
                          chat[-1]["content"])
            answers.add(json.loads(done.stdout)["answer"])
        found, = llama_cpp(place / "gguf" / "model.gguf", [{"ids": ids, "count": 60}])
        said = [each["id"] for each in found["greedy"]]
        end = tokenizer.convert_tokens_to_ids("<|eot_id|>")
        answers.add(tokenizer.decode(said[:said.index(end)] if end in said else said))
        self.assertEqual(len(answers), 1, answers)

    # ---- tokenizers ----

    def test_tokenizers_cut_as_llama_cpp_does(self):
        for kind, make in TOKENIZERS.items():
            with self.subTest(kind):
                self.check_tokenizer(kind, make())

    def check_tokenizer(self, kind, tokenizer):
        place = self.folder / f"tokenizer-{kind}"
        tokenizer.encode_special_tokens = True  # what a text says is never control
        size = tokenizer.get_vocab_size() + 3  # three ids that the tokenizer does not have
        config = LlamaConfig(**{**SHAPE, "vocab_size": size, "num_hidden_layers": 1, "bos_token_id": 1, "eos_token_id": 2})
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(place / "base")
        tokenizer.save(str(place / "base" / "tokenizer.json"))
        (place / "base" / "tokenizer_config.json").write_text('{"bos_token": "<s>", "eos_token": "</s>"}')
        notes = export(place / "base", None, "gguf", place / "gguf")
        self.assertNotIn("pre-tokenizer", notes)
        texts = [random_text(self.chance) for _ in range(60)] + PLAIN_TEXTS
        ours = [self.tokenize(place / "gguf", text) for text in texts]
        for text, ids in zip(texts, ours):
            self.assertEqual(ids, tokenizer.encode(text, add_special_tokens=False).ids, repr(text))
        theirs = [each["ids"] for each in llama_cpp(place / "gguf" / "model.gguf", [{"text": text} for text in texts])]
        for text, ids, other in zip(texts, ours, theirs):
            self.assertEqual(other, ids, repr(text))

    def tokenize(self, model, text):
        done = temper("tokenize", "--model", model, "--json", text=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["ids"]


if __name__ == "__main__":
    unittest.main()
