"""Sentences with alternatives: `{my|the} parcel {is late|{never|has not yet} arrived}` and `$slot` for a made-up value.

One line stands for dozens to thousands of sentences, so that what a label goes with is a meaning that many words share.
"""

import re

from . import values, words

_TOKEN = re.compile(r"[{}|]|\$[a-z0-9]+|[^{}|$]+|\$")
_PARSED = {}

THINGS = words.OBJECTS + """drill toaster oven fridge freezer dishwasher washer dryer vacuum fan heater iron speaker headset headphones earphones
microphone router modem tablet watch projector scanner charger cable battery lens tripod drone console controller keyboard mouse stroller crib
mattress sofa desk wardrobe bookcase rug mower hose shovel saw wrench screwdriver paint tile pump valve tire saddle rope kayak skis snowboard
racket ball treadmill dumbbell thermometer scale blender mixer grill pan pot knife cup mug jar thermos suitcase wallet belt boots shoes coat shirt
sweater dress ring necklace bracelet lamp bulb socket switch lock hinge toy doll train puzzle""".split()

SLOTS = {
    "company": values.company, "product": values.product_name, "city": values.city, "name": values.person, "first": values.first_name,
    "day": lambda r: r.choice(words.WEEKDAYS + words.WEEKDAYS + ["yesterday", "last week", "this morning", "today", "tomorrow", "last month"]),
    "weekday": lambda r: r.choice(words.WEEKDAYS), "month": lambda r: r.choice(words.MONTHS), "n": lambda r: str(r.choice([r.randint(2, 12), r.randint(2, 99), r.randint(100, 9999)])),
    "id": values.code, "money": values.money, "sum": lambda r: f"{r.randint(2, 900)} {r.choice(['dollars', 'euros', 'pounds'])}", "email": values.email, "version": values.version,
    "thing": lambda r: r.choice(THINGS), "lang": lambda r: r.choice(words.LANGUAGES), "time": values.clock_time, "url": values.url,
    "date": values.long_date, "country": lambda r: r.choice(words.COUNTRIES)[0], "person": values.person, "job": lambda r: r.choice(words.CATEGORY_MEMBERS["profession"]),
    "animal": lambda r: r.choice(words.ANIMALS), "food": lambda r: r.choice(words.FOODS),
}


def _parse(text):
    """A sequence: strings, slot names as ('$', name), alternatives as lists of sequences."""
    stack = [[[]]]
    for token in _TOKEN.findall(text):
        if token == "{":
            stack.append([[]])
        elif token == "|" and len(stack) > 1:
            stack[-1].append([])
        elif token == "}":
            alternatives = stack.pop()
            stack[-1][-1].append(alternatives)
        elif token.startswith("$") and token[1:] in SLOTS:
            stack[-1][-1].append(("$", token[1:]))
        else:
            stack[-1][-1].append(token)
    return stack[0][0]


def _expand(rng, sequence):
    parts = []
    for part in sequence:
        if isinstance(part, list):
            parts.append(_expand(rng, rng.choice(part)))
        elif isinstance(part, tuple):
            parts.append(str(SLOTS[part[1]](rng)))
        else:
            parts.append(part)
    return "".join(parts)


def spin(rng, text):
    if text not in _PARSED:
        _PARSED[text] = _parse(text)
    made = re.sub(r"\s+([.,!?;:])", r"\1", re.sub(r" {2,}", " ", _expand(rng, _PARSED[text]))).strip()
    return made[:1].upper() + made[1:]


def lines(text):
    return [line for line in text.strip().split("\n") if line]
