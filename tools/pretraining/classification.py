"""Chats whose answer is a label: sentiment, topic, kind of request, language and more.

The labels stand in the prompt, under many names and in any order, and the sentences are put together
from many parts, so that what is learned is the property and not the sentence.
"""

from . import values, words
from .structured import chat, listing, message
from .values import chance


def _cap(text):
    return text[0].upper() + text[1:]


def _intensity(rng):
    return rng.choice(["", "", "", "very ", "really ", "so ", "quite ", "rather ", "absolutely ", "truly ", "extremely ", "simply ", "just "])


def opinion(rng, good):
    """A sentence or two that praise (or blame) something."""
    adjectives = words.POSITIVE_ADJECTIVES if good else words.NEGATIVE_ADJECTIVES
    others = words.NEGATIVE_ADJECTIVES if good else words.POSITIVE_ADJECTIVES
    phrases = words.POSITIVE_PHRASES if good else words.NEGATIVE_PHRASES
    verb = rng.choice(words.POSITIVE_VERBS if good else words.NEGATIVE_VERBS)
    domain = rng.choice(list(words.REVIEW_THINGS))
    thing, second = rng.sample(words.REVIEW_THINGS[domain], 2)
    named = values.product_name(rng)
    adjective, adjective2 = rng.choice(adjectives), rng.choice(adjectives)
    slots = {
        "t": thing, "s": second, "a": adjective, "b": adjective2, "x": rng.choice(others), "v": verb, "i": _intensity(rng), "d": domain,
        "p": rng.choice(phrases), "P": _cap(rng.choice(phrases)), "n": named, "w": rng.choice(words.WEEKDAYS), "city": values.city(rng),
        "person": values.first_name(rng), "company": values.company(rng),
    }
    return rng.choice([
        "The {t} was {i}{a}.", "The {t} is {i}{a} and the {s} is {b}.", "I {v} the {t}.", "What a {a} {t}!", "{P}.", "{P}!",
        "The {t} was {a}, {p}.", "I {v} this {d}, the {t} is {a}.", "{n}: {a} {t}, {b} {s}.", "{i}{a}!", "Not {x} at all, {p}.",
        "We went to {city} and the {d} was {i}{a}.", "My {t} from {company} is {a}. {P}.", "{person} says the {t} is {i}{a}.",
        "The {t} of the {n} turned out to be {a}.", "{P}. The {t} was {b}.", "I bought the {n} on {w} and {p}.", "Such a {a} {d}.",
        "A {i}{a} {t} and a {b} {s}.",
        "I expected a {x} {t}, but it was {a}.", "This {d} has a {a} {t}.", "The {t} looked {x} at first; in the end it was {i}{a}.",
        "{a} {t}, {b} {s}. {P}.", "{n} is {i}{a}.", "It was {a}.", "How {a}!", "I feel {a} about the {t}.", "they were {i}{a} and {b}",
        "the {d} in {city}? {a}.", "Honestly, {p}.", "The {t} makes me {v} this {d}." if good else "Because of the {t} I {v} this {d}.",
    ]).format(**slots).strip()


def news(rng, mood):
    template = rng.choice({"positive": words.NEWS_POSITIVE, "negative": words.NEWS_NEGATIVE, "neutral": words.NEWS_NEUTRAL}[mood])
    text = values.fill(rng, template)
    return text + rng.choice(["", ".", " ."])


def moody_sentence(rng, mood):
    if chance(rng, 0.35):
        return news(rng, mood)
    if mood == "neutral":
        return values.fill(rng, rng.choice(words.NEUTRAL_SENTENCES))
    return opinion(rng, mood == "positive")


