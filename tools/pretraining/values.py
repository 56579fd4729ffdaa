"""Random names and values: what the generated chats are about, and what a model must learn to copy.

Every function takes a `random.Random` and nothing else decides what it returns, so one seed makes one
file. Made-up words come from several makers (syllables, compounds, letters at random) because a model
that has seen one kind only copies no other.
"""

import json
from pathlib import Path

from . import words

_ONSETS = """b bl br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p ph pl pr qu r s sc sh sk sl sm sn sp st str sw
t th tr tw v w wh x y z zh""".split()
_VOWELS = "a e i o u a e i o u ai au ea ee ei ie io oa oo ou ua y".split()
_CODAS = "b ck d f g k l ll m n nd ng nt p r rd rk rn rt s sh sk ss st t th v x z".split() + [""] * 24
_ENDINGS = "ify ly io ster er on us a um ix ex or ic ium ora eo ette ella ana ino ax ez ito ara ia is ent al ade ux".split()
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MAIL_ENDINGS = "com org net io dev example eu co".split()


def chance(rng, probability):
    return rng.random() < probability


def syllable_word(rng, most=3):
    parts = []
    for _ in range(rng.randint(1, most)):
        parts.append(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS))
    if chance(rng, 0.4):
        parts.append(rng.choice(_ENDINGS))
    word = "".join(parts)
    return word if len(word) > 2 else word + rng.choice(_ENDINGS)


def made_up_word(rng):
    """A small-letter word that no dictionary has."""
    kind = rng.random()
    if kind < 0.7:
        return syllable_word(rng)
    if kind < 0.85:
        word = rng.choice(words.TECHNICAL_WORDS).lower()
        return word[: rng.randint(2, len(word))] + rng.choice(_ENDINGS)
    return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(3, 9)))


class Vocabulary:
    """Words of the books, common ones first: names made of them meet every token of the vocabulary."""

    def __init__(self, common):
        self.common = common

    def word(self, rng):
        # The square leans towards common words without leaving out the rare ones.
        return self.common[int(len(self.common) * rng.random() ** 2)]


VOCABULARY = Vocabulary(["house", "river", "stone", "garden"])


def common_word(rng):
    return VOCABULARY.word(rng)


def any_word(rng):
    return made_up_word(rng) if chance(rng, 0.5) else common_word(rng)


def part(rng):
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(words.TECHNICAL_WORDS)
    if kind < 0.7:
        return common_word(rng).capitalize()
    return syllable_word(rng, 2).capitalize()


def product_name(rng):
    """A name as programs and products bear them: TaskMaster, Zorvex, blue-harbor, Nova 42, QUARTZ."""
    kind = rng.random()
    if kind < 0.38:
        return part(rng) + part(rng)
    if kind < 0.58:
        return made_up_word(rng).capitalize()
    if kind < 0.66:
        return part(rng)
    if kind < 0.72:
        return part(rng) + " " + part(rng)
    if kind < 0.77:
        return part(rng).lower() + "-" + part(rng).lower()
    if kind < 0.81:
        return part(rng).lower() + "_" + part(rng).lower()
    if kind < 0.85:
        return part(rng) + part(rng) + part(rng)
    if kind < 0.89:
        return part(rng) + str(rng.randint(1, 999))
    if kind < 0.92:
        return part(rng).upper()
    if kind < 0.95:
        return part(rng).lower()
    if kind < 0.98:
        return part(rng) + rng.choice([" Pro", " Plus", " Lite", "X", "Hub", ".io", "JS", "DB", "OS", "AI", " Studio"])
    return part(rng).lower() + part(rng)


def person(rng):
    if chance(rng, 0.25):
        return made_up_word(rng).capitalize() + " " + made_up_word(rng).capitalize()
    return rng.choice(words.FIRST_NAMES) + " " + rng.choice(words.LAST_NAMES)


def first_name(rng):
    return made_up_word(rng).capitalize() if chance(rng, 0.25) else rng.choice(words.FIRST_NAMES)


def city(rng):
    return made_up_word(rng).capitalize() if chance(rng, 0.2) else rng.choice(words.CITIES)


def company(rng):
    base = made_up_word(rng).capitalize() if chance(rng, 0.5) else product_name(rng)
    return base + " " + rng.choice(words.COMPANY_ENDINGS) if chance(rng, 0.6) else base


def version(rng):
    kind = rng.random()
    text = f"{rng.randint(0, 12)}.{rng.randint(0, 30)}"
    if kind < 0.8:
        text += f".{rng.randint(0, 20)}"
    if chance(rng, 0.12):
        text += rng.choice(["-beta", "-rc1", "-alpha", "-rc2", "-dev", f"-beta.{rng.randint(1, 9)}"])
    return text


def integer(rng):
    return rng.randint(0, 10 ** rng.randint(1, 5))


def number(rng):
    return integer(rng) if chance(rng, 0.6) else round(rng.random() * 10 ** rng.randint(0, 3), rng.randint(1, 2))


def date(rng):
    return f"{rng.randint(1990, 2035)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


def clock_time(rng):
    return f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"


def long_date(rng):
    return f"{rng.randint(1, 28)} {rng.choice(words.MONTHS)} {rng.randint(1990, 2035)}"


def domain(rng):
    return any_word(rng) + "." + rng.choice(_MAIL_ENDINGS)


def email(rng):
    name = first_name(rng).lower()
    if chance(rng, 0.4):
        name += rng.choice("._-") + rng.choice(words.LAST_NAMES).lower().replace("'", "")
    return name + "@" + domain(rng)


def url(rng):
    path = "".join("/" + any_word(rng) for _ in range(rng.randint(0, 2)))
    return rng.choice(["https://", "https://www.", "http://"]) + domain(rng) + path


