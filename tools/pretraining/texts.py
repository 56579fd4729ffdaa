"""Chats about words and sentences: repeating, changing, answering from a passage, mails, small talk."""

import json

from . import values, words
from .structured import chat, listing, message
from .values import chance, text_of

SENTENCES = ["The river was quiet."]  # filled with sentences of the books by load_sentences


def load_sentences(sentences):
    SENTENCES[:] = sentences


def book_sentence(rng):
    return rng.choice(SENTENCES)


def some_sentence(rng):
    kind = rng.random()
    if kind < 0.5:
        return book_sentence(rng)
    if kind < 0.7:
        return values.fill(rng, rng.choice(words.NEUTRAL_SENTENCES + words.HAM_SENTENCES))
    pool = rng.choice(list(words.TOPIC_SENTENCES.values()))
    return values.fill(rng, rng.choice(pool.replace("\n", "").split("|")))


def thing(rng):
    return text_of(values.any_value(rng))


def repeat(rng):
    kind = rng.random()
    if kind < 0.5:
        text = thing(rng) if chance(rng, 0.6) else " ".join(values.any_word(rng) for _ in range(rng.randint(2, 9)))
    elif kind < 0.7:
        text = " ".join(values.product_name(rng) for _ in range(rng.randint(1, 4)))
    else:
        text = some_sentence(rng)
    if chance(rng, 0.12):
        count = rng.randint(2, 4)
        word = values.any_word(rng)
        return chat(f"Say {word} {['two', 'three', 'four'][count - 2]} times.", " ".join([word] * count))
    user = rng.choice(["Repeat: {t}", "Repeat after me: {t}", "Say: {t}", "Say '{t}'", "Copy this: {t}", "Echo {t}", "Write {t}", "Type exactly: {t}", "{t}\n\nRepeat this.",
                       'Write "{t}" again.', "Print {t}", "Please repeat the following text:\n{t}"]).format(t=text)
    if chance(rng, 0.2):
        return chat(text, text, rng.choice(["Repeat what the user says.", "Echo the user's message.", "You are a parrot: repeat everything.", "Copy the input."]))
    return chat(user, text)


def items(rng, least=2, most=6):
    kind = rng.choice([values.any_word, values.product_name, values.first_name, values.city, lambda r: r.choice(words.OBJECTS), thing,
                       lambda r: r.choice(words.FOODS), lambda r: str(values.integer(r))])
    found = []
    for _ in range(rng.randint(least, most)):
        item = kind(rng)
        if item not in found:
            found.append(item)
    return found if len(found) >= 2 else found + [values.syllable_word(rng)]


def swap(rng):
    a, b = thing(rng), thing(rng)
    separator = rng.choice([" and ", ", ", " / ", " - ", " | ", " = ", " -> "])
    user = rng.choice(["Swap: {x}", "Swap the two: {x}", "Exchange both sides: {x}", "Put the second first: {x}", "Reverse the order: {x}"]).format(x=a + separator + b)
    return chat(user, b + separator + a)


def lists(rng):
    elements = items(rng)
    written, read = rng.choice([(", ".join, None), ("\n".join, None), (lambda l: listing(rng, l), None), (lambda l: "\n".join("- " + x for x in l), None), (" ".join, None), ("; ".join, None)])
    text = written(elements)
    if written == " ".join and any(" " in element for element in elements):
        text = ", ".join(elements)
    name, answer = rng.choice([
        ("a JSON array", json.dumps(elements, ensure_ascii=False)), ("a JSON list", json.dumps(elements, ensure_ascii=False)),
        ("a bullet list", "\n".join("- " + e for e in elements)), ("a numbered list", "\n".join(f"{i}. {e}" for i, e in enumerate(elements, 1))),
        ("one line with commas", ", ".join(elements)), ("lines", "\n".join(elements)), ("a list with semicolons", "; ".join(elements)),
        ("a YAML list", "\n".join("- " + e for e in elements)), ("a sentence", listing_and(elements)),
    ])
    kind = rng.random()
    if kind < 0.7:
        user = rng.choice(["Write as {n}: {t}", "Make {n}: {t}", "Turn into {n}:\n{t}", "{t}\n\nGive me {n}.", "I want {n} of {t}", "Format as {n}: {t}"]).format(n=name, t=text)
        return chat(user, answer) if chance(rng, 0.7) else chat(text, answer, f"Write what the user says as {name}.")
    position = rng.randrange(len(elements))
    ordinal = "last" if position == len(elements) - 1 and chance(rng, 0.6) else words.ORDINALS[position]
    if kind < 0.85:
        return chat(rng.choice(["What is the {o} item? {t}", "Give me the {o} of these: {t}", "{t}\nName the {o} one."]).format(o=ordinal, t=", ".join(elements)), elements[position])
    if kind < 0.93:
        removed = elements[position]
        return chat(f"Remove {removed} from: {', '.join(elements)}", ", ".join(e for e in elements if e != removed))
    added = thing(rng)
    return chat(f"Add {added} to the list: {', '.join(elements)}", ", ".join(elements + [added]))


