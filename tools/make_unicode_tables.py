#!/usr/bin/env python3
"""Writes src/model/template/template_unicode.c's tables: what Python's str.upper, lower, title, isprintable and the
like know of each character, so that templates render non-English text as they do in transformers.

    python3 tools/make_unicode_tables.py | clang-format > src/model/template/template_unicode.c
"""
import unicodedata

CHARACTERS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def shifts(change):
    rows = []
    for character in CHARACTERS:
        changed = change(character)
        if len(changed) != 1 or changed == character:
            continue
        code, delta = ord(character), ord(changed) - ord(character)
        step = code - rows[-1][1] if rows else 0
        if rows and rows[-1][2] == delta and step in (1, 2) and rows[-1][3] in (0, step):
            rows[-1][1], rows[-1][3] = code, step
        else:
            rows.append([code, code, delta, 0])
    return ", ".join(f"{{0x{first:x}, 0x{last:x}, {delta}, {step or 1}}}" for first, last, delta, step in rows)


def expansions():
    rows = []
    for character in CHARACTERS:
        forms = [character.upper(), character.lower(), character.title()]
        if max(map(len, forms)) > 1:
            texts = ", ".join('"' + "".join(f"\\x{byte:02x}" for byte in form.encode()) + '"' for form in forms)
            rows.append(f"{{0x{ord(character):x}, {{{texts}}}}}")
    return ", ".join(rows)


def spans(holds):
    rows = []
    for character in CHARACTERS:
        code = ord(character)
        if not holds(character):
            continue
        if rows and rows[-1][1] == code - 1:
            rows[-1][1] = code
        else:
            rows.append([code, code])
    return ", ".join(f"{{0x{first:x}, 0x{last:x}}}" for first, last in rows)


print(f"""// Unicode {unicodedata.unidata_version}, as Python has it. Made by tools/make_unicode_tables.py; not edited by hand.
#include "model/template/template_unicode.h"

const struct unicode_shift unicode_upper[] = {{{shifts(str.upper)}}};
const struct unicode_shift unicode_lower[] = {{{shifts(str.lower)}}};
const struct unicode_shift unicode_title[] = {{{shifts(str.title)}}};
const size_t unicode_upper_count = sizeof unicode_upper / sizeof *unicode_upper;
const size_t unicode_lower_count = sizeof unicode_lower / sizeof *unicode_lower;
const size_t unicode_title_count = sizeof unicode_title / sizeof *unicode_title;

const struct unicode_expansion unicode_expansions[] = {{{expansions()}}};
const size_t unicode_expansion_count = sizeof unicode_expansions / sizeof *unicode_expansions;

const struct unicode_span unicode_hidden[] = {{{spans(lambda c: not c.isprintable())}}};
const size_t unicode_hidden_count = sizeof unicode_hidden / sizeof *unicode_hidden;

const struct unicode_span unicode_cased[] = {{{spans(lambda c: c.islower() or c.isupper() or c.istitle())}}};
const size_t unicode_cased_count = sizeof unicode_cased / sizeof *unicode_cased;""")