def code(rng):
    """An identifier as orders and tickets bear them."""
    kind = rng.random()
    letters = "".join(rng.choice(_LETTERS) for _ in range(rng.randint(1, 4)))
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(2, 6)))
    if kind < 0.4:
        return letters.upper() + "-" + digits
    if kind < 0.6:
        return digits
    if kind < 0.8:
        return letters + digits
    return "".join(rng.choice("0123456789abcdef") for _ in range(rng.randint(6, 12)))


def money(rng):
    return rng.choice(["EUR {} million", "${}", "{} euros", "USD {}m", "{} dollars", "EUR {}"]).format(rng.randint(1, 990))


def path(rng):
    return "".join("/" + any_word(rng) for _ in range(rng.randint(1, 3))) + rng.choice(["", ".log", ".txt", ".json", ".conf"])


def phrase(rng):
    return " ".join(any_word(rng) for _ in range(rng.randint(2, 5)))


_BY_KEY = {
    "name": product_name, "title": lambda r: " ".join(part(r) for _ in range(r.randint(1, 3))), "version": version,
    "environment": lambda r: r.choice(words.ENVIRONMENTS), "port": lambda r: r.randint(80, 65000), "host": domain,
    "id": code, "author": person, "owner": person, "customer": person, "manager": person, "artist": person,
    "year": lambda r: r.randint(1900, 2035), "price": lambda r: round(r.random() * 500, 2), "email": email,
    "sender": email, "recipient": email, "city": city, "origin": city, "destination": city, "date": date, "start": date,
    "end": date, "deadline": date, "time": clock_time, "departure": clock_time, "arrival": clock_time, "url": url,
    "endpoint": url, "path": path, "quantity": integer, "color": lambda r: r.choice(words.COLORS),
    "status": lambda r: r.choice(words.STATUSES), "role": lambda r: r.choice(words.ROLES),
    "level": lambda r: r.choice(words.LEVELS), "priority": lambda r: r.choice(words.LEVELS),
    "language": lambda r: r.choice(words.LANGUAGES), "license": lambda r: r.choice(words.LICENSES),
    "age": lambda r: r.randint(1, 99), "enabled": lambda r: chance(r, 0.5), "active": lambda r: chance(r, 0.5),
    "public": lambda r: chance(r, 0.5), "debug": lambda r: chance(r, 0.5), "verbose": lambda r: chance(r, 0.5),
    "country": lambda r: r.choice(words.COUNTRIES)[0], "domain": domain, "user": lambda r: first_name(r).lower(),
    "product": product_name, "project": product_name, "service": product_name, "brand": company, "team": any_word,
    "timeout": integer, "retries": lambda r: r.randint(0, 9), "width": integer, "height": integer, "count": integer,
    "limit": integer, "score": number, "rating": lambda r: r.randint(1, 10), "amount": number, "temperature": number,
}

_ANY_VALUE = [
    (product_name, 5), (made_up_word, 4), (common_word, 4), (integer, 5), (number, 2), (version, 2), (date, 1), (email, 1),
    (person, 2), (city, 1), (code, 2), (phrase, 2), (lambda r: chance(r, 0.5), 2), (path, 1), (url, 1), (clock_time, 1),
]
_ANY_MAKERS = [maker for maker, weight in _ANY_VALUE for _ in range(weight)]


def any_value(rng):
    return rng.choice(_ANY_MAKERS)(rng)


def value_for(rng, key):
    maker = _BY_KEY.get(key)
    # A quarter is off the beaten track, so that a key never tells its value.
    return maker(rng) if maker and chance(rng, 0.75) else any_value(rng)


def key(rng):
    kind = rng.random()
    if kind < 0.6:
        return rng.choice(words.KEYS)
    if kind < 0.78:
        return rng.choice(words.KEY_PARTS) + rng.choice(["_", "_", "-", "."]) + rng.choice(words.KEY_ENDINGS)
    if kind < 0.84:
        return rng.choice(words.KEY_PARTS) + rng.choice(words.KEY_ENDINGS).capitalize()
    if kind < 0.92:
        return common_word(rng)
    return made_up_word(rng)


def keys(rng, least, most):
    wanted = rng.randint(least, most)
    found = []
    while len(found) < wanted:
        candidate = key(rng)
        if candidate not in found:
            found.append(candidate)
    return found


def record(rng, least=1, most=5):
    return {name: value_for(rng, name) for name in keys(rng, least, most)}


def sentence_slots(rng):
    """What the `{…}` in the sentences of words.py stand for."""
    return {
        "n": rng.randint(2, 99), "o": rng.choice(words.ORDINALS), "w": rng.choice(words.WEEKDAYS), "c": rng.choice(words.COLORS),
        "c2": rng.choice(words.COLORS), "t": rng.choice(words.OBJECTS), "city": city(rng), "name": first_name(rng),
        "company": company(rng), "company2": company(rng), "money": money(rng), "money2": money(rng),
        "q": rng.choice(["first", "second", "third", "fourth"]), "v": version(rng), "id": code(rng), "email": email(rng),
        "url": url(rng), "lang": rng.choice(words.LANGUAGES),
    }


def fill(rng, template):
    return template.strip().format(**sentence_slots(rng)) if "{" in template else template.strip()


def text_of(value):
    """A value as it is written in a sentence."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def load_vocabulary(books):
    """Fills VOCABULARY with the words of `books` (texts), by how often each occurs."""
    import collections
    import re

    counts = collections.Counter()
    for text in books:
        counts.update(re.findall(r"\b[a-z]{3,11}\b", text))
    VOCABULARY.common = [word for word, _ in counts.most_common(12000)][60:]
