"""Ids against Hugging Face's `tokenizers`: every family, on random strings, on a corpus of languages and code, and on
real texts where ../shared is there. The seed is printed: PARITY_SEED=N repeats a run."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402 (reads the environment)

from support.server import ROOT, TEMPER  # noqa: E402
from support.tokenizer_families import (MARK, SHARED, byte_level_families, real_families,  # noqa: E402
                                        sentencepiece_families_of, write)

SEED = int(os.environ.get("PARITY_SEED", random.randrange(1 << 30)))
STRINGS = 20000
CORPUS = ["src/**/*.c", "src/**/*.h", "docs/*.md", "tests/**/*.py", "tests/**/*.mjs", "tools/*.sh", "examples/*", "*.md",
          "tests/golden/languages.txt"]

POOLS = ["abcdefghij klmnop qrstuvwxyz ", "ABCDEFGHIJ KLM", "0123456789.,:;'\"{}[]()<>|\n\t  ", "äöüßéèñçøåſ",
         "日本語中文한국어", "🙂🚀🎉👍🏽👨‍👩‍👧", "АБВГд αβγδ עברית العربية हिन्दी ไทย", "\u00a0\u200b\u3000\r\u180e\u2028\x85\x0b\x0c",
         "".join(map(chr, range(32))) + "\x7f", MARK + MARK + " ", "\u0301\u0323\u0327\u0344",
         "\uac01\u1100\u1161\u11a8\uac00\u11a8", "½²Ⅷ٣५〇"]
WORDS = ["'s", "'T", "'re", "'LL", "'ſ", "don't", "<s>", "</s>", "<unk>", "<|eot_id|>", "<|eot", "<tool>", "<mask>", "<r>",
         "[INST]", "na\u00efve", "nai\u0308ve", "<0x0A>", " the", "\n\n", "  ", "   ", "http://", "def f(x):",
         "    return", "\r\n", "ghghgh", "mm"]
MARKS = [*map(chr, [*range(0x300, 0x370), *range(0x591, 0x5C8)]), *"\u0f71\u0f72\u3099\u20d0\u1dc4"]


def random_text(chance):
    if chance.random() < 0.15:
        unit = chance.choice([" ", "a", "\n", "é", "🙂", MARK, "'", "1", " a", "ab", "\u0301\u0323"])
        return unit * chance.randrange(1, 300)
    parts = []
    for _ in range(chance.randrange(1, 40)):
        kind = chance.random()
        if kind < 0.55:
            parts.append(chance.choice(chance.choice(POOLS)))
        elif kind < 0.75:
            parts.append(chance.choice(WORDS))
        elif kind < 0.85:
            parts.append(chance.choice(MARKS))
        elif kind < 0.93:
            parts.append(chr(chance.choice([chance.randrange(0x20, 0x3000), chance.randrange(0xA0, 0xD7FF),
                                            chance.randrange(0xE000, 0x20000), chance.randrange(0x20000, 0x110000)])))
        else:
            parts.append(" " * chance.randrange(1, 10))
    return "".join(parts)


def corpus():
    files = sorted({path for pattern in CORPUS for path in ROOT.glob(pattern) if path.is_file()})
    texts = [path.read_bytes().decode(errors="replace") for path in files]
    if SHARED.exists():
        stories = sorted((SHARED.parent / "corpora").glob("*/*"))[:100]
        texts += [path.read_bytes().decode(errors="replace") for path in stories]
        texts.append((SHARED.parent / "corpora" / "tinyshakespeare.txt").read_text())
    return texts


def trained_families():
    """Small vocabularies trained here, of which one lacks many bytes and the other falls back to them."""
    text = [(ROOT / "tests" / "golden" / "languages.txt").read_text(), (ROOT / "README.md").read_text()]
    families = {}
    for alphabet in (False, True):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        initial = pre_tokenizers.ByteLevel.alphabet() if alphabet else []
        tokenizer.train_from_iterator(text, trainers.BpeTrainer(vocab_size=1500, initial_alphabet=initial,
                                                                show_progress=False))
        model = json.loads(tokenizer.to_str())["model"]
        made = byte_level_families({"vocab": model["vocab"], "merges": model["merges"]}, len(model["vocab"]))
        families.update({f"small-{name}{'-whole' if alphabet else ''}": each for name, each in made.items()})
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(text, trainers.BpeTrainer(vocab_size=1500, special_tokens=special,
                                                            show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    made = sentencepiece_families_of({key: model[key] for key in ("vocab", "merges", "byte_fallback", "fuse_unk",
                                                                  "unk_token")})
    families.update({f"small-{name}": each for name, each in made.items()})
    return families


class Tokenizers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"PARITY_SEED={SEED}", flush=True)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-parity-"))
        families = {**real_families(), **trained_families()}
        if not SHARED.exists():
            print(f"skipped: {SHARED} is not here: small vocabularies only", flush=True)
        write(cls.folder, families)
        cls.names = [*families, "mini-instruct"]
        shutil.copytree(ROOT / "models" / "mini-instruct", cls.folder / "mini-instruct")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def compare(self, name, texts, special):
        tokenizer = Tokenizer.from_file(str(self.folder / name / "tokenizer.json"))
        tokenizer.encode_special_tokens = not special
        done = subprocess.run([TEMPER, "tokenize", "--model", str(self.folder / name), "--lines",
                               *(["--special"] if special else [])], input="\n".join(map(json.dumps, texts)),
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{name}: {done.stderr}")
        lines = done.stdout.split("\n")
        self.assertEqual(len(lines), len(texts) + 1)
        for text, line, want in zip(texts, lines, tokenizer.encode_batch_fast(texts, add_special_tokens=False)):
            if want.ids != [int(word) for word in line.split()]:
                self.fail(f"{name}, special tokens {'found' if special else 'not found'}: other ids for {text[:500]!a}")

    def test_ids_of_random_strings(self):
        chance = random.Random(SEED)
        texts = [random_text(chance) for _ in range(STRINGS)]
        for number, name in enumerate(self.names):
            with self.subTest(family=name):
                half = len(texts) // 2
                self.compare(name, texts[:half] if number % 2 else texts[half:], True)
                self.compare(name, texts[half:] if number % 2 else texts[:half], False)

    def test_ids_of_a_corpus(self):
        texts = corpus()
        print(f"{len(texts)} files, {sum(map(len, texts)) / 1e6:.1f} million characters", flush=True)
        for name in self.names:
            with self.subTest(family=name):
                self.compare(name, texts, False)
