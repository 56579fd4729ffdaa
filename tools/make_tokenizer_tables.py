#!/usr/bin/env python3
"""Writes src/model/unicode_{classes,words,newer,combining,decompositions,compositions}.c: what `tokenizers` believes.

usage: make_tokenizer_tables.py DIRECTORY        (with the package `tokenizers` installed)

Its parts follow different versions of Unicode, so they are asked rather than a version of the standard: the classes of
its patterns (letters, numbers, spaces), and the canonical forms of its normalizers.
"""
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CHARACTERS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
NFC, NFD = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
SAYS = f"Made by tools/make_tokenizer_tables.py from tokenizers {tokenizers.__version__}."


def members(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return {c for c in CHARACTERS if not split.pre_tokenize_str(chr(c))}


def words():
    """What `\\w` is to the rule that an added token must be a single word."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({"Q": 0}, []))
    tokenizer.add_tokens([tokenizers.AddedToken("QQ", single_word=True)])
    return {c for c in CHARACTERS if not tokenizer.encode("QQ" + chr(c)).tokens == ["QQ"]}


def ranges(value_of):
    """(first, last, value) for each run of characters with the same value that is not zero."""
    found = []
    for c in range(0x110000):
        value = value_of(c)
        if not value:
            continue
        if found and found[-1][1] == c - 1 and found[-1][2] == value:
            found[-1][1] = c
        else:
            found.append([c, c, value])
    return found


def classes():
    kinds = {}
    for name, pattern in (("LETTER", r"\p{L}"), ("NUMBER", r"\p{N}"), ("SPACE", r"\s")):
        kinds.update(dict.fromkeys(members(pattern), f"CHARACTER_{name}"))
    digits = pre_tokenizers.Digits(True)
    later = {c for c in CHARACTERS if len(digits.pre_tokenize_str("a" + chr(c))) > 1 and c not in kinds}
    kinds.update(dict.fromkeys(later, "CHARACTER_DIGIT_ONLY"))
    return ranges(kinds.get)


def swaps(c, other):
    """Whether NFD puts `other` before c where it follows it."""
    return NFD("a" + chr(c) + chr(other)) == "a" + chr(other) + chr(c)


def combining(c):
    """The combining class, 0 where `tokenizers` does not know it."""
    known = unicodedata.combining(chr(c))
    if not known or NFD(chr(c)) != chr(c):
        return 0
    lower, higher = 0x334, 0x345  # classes 1 and 240
    if known > 1:
        return known if swaps(c, lower) else 0
    return known if swaps(higher, c) else 0


def pairs():
    """(character, first, second or 0) as canonically decomposed, one step."""
    found = []
    for c in CHARACTERS:
        parts = unicodedata.decomposition(chr(c))
        if not parts or parts.startswith("<") or NFD(chr(c)) == chr(c):
            continue
        first, *second = [int(part, 16) for part in parts.split()]
        found.append((c, first, second[0] if second else 0))
    return found


def table(rows):
    """Rows as C initialisers, as many on a line as fit."""
    lines, line = [], "   "
    for row in rows:
        cell = " {" + ", ".join(v if isinstance(v, str) else hex(v) for v in row) + "},"
        if len(line) + len(cell) > 118:
            lines.append(line)
            line = "   "
        line += cell
    return "\n".join([*lines, line])


def write(folder, file, says, kind, rows, extra=""):
    (folder / f"unicode_{file}.c").write_text(
        f'// {says} {SAYS}\n#include "model/unicode_internal.h"\n\n// clang-format off\n{extra}'
        f"const struct {kind} unicode_{file}[] = {{\n{table(rows)}\n}};\n"
        f"const size_t unicode_{file}_count = {len(rows)};\n")


PROPERTIES = ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
              "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp"]


def newer():
    """C strings: for each property, the ranges that Unicode 14, of PCRE2 10.42, does not have in it yet."""
    assert unicodedata.unidata_version <= "14.0.0", "run this with a Python that knows no more than Unicode 14"
    rows = []
    for name in PROPERTIES:
        found = ranges(lambda c, there=members(rf"\p{{{name}}}"): int(
            c in there and not unicodedata.category(chr(c)).startswith(name)))
        cells = [f'"\\\\x{{{first:x}}}"' if first == last else f'"\\\\x{{{first:x}}}-\\\\x{{{last:x}}}"'
                 for first, last, _ in found] or ['""']
        lines = [" ".join(cells[i:i + 4]) for i in range(0, len(cells), 4)]
        rows.append(f'    {{"{name}",\n        ' + "\n        ".join(lines) + "},")
    return "\n".join(rows)


def main():
    folder = pathlib.Path(sys.argv[1])
    short = {"CHARACTER_LETTER": "L", "CHARACTER_NUMBER": "N", "CHARACTER_SPACE": "S", "CHARACTER_DIGIT_ONLY": "D"}
    names = "".join(f"#define {letter} {name}\n" for name, letter in short.items())
    write(folder, "classes", "Letters, numbers and spaces.", "unicode_range",
          [(first, last, short[kind]) for first, last, kind in classes()], names + "\n")
    word = words()
    write(folder, "words", "Characters of words.", "unicode_range", ranges(lambda c: int(c in word)))
    (folder / "unicode_newer.c").write_text(
        f'// What properties gained since Unicode 14. {SAYS}\n#include "model/unicode_internal.h"\n'
        f"\n// clang-format off\nconst struct unicode_property unicode_newer[] = {{\n{newer()}\n}};\n"
        f"const size_t unicode_newer_count = {len(PROPERTIES)};\n")
    write(folder, "combining", "Combining classes.", "unicode_range", ranges(combining))
    steps = pairs()
    write(folder, "decompositions", "Canonical decompositions, one step.", "unicode_triple", steps)
    write(folder, "compositions", "Canonical compositions, by their parts.", "unicode_triple",
          sorted((a, b, c) for c, a, b in steps if b and NFC(chr(a) + chr(b)) == chr(c)))


if __name__ == "__main__":
    main()