MOOD_LABELS = [
    ("positive", "negative", "neutral"), ("positive", "negative", "neutral"), ("positive", "negative", "neutral"), ("Positive", "Negative", "Neutral"),
    ("POSITIVE", "NEGATIVE", "NEUTRAL"), ("good", "bad", "neutral"), ("happy", "unhappy", "neither"), ("pos", "neg", "neu"),
    ("praise", "complaint", "remark"), ("like", "dislike", "indifferent"), ("favorable", "unfavorable", "neutral"), ("1", "-1", "0"), ("+", "-", "0"),
    ("satisfied", "dissatisfied", "neutral"), ("up", "down", "flat"), ("bullish", "bearish", "neutral"),
]


def sentiment(rng):
    labels = rng.choice(MOOD_LABELS)
    moods = ["positive", "negative", "neutral"]
    count = 3 if chance(rng, 0.7) else 2
    mood = rng.randrange(count)
    names = list(labels[:count])
    rng.shuffle(names)
    kind = rng.choice(["the sentiment", "the sentiment of the text", "the mood of the sentence", "the tone", "how the writer feels",
                       "the sentiment of financial news", "the opinion in the review", "the sentiment"])
    return ask_label(rng, moody_sentence(rng, moods[mood]), names, labels[mood], kind)


LABEL_SYSTEMS = [
    "Classify {k} as {l}. Answer with one word.", "Determine {k}. Labels: {l}.", "What is {k}? Answer {o}.", "Label {k}: {o}.",
    "You classify text. Say {o}.", "Assign one of these labels to {k}: {l}.", "Decide {k}. Possible answers are {l}. Provide your response as a single word without any punctuation.",
    "You are a helpful assistant that determines {k}. Reply with one of: {l}.", "{k}: {l}?", "Choose one label from {l} for {k}.",
    "Analyze the following text and assign one of the following labels to {k}: {l}.", "Your task is to classify {k}. Answer only with {o}.",
]


def ask_label(rng, text, names, answer, kind):
    listed = rng.choice([", ".join(names), " / ".join(names), " | ".join(names), listing(rng, names)])
    either = ", ".join(names[:-1]) + " or " + names[-1]
    instruction = _cap(rng.choice(LABEL_SYSTEMS).format(k=kind, l=listed, o=either))
    if chance(rng, 0.06):
        answer_text = '{"label": "' + answer + '"}'
        instruction += ' Answer as JSON with the key "label".'
    else:
        answer_text = answer
    place = rng.random()
    if place < 0.6:
        return chat(text, answer_text, instruction)
    if place < 0.8:
        return chat(instruction + "\n" + rng.choice(["", "Text: ", "Sentence: "]) + text, answer_text)
    return chat(text + "\n\n" + instruction, answer_text)


def word_polarity(rng):
    good = chance(rng, 0.5)
    word = rng.choice((words.POSITIVE_ADJECTIVES + words.POSITIVE_VERBS) if good else (words.NEGATIVE_ADJECTIVES + words.NEGATIVE_VERBS))
    labels = rng.choice(MOOD_LABELS)
    names = list(labels[:2])
    rng.shuffle(names)
    return chat(rng.choice(["Is '{w}' {o}?", "{w}: {o}?", "Is the word {w} {o}?"]).format(w=word, o=" or ".join(names)), labels[0 if good else 1])


def topic(rng):
    names = rng.sample(list(words.TOPIC_SENTENCES), rng.randint(2, 5))
    answer = rng.choice(names)
    shown = {name: name for name in names}
    style = rng.random()
    if style < 0.15:
        shown = {name: name.capitalize() for name in names}
    elif style < 0.25:
        shown = {name: name.upper() for name in names}
    text = " ".join(values.fill(rng, sentence.replace("\n", "")) for sentence in
                    rng.sample(words.TOPIC_SENTENCES[answer].split("|"), 1 if chance(rng, 0.7) else 2))
    return ask_label(rng, text, [shown[name] for name in names], shown[answer], rng.choice(["the topic", "the subject of the text", "the section of the newspaper", "the topic of the headline"]))


