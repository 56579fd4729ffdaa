"""Chats that ask what words and sentences mean: classes that follow from meaning, gaps in sentences of books, words of a kind.

The labels go by many names, in any order and case, and a sentence is seldom made twice: what is left to learn is what the
words have to do with.
"""

from . import fields, moods, requests, spin, values, words
from .classification import MOOD_LABELS, _cap, ask_label, moody_sentence
from .structured import chat, listing, message
from .values import chance

BOOK = {"sentences": [], "by_field": {}, "by_mood": {}}


def load(sentences):
    """Sorts sentences of books by the field and the mood that several of their words share."""
    BOOK["sentences"] = sentences
    field_of, field_words = {}, {name: set(members) for name, members in fields.FIELDS.items()}
    for name, members in field_words.items():
        for member in members:
            field_of.setdefault(member, []).append(name)
    good, bad = set(moods.GOOD_WORDS), set(moods.BAD_WORDS)
    BOOK["by_field"] = {name: [] for name in field_words}
    BOOK["by_mood"] = {"positive": [], "negative": []}
    for sentence in sentences:
        tokens = set(token.strip(".,;:!?\"'()").lower() for token in sentence.split())
        counts = {}
        for token in tokens:
            for name in field_of.get(token, ()):
                counts[name] = counts.get(name, 0) + 1
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if ranked and ranked[0][1] >= 2 and (len(ranked) == 1 or ranked[1][1] < ranked[0][1]):
            BOOK["by_field"][ranked[0][0]].append((sentence, ranked[0][1]))
        goods, bads = len(tokens & good), len(tokens & bad)
        if goods >= 2 and not bads and not tokens & {"not", "no", "never"}:
            BOOK["by_mood"]["positive"].append(sentence)
        if bads >= 2 and not goods and not tokens & {"not", "no", "never"}:
            BOOK["by_mood"]["negative"].append(sentence)
    BOOK["by_field"] = {name: [sentence for sentence, _ in found] for name, found in BOOK["by_field"].items() if len(found) > 30}


ALIKE_OF = {word: group for group in fields.ALIKE for word in group}


def varied(rng, text):
    """Some of its words replaced by others of like meaning, as they stand: the grammar may suffer, the sense does not."""
    return " ".join(rng.choice(ALIKE_OF[word]) if word in ALIKE_OF and chance(rng, 0.3) else word for word in text.split(" "))


def dressed(rng, names):
    """The labels as a prompt may write them, in one of several cases."""
    style = rng.random()
    if style < 0.12:
        return {name: name.upper() for name in names}
    if style < 0.26:
        return {name: _cap(name) for name in names}
    if style < 0.32:
        return {name: name.replace(" ", "_") for name in names}
    return {name: name for name in names}


def classify(rng, text, labels, wanted, kind):
    """One question on one sentence; `labels` maps classes to names."""
    shown = dressed(rng, list(labels.values()))
    names = [shown[label] for label in labels.values()]
    rng.shuffle(names)
    return ask_label(rng, text, names, shown[labels[wanted]], kind)


def request_text(rng, name):
    text = spin.spin(rng, rng.choice(requests.REQUESTS[name][1]))
    if chance(rng, 0.3):
        text = varied(rng, text)
    if chance(rng, 0.15):
        text = rng.choice(requests.OPENINGS) + text
    if chance(rng, 0.12):
        text += spin.spin(rng, rng.choice(requests.CLOSINGS)) if chance(rng, 0.5) else " " + spin.spin(rng, rng.choice(requests.REQUESTS[name][1]))
    if chance(rng, 0.07):
        text = text.lower()
    return text


REQUEST_KINDS = ["the kind of request", "the support ticket", "the department", "the category of the message", "the ticket", "what the customer wants", "the topic of the mail",
                 "the queue", "the intent", "the class of the ticket"]


def request(rng):
    """What a customer wants, among two to eight classes under one of their names."""
    classes = rng.sample(list(requests.REQUESTS), rng.choice([2, 3, 4, 5, 6, 6, 6, 7, 8]))
    labels = {name: rng.choice(requests.REQUESTS[name][0][:4] if chance(rng, 0.6) else requests.REQUESTS[name][0]) for name in classes}
    wanted = rng.choice(classes)
    return classify(rng, request_text(rng, wanted), labels, wanted, rng.choice(REQUEST_KINDS))


def mood_text(rng, mood):
    kind = rng.random()
    if kind < 0.12:
        return varied(rng, moods.headline(rng, mood))
    if kind < 0.45:
        return moods.headline(rng, mood)
    if kind < 0.65:
        return moods.remark(rng, mood)
    if kind < 0.78 and BOOK["by_mood"].get(mood):
        return rng.choice(BOOK["by_mood"][mood])
    return moody_sentence(rng, mood)