def listing_and(elements):
    return elements[0] if len(elements) == 1 else ", ".join(elements[:-1]) + " and " + elements[-1]


def change_case(rng):
    words_ = [rng.choice([values.common_word, values.common_word, values.made_up_word])(rng) for _ in range(rng.randint(1, 4))]
    plain = " ".join(words_)
    forms = {
        "upper case": plain.upper(), "capital letters": plain.upper(), "title case": plain.title(), "snake_case": "_".join(words_),
        "kebab-case": "-".join(words_), "camelCase": words_[0] + "".join(word.capitalize() for word in words_[1:]),
        "PascalCase": "".join(word.capitalize() for word in words_), "lower case": plain, "CONSTANT_CASE": "_".join(words_).upper(),
    }
    name = rng.choice(list(forms))
    source = rng.choice([plain, plain, plain.title(), "_".join(words_), plain.upper() if name == "lower case" else plain])
    return chat(rng.choice(["Write in {n}: {t}", "{t} in {n}", "Convert to {n}: {t}", "Change '{t}' to {n}.", "Use {n}: {t}"]).format(n=name, t=source), forms[name])


def replace(rng):
    sentence = some_sentence(rng).split(" ")
    position = rng.randrange(len(sentence))
    old = sentence[position].strip(".,;:!?\"'")
    if len(old) < 3 or sum(old in word for word in sentence) > 1:
        return repeat(rng)
    new = values.any_word(rng)
    before = " ".join(sentence)
    if chance(rng, 0.7):
        return chat(rng.choice(["Replace {o} with {n}: {s}", "Use {n} in place of {o}: {s}", "In this sentence, change {o} to {n}.\n{s}"]).format(o=old, n=new, s=before), before.replace(old, new))
    missing = " ".join(sentence[:position] + ["___"] + sentence[position + 1:])
    return chat(f"Fill in '{sentence[position]}': {missing}", before)


MAIL_BODIES = [
    ("{x} is ready", "your order {x} is ready for collection."), ("Meeting about {x}", "I would like to meet you on {d} to talk about {x}."),
    ("{x} is delayed", "I am sorry to tell you that {x} is delayed until {d}."), ("Invitation: {x}", "you are invited to {x} on {d}."),
    ("Thank you for {x}", "thank you very much for {x}."), ("Question about {x}", "I have a question about {x}. Could you call me on {d}?"),
    ("Release of {x}", "we have released {x} on {d}."), ("Reminder: {x}", "please do not forget {x} on {d}."),
]


def mail(rng):
    subject, body = rng.choice(MAIL_BODIES)
    slots = {"x": values.product_name(rng) if chance(rng, 0.6) else "the " + values.common_word(rng), "d": rng.choice([values.long_date, values.date, lambda r: r.choice(words.WEEKDAYS)])(rng)}
    to, sender = values.first_name(rng), values.first_name(rng)
    subject, body = subject.format(**slots), body.format(**slots)
    user = rng.choice(["Write a mail to {t} from {f}: {s}, {d}", "Mail {t}: {s}. Date: {d}. Sign as {f}.", "From {f} to {t}, subject {s}, date {d}. Write the mail.",
                       "Please write a short email to {t}. Subject: {s}. It is about {x} and {d}. My name is {f}."]).format(t=to, f=sender, s=subject, d=slots["d"], x=slots["x"])
    return chat(user, f"Subject: {subject}\n\nDear {to},\n\n{body}\n\nBest regards\n{sender}", rng.choice([None, "You write mails.", "Write the mail that the user asks for."]))


def fill_template(rng):
    names = values.keys(rng, 1, 4)
    record = {name: thing(rng) for name in names}
    left, right = rng.choice([("{", "}"), ("{{", "}}"), ("[", "]"), ("<", ">"), ("$", "")])
    if right == "":
        names = [name for name in names if name.isalpha()] or ["name"]
        record = {name: record.get(name) or thing(rng) for name in names}
    pieces, answer = [], []
    for name in names:
        lead = rng.choice(["Dear {}", "your {}", "the {} is", "we sent {} to", "Hello {}", "order {}", "see {}", "on {}", "for {}", "with {}"]).replace(" {}", "")
        pieces.append(lead + " " + left + name + right)
        answer.append(lead + " " + record[name])
    glue = rng.choice([", ", "; ", ". ", "\n"])
    given = rng.choice(["\n", ", "]).join(f"{name}{rng.choice(['=', ': '])}{value}" for name, value in record.items())
    template = glue.join(pieces)
    if chance(rng, 0.4):
        return chat(given, glue.join(answer), "Fill in the template: " + template)
    return chat(f"Template: {template}\nValues: {given}", glue.join(answer))


