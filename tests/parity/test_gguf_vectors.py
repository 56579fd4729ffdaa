"""Real tokenizers as GGUF files: 47 hard texts each, whose ids llama.cpp's own tests hold. Needs ../shared."""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

from support.server import ROOT, TEMPER

sys.path.insert(0, str(ROOT / "tools"))
from make_gguf_corpus import FLOAT32, STRING, gguf, sizes, tensors  # noqa: E402

SHARED = ROOT.parent / "shared" / "data" / "tokenizers"
INT32 = 5


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of each field of a protocol buffer: texts and messages as bytes, floats as such."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 5:
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        else:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        yield key >> 3, value


def sentencepiece(path):
    """Texts, scores and types of a sentencepiece model (its message ModelProto)."""
    pieces = [dict(fields(value)) for number, value in fields(path.read_bytes()) if number == 1]
    yield "tokenizer.ggml.model", STRING, "llama"
    yield "tokenizer.ggml.tokens", STRING, [piece[1].decode() for piece in pieces]
    yield "tokenizer.ggml.scores", FLOAT32, [piece.get(2, 0.0) for piece in pieces]
    yield "tokenizer.ggml.token_type", INT32, [piece.get(3, 1) for piece in pieces]


def byte_level(folder, pre):
    ids = json.loads((folder / "encoder.json").read_text())
    merges = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:]
    texts = {number: text for text, number in ids.items()}
    yield "tokenizer.ggml.model", STRING, "gpt2"
    yield "tokenizer.ggml.pre", STRING, pre
    yield "tokenizer.ggml.tokens", STRING, [texts.get(i, f"[PAD{i}]") for i in range(max(texts) + 1)]
    yield "tokenizer.ggml.merges", STRING, [merge for merge in merges if merge]


class Vectors(unittest.TestCase):
    def check(self, name, values):
        if not SHARED.exists():
            self.skipTest(f"{SHARED} is not here")
        values = list(values)
        count = next(len(content) for key, _, content in values if key == "tokenizer.ggml.tokens")
        vectors = SHARED / "vectors" / f"ggml-vocab-{name}.gguf"
        texts = vectors.with_suffix(".gguf.inp").read_bytes().split(b"\n__ggml_vocab_test__\n")
        wanted = vectors.with_suffix(".gguf.out").read_text().split("\n")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.gguf"
            path.write_bytes(gguf([*sizes("llama"), *values], [*tensors(count)]))
            for text, ids in zip(texts, wanted):
                done = subprocess.run([TEMPER, "tokenize", "--model", path, "--json"], input=text, capture_output=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(json.loads(done.stdout)["ids"], [int(each) for each in ids.split()], text)

    def test_llama_2(self):
        self.check("llama-spm", sentencepiece(SHARED / "llama2" / "tokenizer.model"))

    def test_llama_3(self):
        self.check("llama-bpe", byte_level(SHARED / "llama3", "llama-bpe"))

    def test_gpt_2(self):
        self.check("gpt-2", byte_level(SHARED / "gpt2", "gpt-2"))


if __name__ == "__main__":
    unittest.main()
