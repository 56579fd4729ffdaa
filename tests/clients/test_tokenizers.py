"""The vectors of ../shared/data/tokenizers through `temper tokenize`: Llama 2 (sentencepiece, in both forms in which its
tokenizer.json is found), Llama 3 and GPT-2."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support.server import TEMPER
from support.tokenizer_families import SHARED, real_families, write


def cases(name):
    """[(text, ids)]"""
    texts = (SHARED / "vectors" / f"ggml-vocab-{name}.gguf.inp").read_bytes().decode()
    lines = (SHARED / "vectors" / f"ggml-vocab-{name}.gguf.out").read_text().split("\n")
    texts = texts.split("\n__ggml_vocab_test__\n")
    return [(text, [int(word) for word in line.split()]) for text, line in zip(texts, lines) if text]


@unittest.skipUnless(SHARED.exists(), f"skipped: {SHARED} is not here")
class Tokenizers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="temper-tokenizers-"))
        families = real_families()
        write(cls.folder, {name: families[name] for name in ("gpt2", "llama2", "llama3", "mistral")})

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def ids(self, family, texts):
        done = subprocess.run([TEMPER, "tokenize", "--model", str(self.folder / family), "--lines"], text=True,
                              input="\n".join(map(json.dumps, texts)), capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [[int(word) for word in line.split()] for line in done.stdout.split("\n")[:-1]]

    def check(self, family, vectors):
        wanted = cases(vectors)
        self.assertGreaterEqual(len(wanted), 45)
        for (text, ids), got in zip(wanted, self.ids(family, [text for text, _ in wanted]), strict=True):
            self.assertEqual(got, ids, f"{family}: {text!r}")

    def test_gpt2(self):
        self.check("gpt2", "gpt-2")

    def test_llama3(self):
        self.check("llama3", "llama-bpe")

    def test_llama2_in_its_old_form(self):
        self.check("llama2", "llama-spm")

    def test_llama2_in_its_new_form(self):
        """Here no second space is put before a text that begins with one."""
        wanted = [(text, ids) for text, ids in cases("llama-spm") if text[0] not in " \u2581"]
        self.assertGreaterEqual(len(wanted), 30)
        for (text, ids), got in zip(wanted, self.ids("mistral", [text for text, _ in wanted]), strict=True):
            self.assertEqual(got, ids, repr(text))


if __name__ == "__main__":
    unittest.main()