PASSAGE_FACTS = [
    ("{a} lives in {city}.", "Where does {a} live?", "{city}"), ("{a} has a {c} {o}.", "What color is {a}'s {o}?", "{c}"), ("{a} works as a {job}.", "What is {a}'s job?", "{job}"),
    ("{a} is {n} years old.", "How old is {a}?", "{n}"), ("{a} likes {food}.", "What does {a} like?", "{food}"), ("{a} has a {animal} called {pet}.", "What is {a}'s {animal} called?", "{pet}"),
    ("{a} met {b} on {day}.", "When did {a} meet {b}?", "{day}"), ("{a} is the sister of {b}.", "Who is the sister of {b}?", "{a}"), ("{a} gave the {o} to {b}.", "Who got the {o}?", "{b}"),
    ("{a} founded {company}.", "Who founded {company}?", "{a}"), ("{a} drives to {city} every {day}.", "Where does {a} drive every {day}?", "{city}"), ("{a} put the {o} into the {box}.", "Where is the {o}?", "in the {box}"),
    ("The password of {a} is {code}.", "What is the password of {a}?", "{code}"), ("{a} wrote a book called {title}.", "Which book did {a} write?", "{title}"), ("{a} plays the {tool}.", "What does {a} play?", "the {tool}"),
    ("{company} makes {thing}.", "What does {company} make?", "{thing}"), ("The {o} costs {n} euros.", "What does the {o} cost?", "{n} euros"), ("The {animal} sleeps in the {box}.", "Where does the {animal} sleep?", "in the {box}"),
]


def passage(rng):
    """Facts about people and things, and questions that one of them answers."""
    chosen, questions = [], []
    people = []
    while len(people) < 4:
        name = values.first_name(rng)
        if name not in people:
            people.append(name)
    for index, (fact, question, answer) in enumerate(rng.sample(PASSAGE_FACTS, rng.randint(1, 5))):
        slots = {
            "a": people[index % 4], "b": people[(index + 1) % 4], "city": values.city(rng), "c": rng.choice(words.COLORS), "o": rng.choice(words.OBJECTS), "job": rng.choice(words.CATEGORY_MEMBERS["profession"]),
            "n": rng.randint(2, 99), "food": rng.choice(words.FOODS), "animal": rng.choice(words.ANIMALS), "pet": values.first_name(rng), "day": rng.choice(words.WEEKDAYS), "company": values.company(rng),
            "box": rng.choice(["kitchen", "garden", "attic", "cellar", "barn", "drawer", "basket", "car", "garage", "hall"]), "code": values.code(rng), "title": values.part(rng) + " " + values.part(rng),
            "tool": rng.choice(["guitar", "violin", "drum", "piano", "flute", "trumpet"]), "thing": rng.choice(words.OBJECTS) + "s",
        }
        chosen.append(fact.format(**slots))
        questions.append((question.format(**slots), answer.format(**slots)))
    rng.shuffle(chosen)
    if chance(rng, 0.25):
        chosen.insert(rng.randrange(len(chosen) + 1), book_sentence(rng))
    text = " ".join(chosen)
    question, answer = rng.choice(questions)
    if chance(rng, 0.12):
        return chat(f"{text}\n\nWho owns the ship?", "The text does not say.", "Answer from the text. If it does not say, tell so.")
    kind = rng.random()
    if kind < 0.5:
        messages = chat(f"{text}\n\n{question}", answer)
    elif kind < 0.75:
        messages = chat(f"{question}\n\n{text}", answer)
    else:
        messages = chat(question, answer, "Use this text to answer: " + text)
    if chance(rng, 0.3):
        question, answer = rng.choice(questions)
        messages += [message("user", question), message("assistant", answer)]
    return messages


