"""Makes the training and the held-out file of each task: which sentences, which values, which form."""

import json
import random

from . import forms, headlines, tickets

SPLITS = {"train": 100, "held_out": 200}


def lines_of(text):
    return text.strip().split("\n")


def slot_values(slots):
    return {name: [value.replace("_", " ") for value in (text.split() if isinstance(text, str) else text)] for name, text in slots.items()}


def draw(rng, slots):
    drawn = {name: rng.choice(values) for name, values in slots.items()}
    for name in ("c", "m"):  # headlines may name two companies or two people
        if name in slots:
            drawn[name + "2"] = rng.choice([value for value in slots[name] if value != drawn[name]])
    return drawn


def chat(system, user, answer):
    return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}, {"role": "assistant", "content": answer}]}


def labelled(rng, split, sentences, slots, system):
    """Each class equally often, each sentence as seldom as may be, no two chats alike."""
    values, used, chats = slot_values(slots[split]), set(), []
    decks = {label: [] for label in sentences}
    for number in range(SPLITS[split]):
        label = list(sentences)[number % len(sentences)]
        while True:
            if not decks[label]:
                decks[label] = lines_of(sentences[label])
                rng.shuffle(decks[label])
            text = decks[label].pop().format(**draw(rng, values))
            if text in used and len(decks[label]) > 0:
                continue
            if text in used:  # a sentence without slots that has been used: its like with a greeting
                text = rng.choice(["Update: ", "Today: ", "Just in: "] if sentences in (headlines.TRAIN, headlines.HELD_OUT) else ["Hello, ", "Hi! ", "Good day. "]) + text
            if text not in used:
                break
        used.add(text)
        chats.append(chat(system, text, label))
    rng.shuffle(chats)
    return chats


def sentiment(rng, split):
    return labelled(rng, split, headlines.TRAIN if split == "train" else headlines.HELD_OUT, headlines.SLOTS,
                    "What is the mood of the headline: positive, negative or neutral?")


def ticket_classes(rng, split):
    return labelled(rng, split, tickets.TRAIN if split == "train" else tickets.HELD_OUT, tickets.SLOTS,
                    "Sort the support ticket into one of: billing, shipping, login, bug, feature, cancel.")


def formed(rng, split, sentences, make):
    values, used, chats, deck = slot_values(forms.SLOTS[split]), set(), [], []
    while len(chats) < SPLITS[split]:
        if not deck:
            deck = lines_of(sentences[split])
            rng.shuffle(deck)
        slots = draw(rng, values)
        text = deck.pop().format(**slots)
        if text not in used:
            used.add(text)
            chats.append(make(text, slots))
    return chats


def request_to_json(rng, split):
    def make(text, slots):
        answer = {"booking": {"guest": f"{slots['first']} {slots['last']}", "seats": int(slots["seats"])},
                  "place": slots["place"], "when": [slots["day"], slots["time"]]}
        return chat("Write the booking as JSON.", text, json.dumps(answer))

    return formed(rng, split, forms.BOOKING_REQUESTS, make)


def extraction(rng, split):
    return formed(rng, split, forms.PRODUCT_MESSAGES,
                  lambda text, slots: chat("Which product is the message about? Give its name only.", text, slots["product"]))


def rewriting(rng, split):
    def make(text, slots):
        return chat("Rewrite the note as a line of the task list.", text,
                    f"[ ] {slots['day']} | {slots['first']} -> {slots['verb']} {slots['last']} | re: {slots['topic']}")

    return formed(rng, split, forms.NOTES, make)


TASKS = {"json": request_to_json, "sentiment": sentiment, "extraction": extraction, "tickets": ticket_classes, "rewriting": rewriting}


def make_task(name, seed):
    """Both files of a task, as lists of chats."""
    return {split: TASKS[name](random.Random(f"{name} {split} {seed}"), split) for split in SPLITS}
