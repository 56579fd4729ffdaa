"""Directories with the tokenizer.json of every family, from the files of ../shared/data/tokenizers. Standard library
only.

The vocabularies are real where they are there (GPT-2, Llama 2, Llama 3); what families do around them is as their own
files have it. Llama 2's comes as a sentencepiece model: its merges are made of the scores as `transformers` does.
"""
import json
import pathlib
import struct

from support.server import ROOT

SHARED = ROOT.parent / "shared" / "data" / "tokenizers"
MARK = "\u2581"

GPT2_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?"
          r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")


def added(number, content, special=True, **flags):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": not special, "special": special, **flags}


def byte_level(use_regex=True, prefix=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": use_regex}


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def sequence(kind, *steps):
    return {"type": "Sequence", kind: list(steps)}


def tokenizer(model, added_tokens, normalizer=None, pre_tokenizer=None, decoder=None):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": None, "decoder": decoder,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      **model}}


# ---- byte-level families ----

def read_byte_level(family):
    vocabulary = json.loads((SHARED / family / "encoder.json").read_text())
    lines = (SHARED / family / "vocab.bpe").read_text().split("\n")
    return {"vocab": vocabulary, "merges": [line for line in lines if line and not line.startswith("#version")]}


def byte_level_families(model, first_id, **options):
    """{name: tokenizer.json} of what the families do around a byte-level vocabulary."""
    def of(pre_tokenizer, normalizer=None, more=(), **changes):
        tokens = [added(first_id, "<|begin_of_text|>"), added(first_id + 1, "<|eot_id|>"), *more]
        return tokenizer({**model, **options, **changes}, tokens, normalizer, pre_tokenizer, byte_level())

    steps = "pretokenizers"
    words = [added(first_id + 2, "<tool>", special=False), added(first_id + 3, "<mask>", lstrip=True),
             added(first_id + 4, "naïve", special=False, single_word=True), added(first_id + 5, "<r>", rstrip=True),
             added(first_id + 6, "<|eot", special=False), added(first_id + 7, "  ", special=False, normalized=False)]
    return {
        "gpt2": of(byte_level()),
        "llama3": of(sequence(steps, split(WORDS.replace("DIGITS", r"\p{N}{1,3}")), byte_level(False)),
                     ignore_merges=True),
        "qwen": of(sequence(steps, split(WORDS.replace("DIGITS", r"\p{N}")), byte_level(False)), {"type": "NFC"}),
        "smollm": of(sequence(steps, {"type": "Digits", "individual_digits": True}, byte_level())),
        "nemo": of(sequence(steps, split(TEKKEN, "Removed", True), byte_level(False)), ignore_merges=True),
        "added": of(byte_level(prefix=True), {"type": "NFD"}, words),
        "digits": of(sequence(steps, {"type": "Digits", "individual_digits": False},
                              split(r"[a-f]+", "MergedWithPrevious"), split(r"\s", "MergedWithNext"),
                              split(r"[^a-m]", "Contiguous"), split("g(?=h)|(?=m)", "Removed"), byte_level(False))),
    }


# ---- sentencepiece's families ----

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of a protocol buffer's message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = {1: 8, 5: 4}[kind]
            value, at = data[at:at + size], at + size
        yield number, value


def read_sentencepiece(path):
    """[(text, score, kind)]: kind 1 is normal, 2 unknown, 3 control, 6 a byte."""
    pieces = []
    for number, value in fields(path.read_bytes()):
        if number == 1:
            piece = dict(fields(value))
            pieces.append((piece[1].decode(), struct.unpack("<f", piece[2])[0], piece.get(3, 1)))
    return pieces


def merges_of(pieces):
    scores = {text: (score, number) for number, (text, score, _) in enumerate(pieces)}
    merges = []
    for text, (score, _) in scores.items():
        cuts = [(text[:i], text[i:]) for i in range(1, len(text)) if text[:i] in scores and text[i:] in scores]
        cuts.sort(key=lambda cut: (scores[cut[0]][1], scores[cut[1]][1]))
        merges += [(left, right, score) for left, right in cuts]
    merges.sort(key=lambda merge: (merge[2], len(merge[0]), len(merge[1])), reverse=True)
    return [[left, right] for left, right, _ in merges]


def sentencepiece_families(pieces):
    model = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
             "vocab": {text: number for number, (text, _, _) in enumerate(pieces)}, "merges": merges_of(pieces)}
    return sentencepiece_families_of(model)


def sentencepiece_families_of(model):
    def of(normalizer, pre_tokenizer, decoder, normalized=False, more=(), **changes):
        tokens = [added(i, text, normalized=normalized) for i, text in enumerate(("<unk>", "<s>", "</s>"))]
        return tokenizer({**model, **changes}, [*tokens, *more], normalizer, pre_tokenizer, decoder)

    replace = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    prepend = {"type": "Prepend", "prepend": MARK}
    back = {"type": "Replace", "pattern": {"String": MARK}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    decoder = sequence("decoders", back, {"type": "ByteFallback"}, {"type": "Fuse"}, strip)

    def metaspace(scheme, cut):
        return {"type": "Metaspace", "replacement": MARK, "prepend_scheme": scheme, "split": cut}

    next_id = len(model["vocab"])
    more = [added(next_id, "<tool>", special=False), added(next_id + 1, "[INST]", lstrip=True, rstrip=True)]
    return {
        "llama2": of(sequence("normalizers", prepend, replace), None, decoder),
        "llama2-normalized": of(sequence("normalizers", prepend, replace), None, decoder, True, more),
        "mistral": of(None, metaspace("first", False), decoder, more=more),
        "metaspace-always": of(None, metaspace("always", False), metaspace("always", False), more=more),
        "metaspace-words": of(None, metaspace("always", True), metaspace("always", True)),
        "metaspace-never": of(None, metaspace("never", False), metaspace("never", False)),
        "no-fallback": of(sequence("normalizers", prepend, replace), None, decoder, byte_fallback=False),
        "unknown-apart": of(sequence("normalizers", replace), None, decoder, byte_fallback=False, fuse_unk=False),
    }


# ---- all of them ----

def real_families():
    """{name: tokenizer.json} from ../shared; empty where that is absent."""
    if not SHARED.exists():
        return {}
    return {**{name: made for name, made in byte_level_families(read_byte_level("llama3"), 128000).items()
               if name != "gpt2"},
            "gpt2": byte_level_families(read_byte_level("gpt2"), 50257)["gpt2"],
            **sentencepiece_families(read_sentencepiece(SHARED / "llama2" / "tokenizer.model"))}


def write(folder, families):
    """Makes a directory for each, with a config.json by which it is taken for a model's."""
    for name, made in families.items():
        place = pathlib.Path(folder) / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "tokenizer.json").write_text(json.dumps(made, ensure_ascii=False))
        (place / "config.json").write_text((ROOT / "models" / "mini-instruct" / "config.json").read_text())