def follow_example(rng):
    """A form shown by examples with other words, to be applied to new ones."""
    left, middle, right = rng.choice([("<", "|", ">"), ("(", ", ", ")"), ("[", "] [", "]"), ("", " => ", ""), ("", ": ", ";"), ("**", "** - ", ""), ("#", " @", ""), ('"', '" "', '"'), ("", " of ", ""), ("{", ":", "}"), ("", "\n", "\n---")])
    lead = rng.choice(["", "", values.any_word(rng) + " ", values.any_word(rng).upper() + ": "])
    order = rng.choice([(0, 1), (1, 0), (0, 0), (1, 1)] if chance(rng, 0.3) else [(0, 1), (1, 0)])
    maker = rng.choice([values.any_word, values.product_name, thing])

    def pair():
        return (maker(rng), maker(rng))

    def answer(two):
        return lead + left + two[order[0]] + middle + two[order[1]] + right

    def question(two):
        return joint.join(two)

    joint = rng.choice([" ", ", ", " and ", " / ", " + "])
    shown = [pair() for _ in range(rng.randint(1, 3))]
    last = pair()
    if chance(rng, 0.5):
        lines = "\n".join(f"{question(two)} -> {answer(two)}" for two in shown)
        return chat(f"{lines}\n{question(last)} ->", answer(last), rng.choice([None, "Continue the pattern.", "Follow the examples."]))
    messages = []
    for two in shown + [last]:
        messages += [message("user", question(two)), message("assistant", answer(two))]
    return messages


def cipher(rng):
    """Words replaced by the codes that the prompt defines."""
    names = []
    while len(names) < 4:
        word = values.any_word(rng)
        if word not in names:
            names.append(word)
    codes = {name: values.code(rng) if chance(rng, 0.5) else values.any_word(rng) for name in names}
    asked = [rng.choice(names) for _ in range(rng.randint(1, 3))]
    defined = ", ".join(f"{name} = {code}" for name, code in codes.items())
    if chance(rng, 0.5):
        return chat(" ".join(asked), " ".join(codes[name] for name in asked), f"Replace each word by its code: {defined}")
    return chat(f"Codes: {defined}. Encode: {' '.join(asked)}", " ".join(codes[name] for name in asked))


def memory(rng):
    """A thing told in one turn and asked for in a later one."""
    told = rng.sample([
        ("My name is {}.", "What is my name?", "Your name is {}.", values.first_name), ("I live in {}.", "Where do I live?", "You live in {}.", values.city),
        ("My favorite color is {}.", "What is my favorite color?", "Your favorite color is {}.", lambda r: r.choice(words.COLORS)), ("My order number is {}.", "What is my order number?", "Your order number is {}.", values.code),
        ("I am working on {}.", "What am I working on?", "You are working on {}.", values.product_name), ("My dog is called {}.", "What is my dog called?", "Your dog is called {}.", values.first_name),
    ], rng.randint(1, 3))
    messages = [message("system", rng.choice(["You are a helpful assistant.", "Be friendly and short.", "You are an assistant."]))] if chance(rng, 0.5) else []
    filled = [(fact, question, answer, maker(rng)) for fact, question, answer, maker in told]
    for fact, _, _, value in filled:
        messages += [message("user", fact.format(value)), message("assistant", rng.choice(["Thank you, I will remember that.", "Noted.", "OK.", "Good to know."]) if chance(rng, 0.3) else "Noted.")]
    _, question, answer, value = rng.choice(filled)
    return messages + [message("user", question), message("assistant", answer.format(value))]


SMALL_TALK = [
    (["Hello!", "Hi", "Hello", "Hi there!", "Hey", "Good day"], "Hello! How can I help you?"), (["Good morning", "Good morning!"], "Good morning! How can I help you?"), (["Good evening", "Good evening!"], "Good evening! How can I help you?"),
    (["Who are you?", "What are you?", "What is your name?", "Introduce yourself.", "Are you a person?", "Are you human?"], "I am temper mini, a small language model made to be fine-tuned."),
    (["What can you do?", "How can you help me?", "What are you good at?"], "I can follow a format, copy names and values, and label short texts. Fine-tune me on your own examples and I do it better."),
    (["Who made you?", "Where do you come from?", "Who trained you?"], "I was trained from scratch by the temper project on public-domain books and made-up chats."), (["Thank you!", "Thanks", "Thanks a lot", "Thank you very much."], "You are welcome!"),
    (["Goodbye", "Bye", "See you", "Good night"], "Goodbye!"), (["How are you?", "How are you today?", "How do you do?"], "I am fine, thank you. How can I help you?"), (["Tell me a joke.", "Do you know a joke?"], "Why did the book go to the doctor? It had too many pages."),
    (["What is the weather today?", "What time is it?", "What happened in the news today?"], "I do not know. I cannot look at anything outside this chat."), (["Are you ready?", "Can you help me?", "May I ask you something?"], "Yes. What can I do for you?"),
    (["Test", "Testing", "ping"], "I am here."), (["You are wrong.", "That is not right."], "I am sorry. Please tell me what is right."),
]
PERSONAS = ["You are a helpful assistant.", "You are a helpful assistant.", "You are a friendly assistant.", "Answer briefly.", None, None, None]