MOOD_KINDS = ["the sentiment", "the mood", "the tone of the headline", "the sentiment of the news", "the feeling of the text", "the tone", "whether it is good or bad news", "the polarity", "the opinion"]


def mood(rng):
    names = list(rng.choice(MOOD_LABELS))
    classes = ["positive", "negative", "neutral"][: 3 if chance(rng, 0.8) else 2]
    wanted = rng.choice(classes)
    return classify(rng, mood_text(rng, wanted), dict(zip(classes, names)), wanted, rng.choice(MOOD_KINDS))


def word_mood(rng):
    """A single word or a handful of them: good, bad or neither."""
    names = list(rng.choice(MOOD_LABELS))
    classes = ["positive", "negative", "neutral"][: 3 if chance(rng, 0.6) else 2]
    wanted = rng.choice(classes)
    count = rng.choice([1, 1, 1, 2, 3, 4])
    text = rng.choice([" ", ", "]).join(moods.word(rng, wanted) for _ in range(count))
    return classify(rng, text, dict(zip(classes, names)), wanted, rng.choice(["the sentiment of the words", "the feeling of the word", "whether the word is good or bad", "the mood"]))


def field_text(rng, name):
    kind = rng.random()
    if kind < 0.45 and name in BOOK["by_field"]:
        return rng.choice(BOOK["by_field"][name])
    return rng.choice([", ", " ", " and "]).join(rng.sample(fields.FIELDS[name], rng.choice([1, 2, 3, 4])))


def field(rng):
    """The field of a sentence out of a book, or of a few words."""
    classes = rng.sample(list(fields.FIELDS), rng.randint(2, 6))
    wanted = rng.choice(classes)
    return classify(rng, field_text(rng, wanted), {name: name for name in classes}, wanted, rng.choice(["the topic", "the subject", "what it is about", "the field", "the theme"]))


def odd_one_out(rng):
    name, other = rng.sample(list(fields.FIELDS), 2)
    members = rng.sample(fields.FIELDS[name], rng.randint(3, 5))
    stranger = rng.choice([word for word in fields.FIELDS[other] if word not in fields.FIELDS[name]])
    given = members + [stranger]
    rng.shuffle(given)
    return chat(rng.choice(["Which word does not belong? {w}", "Find the odd one out: {w}", "One of these words does not fit: {w}", "{w}\nWhich is the stranger?"]).format(w=", ".join(given)), stranger)


def goes_with(rng):
    """Which of several words has to do with a word, by meaning or by field."""
    if chance(rng, 0.5):
        word, right = rng.sample(rng.choice([group for group in fields.ALIKE]), 2)
        others = [rng.choice(group) for group in rng.sample(fields.ALIKE, 4)]
        question = rng.choice(["Which word means about the same as '{x}'? {w}", "{x}: find the word of like meaning among {w}", "Synonym of {x}: {w}?"])
        group = next(group for group in fields.ALIKE if word in group and right in group)
        others = [other for other in others if other not in group][:3]
    else:
        name = rng.choice(list(fields.FIELDS))
        word, right = rng.sample(fields.FIELDS[name], 2)
        others = [rng.choice(fields.FIELDS[other]) for other in rng.sample(list(fields.FIELDS), 4)]
        others = [other for other in others if other not in fields.FIELDS[name]][:3]
        question = rng.choice(["Which word goes with '{x}'? {w}", "{x} has to do with one of these: {w}", "What belongs to {x}: {w}?"])
    given = others + [right]
    rng.shuffle(given)
    return chat(question.format(x=word, w=", ".join(given)), right)


def same_meaning(rng):
    """Whether two sentences, or two words, are of a kind."""
    same = chance(rng, 0.5)
    kind = rng.random()
    if kind < 0.5:
        first, second = rng.sample(list(requests.REQUESTS), 2)
        texts = request_text(rng, first), request_text(rng, first if same else second)
        question = "Do both messages want the same?"
    elif kind < 0.75:
        first, second = rng.sample(["positive", "negative", "neutral"], 2)
        texts = mood_text(rng, first), mood_text(rng, first if same else second)
        question = "Do both sentences have the same tone?"
    else:
        first, second = rng.sample(list(fields.FIELDS), 2)
        texts = field_text(rng, first), field_text(rng, first if same else second)
        question = "Are both about the same topic?"
    answer = "yes" if same else "no"
    if chance(rng, 0.5):
        return chat(f"1. {texts[0]}\n2. {texts[1]}\n{question}", answer)
    return chat(f"{texts[0]}\n{texts[1]}", answer, question + " Answer yes or no.")


