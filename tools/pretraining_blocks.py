"""Pretraining data in blocks of tokens, made by several processes while the training goes on.

Block number b is decided by the seed and by b alone: chats of tools/pretraining and pieces of books in random order, as
tokens, what each token is (NOTHING, PROMPT, ANSWER, TEXT), and the lengths of the documents. Pieces are cut at random
places, so a book that is read again is cut anew. Simple prose is drawn more often than its share, most of all at first.
"""

import os
import random
import re
import signal
import tempfile
import time
from pathlib import Path

import numpy as np

import make_pretraining_data as source
from pretraining import meaning

LONGEST = 1024
NOTHING, PROMPT, ANSWER, TEXT = range(4)
BOOK_SHARE = 0.38
ALIKE_SHARE = 0.04
AHEAD = 48  # blocks that wait at most
EARLY = 150  # blocks of the beginning


class Encoder:
    """Chats and texts as tokens, in the form of the model's chat template."""

    def __init__(self, base):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        self.begin, self.start, self.end, self.turn = (self.tokenizer.token_to_id(name) for name in
                                                       ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"))
        self.feeds = self.plain(["\n\n"])[0]

    def plain(self, texts):
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def chats(self, chats):
        """(tokens, kinds) of each; all texts are encoded in one call."""
        texts = [text for chat in chats for message in chat for text in (message["role"], message["content"].strip())]
        ids = iter(self.plain(texts))
        for chat in chats:
            tokens, kinds = [self.begin], [NOTHING]
            for message in chat:
                role, content = next(ids), next(ids)
                header = [self.start, *role, self.end, *self.feeds]
                tokens += header + content + [self.turn]
                kinds += [PROMPT] * len(header) + [ANSWER if message["role"] == "assistant" else PROMPT] * (len(content) + 1)
            yield tokens[:LONGEST], kinds[:LONGEST]

    def texts(self, texts):
        for ids in self.plain(texts):
            tokens = [self.begin, *ids][:LONGEST]
            yield tokens, [NOTHING] + [TEXT] * (len(tokens) - 1)


class Library:
    def __init__(self, corpora):
        self.shelves = source.read_books(corpora)
        source.prepare(self.shelves)
        self.sizes = [sum(map(len, shelf)) for shelf in self.shelves]
        self.families, self.weights = source.chat_families()

    def piece(self, rng, early):
        weights = [size * factor for size, factor in zip(self.sizes, (12, 8, 1) if early else (2, 1.5, 1))]
        shelf = rng.choices(self.shelves, weights)[0]
        book = rng.choices(shelf, [len(book) for book in shelf])[0] if len(shelf) < 100 else shelf[self.by_length(rng, shelf)]
        at = rng.randrange(max(1, len(book) - 400))
        # A piece begins where a sentence does, and is long enough for the whole context now and then.
        begun = re.compile(r"[.!?][\"')]*\s+").search(book, at, at + 1000)
        begin = begun.end() if begun else at
        return book[begin:begin + rng.choice([500, 900, 1400, 2200, 3000])].rsplit(" ", 1)[0].strip()

    def by_length(self, rng, shelf):
        if not hasattr(self, "cumulated"):
            self.cumulated = np.cumsum([len(book) for book in shelf])
        return int(np.searchsorted(self.cumulated, rng.randrange(int(self.cumulated[-1])), side="right"))

    def block(self, encoder, seed, number, wanted):
        rng = random.Random(f"block {seed} {number}")
        early = number < EARLY
        documents = []
        for share, make in ((ALIKE_SHARE, lambda: encoder.texts([meaning.alike_texts(rng) for _ in range(64)])),
                            (BOOK_SHARE, lambda: encoder.texts([self.piece(rng, early) for _ in range(64)])),
                            (1 - BOOK_SHARE - ALIKE_SHARE, lambda: encoder.chats([source.make_chat(rng, self.families, self.weights)[1] for _ in range(256)]))):
            size = 0
            while size < wanted * share:
                for document in make():
                    if len(document[0]) > 1:
                        documents.append(document)
                        size += len(document[0])
        if number < 6:  # sequences that repeat: looking back is learned sooner
            documents += encoder.texts([source.induction_text(rng) for _ in range(1500 // (number + 1))])
        rng.shuffle(documents)
        return (np.array([token for tokens, _ in documents for token in tokens], np.uint16), np.array([kind for _, kinds in documents for kind in kinds], np.uint8),
                np.array([len(tokens) for tokens, _ in documents], np.int64))


class Makers:
    """Processes that make the blocks; the reader takes them in order."""

    def __init__(self, given):
        self.given, self.taken = given, 0
        memory = Path("/dev/shm")
        self.folder = tempfile.TemporaryDirectory(prefix="blocks-", dir=memory if memory.is_dir() else None)
        self.directory = Path(self.folder.name)
        self.reader = os.getpid()
        self.children = [self.fork(self.lead)]

    def fork(self, work, *arguments):
        child = os.fork()
        if child == 0:
            try:
                work(*arguments)
            finally:
                os._exit(1)
        return child

    def lead(self):
        """Reads the books once, and then is as many processes as are wanted, all with the same memory."""
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        os.setpgid(0, 0)
        begun = time.monotonic()
        library = Library(self.given.corpora)
        self.write_held_out(library)
        print(f"books read in {time.monotonic() - begun:.0f} s: {library.sizes} characters", flush=True)
        for worker in range(self.given.workers):
            self.fork(self.make, library, worker)
        while os.getppid() == self.reader:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    def write_held_out(self, library):
        rng = random.Random(f"held out {self.given.seed}")
        encoder = Encoder(self.given.base)
        names, chats = zip(*(source.make_chat(rng, library.families, library.weights) for _ in range(600)))
        rows = [(name, np.array(tokens, np.uint16), np.array(kinds, np.uint8)) for name, (tokens, kinds) in zip(names, encoder.chats(chats))]
        np.save(self.directory / "held_out.part.npy", np.array(rows, dtype=object), allow_pickle=True)
        os.rename(self.directory / "held_out.part.npy", self.directory / "held_out.npy")

    def make(self, library, worker):
        encoder = Encoder(self.given.base)
        number = worker
        while True:
            while number > self.count_taken() + AHEAD:
                time.sleep(0.1)
            tokens, kinds, lengths = library.block(encoder, self.given.seed, number, self.given.block_tokens)
            part = self.directory / f"{number}.part.npz"
            np.savez(part, tokens=tokens, kinds=kinds, lengths=lengths)
            part.rename(self.directory / f"{number}.npz")
            number += self.given.workers

    def count_taken(self):
        try:
            return int((self.directory / "taken").read_text() or 0)
        except FileNotFoundError:
            return 0

    def blocks(self):
        while True:
            path = self.directory / f"{self.taken}.npz"
            while not path.exists():
                time.sleep(0.02)
            with np.load(path) as block:
                found = block["tokens"], block["kinds"], block["lengths"]
            path.unlink()
            self.taken += 1
            part = self.directory / "taken.part"
            part.write_text(str(self.taken))
            part.rename(self.directory / "taken")
            yield found

    def held_out(self):
        return np.load(self.directory / "held_out.npy", allow_pickle=True)

    def stop(self):
        for child in self.children:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self.folder.cleanup()
