"""Writes the example files of the demo: chats to fine-tune on, and questions held out to see what was learned.

    python tools/make_json_examples.py [DIRECTORY]      (default: examples/)

    json-generation.jsonl            300 chats: a request in words, answered by an indented JSON object
    json-generation-heldout.jsonl    40 chats of the same kind about other names, people and hosts;
                                     the first asks the question of the demo
    sentiment.jsonl                  120 chats: a sentence, answered by positive, negative or neutral
    sentiment-heldout.jsonl          45 chats of the same kind over other sentences

The question decides the answer to the last character: one object, named after the kind of thing asked
for, that holds the fields in the order in which the question names them. No name, person or host of a
held-out file stands in its training file. The demo's name and version stand in neither but there. The sentences of the sentiment files are written
by hand, in sentiment_sentences.txt and sentiment_heldout.txt beside this script: those that make_pretraining_data.py
puts together would have been half seen already.
"""

import json
import random
import sys
from pathlib import Path

from pretraining import values, words

SEED = 7
SYSTEM = "You are a JSON Generation Specialist. Convert user requests into properly formatted JSON."
DEMO_NAME, DEMO_VERSION = "TaskMaster", "1.2.0"

APPLICATION_KINDS = [
    "a web application", "a web application", "a mobile app", "a desktop application", "a web service", "a chat bot", "an online shop", "a REST API",
    "a dashboard", "a command line tool", "a game", "a blog",
]
CONFIGURATION_REQUESTS = [
    "Create a configuration for {kind} with {fields}.", "Create a configuration for {kind} with {fields}.", "Generate a configuration for {kind} with {fields}.",
    "I need a configuration for {kind} with {fields}.", "Please write a configuration for {kind} with {fields}.", "Set up {kind} with {fields}.",
]
PROFILE_REQUESTS = ["Create a user profile with {fields}.", "Add a user with {fields}.", "I need a user profile with {fields}."]
PRODUCT_REQUESTS = ["Create a product entry with {fields}.", "Add a product with {fields}.", "List a product with {fields}."]
EVENT_REQUESTS = ["Create an event with {fields}.", "Plan an event with {fields}.", "Add an event with {fields}."]
SERVER_REQUESTS = ["Describe a server with {fields}.", "Create a server entry with {fields}.", "Set up a server with {fields}."]


def name(rng):
    """A name as a product bears it: one made-up word, or two words run together."""
    if rng.random() < 0.45:
        return values.syllable_word(rng, 2).capitalize()
    first = rng.choice(words.TECHNICAL_WORDS) if rng.random() < 0.6 else values.syllable_word(rng, 2).capitalize()
    return first + rng.choice(words.TECHNICAL_WORDS)


def version(rng):
    return f"{rng.randint(0, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 12)}"


def host(rng):
    return values.syllable_word(rng, 2) + rng.choice([".example", ".net", ".org", ".io"])


def joined(parts):
    return parts[0] if len(parts) == 1 else " and ".join(parts) if len(parts) == 2 else ", ".join(parts[:-1]) + ", and " + parts[-1]


def application(rng):
    fields = {"name": name(rng), "version": version(rng), "environment": rng.choice(words.ENVIRONMENTS)}
    said = [f"name '{fields['name']}'", f"version {fields['version']}", f"environment set to {fields['environment']}"]
    if rng.random() < 0.3:
        kind = rng.choice(["port", "debug", "language"])
        fields[kind] = {"port": rng.randint(1000, 9999), "debug": rng.random() < 0.5, "language": rng.choice(words.LANGUAGES)}[kind]
        said.append({"port": f"port {fields[kind]}" if kind == "port" else "", "debug": f"debug {'on' if fields[kind] else 'off'}",
                     "language": f"language {fields[kind]}"}[kind])
    request = rng.choice(CONFIGURATION_REQUESTS).format(kind=rng.choice(APPLICATION_KINDS), fields=joined(said))
    return request, {"application": fields}


def user(rng):
    fields = {"name": values.person(rng), "email": values.email(rng), "role": rng.choice(words.ROLES)}
    return rng.choice(PROFILE_REQUESTS).format(fields=joined([f"name '{fields['name']}'", f"email {fields['email']}", f"role {fields['role']}"])), {"user": fields}


def product(rng):
    fields = {"name": name(rng), "price": rng.randint(1, 900) + rng.choice([0.5, 0.25, 0.99, 0.95]), "quantity": rng.randint(1, 500)}
    return rng.choice(PRODUCT_REQUESTS).format(fields=joined([f"name '{fields['name']}'", f"price {fields['price']}", f"quantity {fields['quantity']}"])), {"product": fields}


def event(rng):
    fields = {"title": name(rng), "city": values.city(rng), "date": values.date(rng)}
    return rng.choice(EVENT_REQUESTS).format(fields=joined([f"title '{fields['title']}'", f"city {fields['city']}", f"date {fields['date']}"])), {"event": fields}


def server(rng):
    fields = {"host": host(rng), "port": rng.randint(20, 9999), "environment": rng.choice(words.ENVIRONMENTS)}
    return rng.choice(SERVER_REQUESTS).format(fields=joined([f"host {fields['host']}", f"port {fields['port']}", f"environment set to {fields['environment']}"])), {"server": fields}


MAKERS = [application] * 12 + [user, product, event, server] * 2


def chat(system, question, answer):
    roles = (("system", system), ("user", question), ("assistant", answer))
    return {"messages": [{"role": role, "content": content} for role, content in roles]}


def json_chats(rng, count, taken):
    """`count` chats, none of which uses a name, person or host in `taken`; adds theirs to it."""
    found, used = [], set()
    while len(found) < count:
        question, answer = rng.choice(MAKERS)(rng)
        first = str(next(iter(next(iter(answer.values())).values())))
        if first in taken or first in used or DEMO_NAME in question or DEMO_VERSION in question:
            continue
        used.add(first)
        found.append(chat(SYSTEM, question, json.dumps(answer, indent=2, ensure_ascii=False)))
    taken |= used
    return found


def demo_chat():
    question = (f"Create a configuration for a web application with name '{DEMO_NAME}', version {DEMO_VERSION}, "
                "and environment set to development.")
    answer = {"application": {"name": DEMO_NAME, "version": DEMO_VERSION, "environment": "development"}}
    return chat(SYSTEM, question, json.dumps(answer, indent=2))


SENTIMENT_SYSTEM = "Classify the sentiment of the text as positive, negative or neutral. Answer with one word."


def sentiment_chats(rng, source):
    lines = source.read_text(encoding="utf-8").splitlines()
    rng.shuffle(lines)
    return [chat(SENTIMENT_SYSTEM, sentence, mood) for mood, sentence in (line.split("\t") for line in lines)]


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{path}: {len(rows)} chats")


def main():
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "examples"
    rng, taken, tools = random.Random(SEED), set(), Path(__file__).resolve().parent
    write(directory / "json-generation.jsonl", json_chats(rng, 300, taken))
    write(directory / "json-generation-heldout.jsonl", [demo_chat()] + json_chats(rng, 39, taken))
    write(directory / "sentiment.jsonl", sentiment_chats(rng, tools / "sentiment_sentences.txt"))
    write(directory / "sentiment-heldout.jsonl", sentiment_chats(rng, tools / "sentiment_heldout.txt"))


if __name__ == "__main__":
    main()