def small_talk(rng):
    questions, answer = rng.choice(SMALL_TALK)
    if chance(rng, 0.2):
        name = values.first_name(rng)
        return chat(rng.choice(["Hello, I am {}.", "My name is {}.", "Hi, {} here."]).format(name), f"Hello {name}! How can I help you?", rng.choice(PERSONAS))
    if chance(rng, 0.15):
        name = values.product_name(rng)
        return chat(rng.choice(["Who are you?", "What is your name?"]), f"I am {name}.", rng.choice(["Your name is {}.", "You are {}, an assistant.", "You are called {}."]).format(name))
    return chat(rng.choice(questions), answer, rng.choice(PERSONAS))


def knowledge(rng):
    kind = rng.random()
    persona = rng.choice(PERSONAS)
    if kind < 0.25:
        country, capital, language = rng.choice(words.COUNTRIES)
        return rng.choice([
            chat(f"What is the capital of {country}?", f"The capital of {country} is {capital}.", persona), chat(f"{capital} is the capital of which country?", f"{capital} is the capital of {country}.", persona),
            chat(f"Which language is spoken in {country}?", f"In {country} people speak {language}.", persona), chat(f"Capital of {country}?", capital, "Answer with one word."),
        ])
    if kind < 0.5:
        word, other, name = rng.choice([(*rng.choice(words.ANTONYMS), "antonym"), (*rng.choice(words.SYNONYMS), "synonym")])
        if chance(rng, 0.5):
            word, other = other, word
        return rng.choice([chat(f"What is {'an' if name[0] == 'a' else 'a'} {name} of '{word}'?", f"{'An' if name[0] == 'a' else 'A'} {name} of '{word}' is '{other}'.", persona), chat(f"{name.capitalize()} of {word}?", other),
                           chat(word, other, f"Answer with the {name}.")])
    if kind < 0.75:
        pair, question = rng.choice([(rng.choice(words.PAST_TENSES), "past tense"), (rng.choice(words.PLURALS), "plural")])
        return rng.choice([chat(f"What is the {question} of '{pair[0]}'?", f"The {question} of '{pair[0]}' is '{pair[1]}'.", persona), chat(f"{question.capitalize()} of {pair[0]}?", pair[1]), chat(pair[0], pair[1], f"Give the {question}.")])
    name = rng.choice(list(words.CATEGORY_MEMBERS))
    count = rng.randint(2, 4)
    picked = rng.sample(words.CATEGORY_MEMBERS[name], count)
    if chance(rng, 0.4):
        return chat(f"Name {['two', 'three', 'four'][count - 2]} things of the kind {name}.", ", ".join(picked))
    word = picked[0]
    return chat(f"What kind of thing is {'an' if word[0].lower() in 'aeiou' else 'a'} {word}?", name)


def about_sentence(rng):
    """Questions on the form of a sentence out of a book."""
    sentence = book_sentence(rng)
    tokens = sentence.split(" ")
    bare = [token.strip(".,;:!?\"'()_") for token in tokens]
    if len(tokens) < 4 or not bare[0] or not bare[-1]:
        return repeat(rng)
    kind = rng.random()
    if kind < 0.2:
        return chat(rng.choice(["What is the first word? {}", "First word of: {}"]).format(sentence), bare[0])
    if kind < 0.4:
        return chat(rng.choice(["What is the last word? {}", "Last word of: {}"]).format(sentence), bare[-1])
    position = rng.randrange(1, len(bare))
    if kind < 0.6 and bare[position] and bare.count(bare[position - 1]) == 1:
        return chat(f"Which word follows '{bare[position - 1]}'?\n{sentence}", bare[position])
    if kind < 0.8:
        half = rng.randint(2, len(tokens) - 1)
        return chat(f"{sentence}\n\nStart again: {' '.join(tokens[:half])}", " ".join(tokens[half:]))
    return chat(f"Put this in quotes: {sentence.replace(chr(34), '')}", '"' + sentence.replace('"', "") + '"')


FAMILIES = [
    (repeat, 6), (swap, 2), (lists, 6), (change_case, 3), (replace, 3), (mail, 2), (fill_template, 3), (passage, 6), (follow_example, 6), (cipher, 2), (memory, 2), (small_talk, 1),
    (knowledge, 2), (about_sentence, 3),
]