def gap(rng):
    """A word left out of a sentence of a book, to be chosen among words that are as common."""
    kind = rng.random()
    sentence = rng.choice(BOOK["sentences"]) if kind < 0.7 else request_text(rng, rng.choice(list(requests.REQUESTS))) if kind < 0.87 else mood_text(rng, rng.choice(["positive", "negative", "neutral"]))
    tokens = sentence.split(" ")
    places = [place for place, token in enumerate(tokens) if token.strip(".,;:!?").islower() and token.strip(".,;:!?") in RANK]
    if not places:
        return word_mood(rng)
    place = rng.choice(places)
    word = tokens[place].strip(".,;:!?")
    near, common = RANK[word], values.VOCABULARY.common
    others = []
    while len(others) < rng.choice([1, 2, 3]):
        other = common[min(len(common) - 1, max(0, near + rng.randint(-near // 2 - 40, near // 2 + 400)))]
        if other != word and other not in others:
            others.append(other)
    blank = rng.choice(["___", "...", "[?]", "_"])
    text = " ".join(tokens[:place] + [tokens[place].replace(word, blank, 1)] + tokens[place + 1:])
    given = others + [word]
    rng.shuffle(given)
    if chance(rng, 0.3):
        return chat(text, word, rng.choice(["Which word fits: {w}?", "Fill the gap with {w}.", "Choose the missing word: {w}"]).format(w=listing(rng, given)))
    return chat(rng.choice(["{t}\nWhich word is missing: {w}?", "Fill the gap: {t}\nWords: {w}", "{w}: which one belongs here?\n{t}"]).format(t=text, w=", ".join(given)), word)


RANK = {}


def load_ranks():
    RANK.update({word: rank for rank, word in enumerate(values.VOCABULARY.common)})


def sorted_by_examples(rng):
    """Classes shown by examples alone, under names that may mean nothing, then more sentences to label."""
    kind = rng.random()
    if kind < 0.45:
        classes, make = rng.sample(list(requests.REQUESTS), rng.choice([2, 3, 4])), request_text
        labels = {name: rng.choice(requests.REQUESTS[name][0][:4]) for name in classes}
    elif kind < 0.75:
        classes, make = ["positive", "negative", "neutral"][: rng.choice([2, 3, 3])], mood_text
        labels = dict(zip(classes, rng.choice(MOOD_LABELS)))
    else:
        classes, make = rng.sample(list(fields.FIELDS), rng.choice([2, 3, 4])), field_text
        labels = {name: name for name in classes}
    if chance(rng, 0.35):
        marks = rng.choice([list("ABCD"), list("1234"), list("wxyz"), ["red", "blue", "green", "grey"], [values.made_up_word(rng) for _ in range(4)], [values.common_word(rng) for _ in range(4)]])
        labels = dict(zip(classes, marks))
    else:
        shown = dressed(rng, list(labels.values()))
        labels = {name: shown[label] for name, label in labels.items()}
    asked = list(classes) * (2 if len(classes) < 3 and chance(rng, 0.5) else 1)
    rng.shuffle(asked)
    asked += [rng.choice(classes) for _ in range(rng.choice([1, 1, 2, 3]))]
    system = rng.choice(["Label each message.", "Sort the messages.", "Classify.", "Label the text as in the examples.", None])
    messages = [message("system", system)] if system else []
    for name in asked:
        messages += [message("user", make(rng, name)), message("assistant", labels[name])]
    return messages


def request_and_mood(rng):
    """Two labels of one text as JSON or lines."""
    wanted = rng.choice(["complaint", "praise", "payment", "delivery", "access", "defect", "wish", "ending"])
    classes = [wanted] + rng.sample([name for name in requests.REQUESTS if name != wanted], 3)
    rng.shuffle(classes)
    labels = {name: requests.REQUESTS[name][0][0] for name in classes}
    city = values.city(rng)
    text = f"{request_text(rng, wanted)} {rng.choice(['I live in', 'I write from', 'We are in'])} {city}."
    answer = rng.choice(['{{"class": "{c}", "city": "{x}"}}', "class: {c}\ncity: {x}", "{c} ({x})", "{x}: {c}"])
    return chat(text, answer.format(c=labels[wanted], x=city), f"Give the class ({', '.join(labels.values())}) and the city in this form: {answer.format(c='...', x='...')}")


def alike_texts(rng):
    """Plain text: a handful of messages, headlines or words that have to do with the same thing."""
    kind = rng.random()
    if kind < 0.5:
        name = rng.choice(list(requests.REQUESTS))
        texts = [request_text(rng, name) for _ in range(rng.randint(3, 7))]
    elif kind < 0.85:
        name = rng.choice(["positive", "negative", "neutral"])
        texts = [mood_text(rng, name) for _ in range(rng.randint(3, 8))]
    else:
        name = rng.choice(list(fields.FIELDS))
        texts = [field_text(rng, name) for _ in range(rng.randint(2, 6))]
    return rng.choice(["\n", "\n", " "]).join(texts)


FAMILIES = [
    (request, 24), (mood, 20), (word_mood, 6), (field, 10), (odd_one_out, 3), (goes_with, 5), (same_meaning, 3), (gap, 12), (sorted_by_examples, 9), (request_and_mood, 2),
]