def ticket(rng):
    names = rng.sample(list(words.TICKETS), rng.randint(2, 5))
    answer = rng.choice(names)
    text = values.fill(rng, rng.choice(words.TICKETS[answer].split("|")).replace("\n", ""))
    if chance(rng, 0.3):
        text = rng.choice(["Hello, ", "Hi! ", "Dear team, ", "Good morning. "]) + text
    if chance(rng, 0.2):
        text += rng.choice([" Thanks!", " Regards, " + values.first_name(rng), " Please help."])
    return ask_label(rng, text, names, answer, rng.choice(["the kind of request", "the support ticket", "the department", "the category of the message"]))


def urgency(rng):
    urgent = chance(rng, 0.5)
    text = values.fill(rng, rng.choice(words.URGENT_SENTENCES if urgent else words.NOT_URGENT_SENTENCES))
    labels = rng.choice([("urgent", "normal"), ("high", "low"), ("urgent", "not urgent"), ("yes", "no"), ("now", "later"), ("P1", "P3")])
    names = list(labels)
    rng.shuffle(names)
    return ask_label(rng, text, names, labels[0 if urgent else 1], "whether the message is urgent" if labels[0] == "yes" else "the urgency")


def spam(rng):
    bad = chance(rng, 0.5)
    text = values.fill(rng, rng.choice(words.SPAM_SENTENCES if bad else words.HAM_SENTENCES))
    labels = rng.choice([("spam", "ham"), ("spam", "not spam"), ("junk", "inbox"), ("yes", "no"), ("spam", "ok")])
    names = list(labels)
    rng.shuffle(names)
    return ask_label(rng, text, names, labels[0 if bad else 1], "whether this is spam" if labels[0] == "yes" else "the message")


def language(rng):
    names = rng.sample(list(words.FOREIGN), rng.randint(2, 6))
    answer = rng.choice(names)
    subjects, verbs, endings = words.FOREIGN[answer]
    text = f"{rng.choice(subjects)} {rng.choice(verbs)} {rng.choice(endings)}."
    if chance(rng, 0.3):
        return chat(rng.choice(["Which language is this: {t}", "What language is this?\n{t}", "{t}\nName the language."]).format(t=text), answer)
    return ask_label(rng, text, names, answer, "the language")


def formality(rng):
    formal, informal = rng.choice(words.FORMAL_INFORMAL)
    is_formal = chance(rng, 0.5)
    names = ["formal", "informal"]
    rng.shuffle(names)
    return ask_label(rng, formal if is_formal else informal, names, "formal" if is_formal else "informal", "the style")


def category(rng):
    """The class of a word, or the member of a class in a list."""
    names = rng.sample(list(words.CATEGORY_MEMBERS), rng.randint(2, 5))
    answer = rng.choice(names)
    word = rng.choice(words.CATEGORY_MEMBERS[answer])
    kind = rng.random()
    if kind < 0.5:
        return ask_label(rng, word, names, answer, "the kind of thing")
    if kind < 0.75:
        members = [rng.choice(words.CATEGORY_MEMBERS[name]) for name in names]
        member = members[names.index(answer)]
        rng.shuffle(members)
        return chat(f"Which of these is {'an' if answer[0] in 'aeiou' else 'a'} {answer}: {', '.join(members)}?", member)
    true = chance(rng, 0.5)
    asked = answer if true else rng.choice([name for name in names if name != answer])
    return chat(f"Is '{word}' {'an' if asked[0] in 'aeiou' else 'a'} {asked}? Answer yes or no.", "yes" if true else "no")


def sentence_kind(rng):
    """Question, command or statement; tense; does it hold a number: properties of the sentence's form."""
    kind = rng.random()
    if kind < 0.35:
        thing, person = rng.choice(words.OBJECTS), values.first_name(rng)
        options = {
            "question": [f"Where is the {thing}?", f"Did {person} see the {thing}?", f"Why is the {thing} broken?", f"Who took my {thing}?", f"Can you hear {person}?"],
            "command": [f"Bring me the {thing}.", f"Give the {thing} to {person}.", f"Close the door, {person}.", f"Do not touch the {thing}!", "Sit down and wait."],
            "statement": [f"The {thing} is here.", f"{person} saw the {thing}.", f"My {thing} is broken.", f"{person} took the {thing}.", "It was late."],
        }
        answer = rng.choice(list(options))
        names = list(options)
        rng.shuffle(names)
        return ask_label(rng, rng.choice(options[answer]), names, answer, "the kind of sentence")
    if kind < 0.65:
        present, past = rng.choice(words.PAST_TENSES)
        subject = rng.choice(["they", "we", "the children", "people", "my friends", "you"])
        forms = {"present": f"{subject} {present}", "past": f"{subject} {past}", "future": f"{subject} will {present}"}
        answer = "future" if present == past else rng.choice(list(forms))
        names = list(forms)
        rng.shuffle(names)
        return ask_label(rng, _cap(forms[answer]) + rng.choice([" every day.", " here.", " at home.", "."]), names, answer, "the tense")
    text = values.fill(rng, rng.choice(words.NEUTRAL_SENTENCES + words.HAM_SENTENCES))
    return ask_label(rng, text, ["yes", "no"], "yes" if any(c.isdigit() for c in text) else "no", "whether the text holds a number")


def by_examples(rng):
    """Labels shown by examples, two made-up names among them, before the sentence to label."""
    maker = rng.choice(["mood", "topic", "ticket", "category"])
    if maker == "mood":
        classes = ["positive", "negative", "neutral"][: rng.choice([2, 3])]
        make = lambda name: moody_sentence(rng, name)
    elif maker == "topic":
        classes = rng.sample(list(words.TOPIC_SENTENCES), rng.choice([2, 3]))
        make = lambda name: values.fill(rng, rng.choice(words.TOPIC_SENTENCES[name].replace("\n", "").split("|")))
    elif maker == "ticket":
        classes = rng.sample(list(words.TICKETS), rng.choice([2, 3]))
        make = lambda name: values.fill(rng, rng.choice(words.TICKETS[name].replace("\n", "").split("|")))
    else:
        classes = rng.sample(list(words.CATEGORY_MEMBERS), rng.choice([2, 3]))
        make = lambda name: rng.choice(words.CATEGORY_MEMBERS[name])
    labels = {name: name for name in classes}
    if chance(rng, 0.4):
        marks = rng.choice([["A", "B", "C"], ["1", "2", "3"], [values.made_up_word(rng) for _ in range(3)], ["x", "y", "z"], ["red", "blue", "green"]])
        labels = dict(zip(classes, marks))
    shown = classes * rng.choice([1, 2])
    rng.shuffle(shown)
    answer = rng.choice(classes)
    if chance(rng, 0.5):
        lines = [f"{make(name)} -> {labels[name]}" for name in shown]
        return chat("\n".join(lines) + f"\n{make(answer)} ->", labels[answer])
    messages = [message("system", "Label each message as in the examples.")] if chance(rng, 0.5) else []
    for name in shown + [answer]:
        messages += [message("user", make(name)), message("assistant", labels[name])]
    return messages


def two_labels(rng):
    """Sentiment and topic (or language) of one sentence as JSON."""
    mood = rng.choice(["positive", "negative", "neutral"])
    text = moody_sentence(rng, mood)
    number = "yes" if any(c.isdigit() for c in text) else "no"
    return chat(text, '{"sentiment": "' + mood + '", "number": "' + number + '"}',
                'Return JSON with "sentiment" (positive, negative, neutral) and "number" (yes if the text holds a number, else no).')


FAMILIES = [
    (sentiment, 9), (word_polarity, 2), (topic, 4), (ticket, 4), (urgency, 2), (spam, 2), (language, 2), (formality, 1), (category, 3),
    (sentence_kind, 2), (by_examples, 4), (two_labels, 1),
]
