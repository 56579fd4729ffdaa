"""Sentences that tell several things, and a form to put them into: lines, cards, JSON with parts of its own.

The form stands in the prompt as a template or in an example, or is told by the keys alone. Names have one to four pieces.
"""

import json

from . import values, words
from .spin import THINGS
from .structured import chat, message
from .values import chance

_PARTICLES = ["van", "de", "von", "van der", "del", "da", "la", "O'", "Mc", "di", "al-", "Ben", "St."]


def surname(rng):
    kind = rng.random()
    name = rng.choice(words.LAST_NAMES) if kind < 0.25 else values.common_word(rng).capitalize() if kind < 0.5 else values.syllable_word(rng, 3).capitalize()
    if chance(rng, 0.25):
        name += rng.choice("son ski stein berg ham ford ton well field worth man sen ova escu idze poulos nen berry wood gate by thorpe ley croft mann hardt".split())
    kind = rng.random()
    if kind < 0.06:
        return rng.choice(_PARTICLES[:6]) + " " + name
    if kind < 0.1:
        return rng.choice(["O'", "Mc", "Mac", "D'"]) + name
    if kind < 0.15:
        return name + "-" + rng.choice(words.LAST_NAMES)
    return name


def given_name(rng):
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(words.FIRST_NAMES)
    name = values.common_word(rng)[:rng.randint(3, 7)] if kind < 0.45 else values.syllable_word(rng, 2)
    return (name + rng.choice(["", "", "a", "ia", "us", "ine", "ette", "o", "en", "ard", "elle", "ius", "wyn", "bert", "linde", "ora"])).capitalize()


def full_name(rng):
    kind = rng.random()
    if kind < 0.7:
        return given_name(rng) + " " + surname(rng)
    if kind < 0.8:
        return given_name(rng) + " " + rng.choice("ABCDEFGHJKLMNPRSTW") + ". " + surname(rng)
    if kind < 0.88:
        return given_name(rng) + " " + given_name(rng) + " " + surname(rng)
    return rng.choice(["Dr. ", "Mrs. ", "Mr. ", "Ms. ", "Prof. "]) + surname(rng)


def place_name(rng):
    word = values.common_word(rng).capitalize() if chance(rng, 0.6) else values.syllable_word(rng, 2).capitalize()
    second = values.common_word(rng).capitalize()
    return rng.choice([
        f"{word} {second}", f"The {word} {second}", f"The {word}", f"{word} House", f"Villa {word}", f"{word} & {second}", f"Café {word}", f"{word} Hall", f"Casa {word}", f"{word} Park", f"Hotel {word}",
        f"{word}'s {second}", f"Le {word}", f"The {word} and {second}", f"{word}", f"Old {word}", f"{word} Inn", f"{surname(rng)}'s", f"{word} {second} {rng.choice(['Garden', 'Court', 'Point', 'Square'])}",
    ])


def model_name(rng):
    """A thing as shops sell it: one to three pieces, often with a number or letters."""
    base = rng.choice([values.part, values.part, lambda r: values.common_word(r).capitalize(), lambda r: values.syllable_word(r, 3).capitalize()])
    name = base(rng)
    if chance(rng, 0.35):
        name += rng.choice(["", " ", " "]) + base(rng)
    if chance(rng, 0.4):
        name += " " + rng.choice([str(rng.randint(1, 9)), str(rng.randint(10, 9900)), "V" + str(rng.randint(1, 9)), "X" + rng.choice("LPTSZ12345"), rng.choice(["S", "GT", "Pro", "Plus", "Duo", "Max", "Mini", "II", "XL", "LX", "Air"])])
    if chance(rng, 0.05):
        name = base(rng) + "'s " + base(rng)
    return name


def topic(rng):
    return f"the {values.common_word(rng)} {values.common_word(rng)}" if chance(rng, 0.6) else rng.choice(["the ", "a ", "his ", "our ", ""]) + rng.choice([values.common_word, values.any_word, lambda r: r.choice(THINGS)])(rng)


def day(rng):
    return rng.choice([lambda r: r.choice(words.WEEKDAYS), lambda r: r.choice(words.WEEKDAYS), values.long_date, values.date, lambda r: f"{r.choice(words.MONTHS)} {r.randint(1, 28)}", lambda r: r.choice(["tomorrow", "tonight", "next week"])])(rng)


MAKERS = {
    "who": lambda r: given_name(r) if chance(r, 0.5) else full_name(r), "whom": lambda r: surname(r) if chance(r, 0.5) else full_name(r), "guest": full_name, "place": place_name,
    "what": topic, "thing": model_name, "day": day, "weekday": lambda r: r.choice(words.WEEKDAYS), "time": values.clock_time, "count": lambda r: r.randint(1, r.choice([12, 60, 400])), "city": values.city,
    "act": lambda r: r.choice("tell meet pay help write phone ask see fetch invite drive teach paint thank wake join follow greet".split()) if chance(r, 0.7) else values.common_word(r),
    "price": lambda r: f"{r.randint(1, 900)}.{r.randint(0, 99):02d}", "shop": values.company, "code": values.code, "color": lambda r: r.choice(words.COLORS), "room": lambda r: r.randint(1, 900), "email": values.email,
}

# What is told, and the slots in it that a form may ask for.
TOLD = [line.split("|") for line in """
{who} has an appointment with {whom} at {place} on {day} at {time}.|On {day}, {time}, {who} sees {whom} ({place}).|{whom} expects {who} at {place}, {day} {time}.
{guest} takes room {room} of {place} from {day}, {count} nights.|A room at {place} for {guest}: {count} nights from {day}. It is number {room}.|From {day} {guest} stays {count} nights at {place}, room {room}.
{who} wants {count} pieces of the {thing} sent to {city} by {day}.|Send {count} of the {thing} to {who} in {city}, please. We need them on {day}.|{city} needs {count} x {thing} until {day}, says {who}.
{who} will {act} {whom} on {day}.|Tell {who} to {act} {whom}, {day} is fine.|On {day} it is {who}'s turn to {act} {whom}.|I asked {who} to {act} {whom} on {day}.
{who} has to {act} {whom} because of {what}, {day}.|{who} is the one to {act} {whom} for {what}. When? {day}.|We need {who} to {act} {whom}; it concerns {what} and must be done {day}.|Because of {what}, {who} shall {act} {whom} until {day}.
The {thing} of {who} costs {price} at {shop}.|{shop} sold the {thing} to {who} for {price}.|{who} paid {price} for a {thing} from {shop}.|For the {thing}, {shop} asks {price}. Buyer: {who}
{guest} gives a talk on {what} in {city}, {day} at {time}.|Talk: {what}. Speaker: {guest}. Where and when: {city}, {day}, {time}.|In {city} you can hear {guest} speak of {what} ({day}, {time}).
The bus to {city} leaves from {place} at {time} on {weekday}.|{weekday}, {time}: bus from {place} to {city}.|If you want to go to {city}, be at {place} on {weekday} at {time}.
{who} lost a {color} {thing} near {place} on {day}.|A {color} {thing} was found at {place}; on {day} {who} came for it.|On {day} near {place}: {color} {thing}, belongs to {who}.
{who} complains about the {thing} from {shop} (number {code}).|The {thing}, number {code}, came from {shop} and {who} does not like it.|{code} is the number of {who}'s {thing}, bought at {shop}.
{guest} plays against {whom} at {place} on {day}; {count} tickets are left.|There are {count} seats left for {guest} against {whom}, {day}, {place}.|{place}, {day}: {guest} meets {whom}. Tickets left: {count}.
My name is {guest}, I have booked {count} places for {what} on {day} at {time}.|{count} places for {what}, {day} at {time}, please. {guest}|Could we come to {what} on {day} at {time}? We are {count}. Yours, {guest}
{who} moves from {city} to {place} in order to work for {shop}.|{shop} has hired {who}, who leaves {city} and goes to {place}.|{who} of {shop} used to live in {city} and now lives in {place}.
Give {count} bottles of {what} to {whom}, {who} said on {day}.|{who} owes {whom} {count} bags of {what} since {day}.|On {day} {who} got {count} boxes of {what} from {whom}.
""".strip().split("\n")]

_KEY_NAMES = {
    "who": ["name", "person", "who", "owner", "assignee", "from", "customer"], "whom": ["with", "contact", "whom", "to", "other"], "guest": ["guest", "name", "speaker", "customer", "person"], "place": ["place", "where", "venue", "location"],
    "what": ["topic", "about", "subject", "what", "re"], "thing": ["item", "product", "model", "article"], "day": ["day", "date", "due", "when", "deadline"], "weekday": ["day", "weekday"], "time": ["time", "at", "hour", "start"],
    "count": ["count", "number", "quantity", "how_many", "seats", "n"], "city": ["city", "town", "destination"], "act": ["action", "verb", "do"], "price": ["price", "cost", "amount"], "shop": ["shop", "company", "seller", "vendor"],
    "code": ["code", "number", "id"], "color": ["color"], "room": ["room"], "email": ["email"],
}


def _slots_of(sentence):
    return [part.split("}")[0] for part in sentence.split("{")[1:]]


def told(rng):
    """A pattern, and a maker of sentences with their values."""
    patterns = rng.choice(TOLD)
    slots = _slots_of(patterns[0])

    def make():
        made = {slot: MAKERS[slot](rng) for slot in slots}
        return rng.choice(patterns).format(**made), made

    return slots, make


_MARKS = ["[ ]", "*", "-", "#", "TASK", "To do:", "->", ">>", "@", "=", "o", "(x)", "[x]", "NOTE", "$", "!", "~", "::"]
_GLUES = [" | ", " -> ", ", ", "; ", " / ", " - ", ": ", " :: ", " // ", "\n", " @ ", " = ", " (", " + ", "  "]


def line_form(rng, slots):
    """A form of one line or a few: marks and names of keys around some of the slots."""
    chosen = rng.sample(slots, rng.randint(2, len(slots))) if chance(rng, 0.7) else list(slots)
    style = rng.random()
    if style < 0.45:
        glue = rng.choice(_GLUES)
        pieces = []
        for slot in chosen:
            kind = rng.random()
            key = rng.choice(_KEY_NAMES[slot])
            pieces.append(f"{key}: {{{slot}}}" if kind < 0.3 else f"{key}={{{slot}}}" if kind < 0.36 else f"({{{slot}}})" if kind < 0.42 else f"[{{{slot}}}]" if kind < 0.48 else f"{{{slot}}}")
        if glue == " (":
            return pieces[0] + " (" + ", ".join(pieces[1:]) + ")"
        joined = pieces[0]
        for piece in pieces[1:]:
            joined += (rng.choice(_GLUES[:12]) if chance(rng, 0.25) else glue) + piece
        return (rng.choice(_MARKS) + " " if chance(rng, 0.5) else "") + joined
    if style < 0.75:
        return "\n".join(f"{rng.choice(_KEY_NAMES[slot]).capitalize() if chance(rng, 0.5) else rng.choice(_KEY_NAMES[slot]).upper()}: {{{slot}}}" for slot in chosen)
    return " ".join(f"{rng.choice(['', 'on', 'for', 'by', 'at', 'with', 'see', 'via', 'and', 'the'])} {{{slot}}}".strip() for slot in chosen) + rng.choice([".", "!", "", ""])


def json_form(rng, slots):
    """A function from values to JSON with parts of its own: objects in objects, lists, numbers."""
    chosen = rng.sample(slots, rng.randint(2, len(slots))) if chance(rng, 0.5) else list(slots)
    keys = {slot: rng.choice(_KEY_NAMES[slot]) for slot in chosen}
    if len(set(keys.values())) < len(keys):
        keys = {slot: slot for slot in chosen}
    wrapped = rng.sample(chosen, 2) if len(chosen) > 2 and chance(rng, 0.5) else []
    listed = [slot for slot in chosen if slot not in wrapped]
    pair = rng.sample(listed, 2) if len(listed) > 2 and chance(rng, 0.3) else []
    outer = rng.choice(["booking", "order", "entry", "event", "task", "details", "record", "data", "info", "item", "request"]) if chance(rng, 0.8) else values.key(rng)
    pair_key = rng.choice(["when", "pair", "values", "list", "where", "slot", "both"])
    nest_all = not wrapped and chance(rng, 0.3)

    def build(made):
        record = {}
        if wrapped:
            record[outer] = {keys[slot]: made[slot] for slot in wrapped}
        for slot in listed:
            if slot not in pair:
                record[keys[slot]] = made[slot]
        if pair:
            record[pair_key] = [made[slot] for slot in pair]
        return {outer: record} if nest_all else record

    return build


def into_form(rng):
    """Told by a template, by one or two examples in the system prompt, or by earlier turns."""
    slots, make = told(rng)
    if chance(rng, 0.5):
        form = line_form(rng, slots)
        write = lambda made: form.format(**made)
        blank = form.format(**{slot: rng.choice(["...", f"<{slot}>", f"{{{slot}}}"]) for slot in slots}) if chance(rng, 0.3) else form.format(**{slot: f"<{_KEY_NAMES[slot][0]}>" for slot in slots})
    else:
        build = json_form(rng, slots)
        indent = 2 if chance(rng, 0.15) else None
        write = lambda made: json.dumps(build(made), ensure_ascii=False, indent=indent)
        blank = json.dumps(build({slot: "..." for slot in slots}), ensure_ascii=False, indent=indent)
    sentence, made = make()
    answer = write(made)
    kind = rng.random()
    if kind < 0.35:
        return chat(sentence, answer, rng.choice(["Rewrite the text in this form: {b}", "Form: {b}", "Put what the user says into this form:\n{b}", "Answer as {b}", "Fill in: {b}", "Use the form {b} and nothing else."]).format(b=blank))
    if kind < 0.45:
        return chat(f"{sentence}\n\n{rng.choice(['Rewrite as', 'Put it like this:', 'In the form'])} {blank}", answer)
    shown = [make() for _ in range(rng.choice([1, 1, 2, 3]))]
    if kind < 0.7:
        lines = "\n".join(f"{text} => {write(values_)}" for text, values_ in shown)
        return chat(sentence, answer, rng.choice(["Rewrite notes like this:\n", "Examples:\n", "Follow these examples.\n", ""]) + lines)
    messages = [message("system", rng.choice(["Rewrite the note.", "Turn the text into the usual form.", "Convert.", "Write it in our form.", "Make an entry."]))] if chance(rng, 0.7) else []
    for text, values_ in shown + [(sentence, made)]:
        messages += [message("user", text), message("assistant", write(values_))]
    return messages


_ASKED = {
    "who": ["Who is it about?", "Which person is named first?", "name of the person"], "guest": ["Who is the guest or speaker?", "full name", "Give the name only."], "place": ["Which place?", "name of the place", "Where?"],
    "thing": ["Which product is it?", "name of the product", "What is the article called?", "Which item is meant?", "product name"], "day": ["Which day?", "date", "When?"], "time": ["At what time?", "time", "Give the time."],
    "count": ["How many?", "number", "quantity"], "city": ["Which city?", "city", "name of the city"], "price": ["What is the price?", "price"], "shop": ["Which company?", "name of the firm", "Who sells it?"], "code": ["Which number?", "code", "id"],
    "color": ["Which color?", "color"], "room": ["Which room?", "room number"], "whom": ["Who is the second person?", "the other person"], "what": ["What is it about?", "topic"], "weekday": ["Which weekday?", "day of the week"],
}

_THING_TEXTS = """
My {thing} {fault} after {count} days.|I bought a {thing} at {shop} and it {fault}.|{fault2} is what I think of the {thing} by {shop}.|Is the {thing} sold in {city}?|How do I {do} the {thing}?|{guest} in {city} asks for the manual of the {thing}.|Since {day} my {thing} {fault}.|
The {thing} for {price} was a present from {who}.|Please tell {who} that the {thing} is ready.|{shop} has no {thing} any more.|With the {thing} you can cook for {count} people.|We have {count} of the {thing} in {city}, none of them works.|{who} prefers the {thing} to mine.|Can {who} bring the {thing} to {place} on {day}?|
On {day} the {thing} {fault}, and {shop} does not answer.|{who} here. What does a {thing} cost?|The box of the {thing} was open when it came to {city}.|Who repairs a {thing} in {city}?|No {thing} in the box!|I would rather have the {thing} than my old one.|Which {what} fits the {thing}?|Yesterday {who} showed me her {thing}.
""".replace("\n", "").split("|")
_FAULTS = "is broken|does not start|leaks|smells|makes a noise|has a scratch|is too loud|stopped|lost a wheel|got hot|beeps|is dead|turned blue|will not close|came without a cable|rusts|shakes".split("|")
_ACTS = "clean open charge return store fold paint lift sell oil start use hang wash".split()


def which_value(rng):
    """One value out of a sentence full of them."""
    if chance(rng, 0.5):
        made = {slot: maker(rng) for slot, maker in MAKERS.items()}
        text = rng.choice(_THING_TEXTS).strip().format(fault=rng.choice(_FAULTS), fault2=rng.choice(["Junk", "Great", "Too dear", "Fine"]), do=rng.choice(_ACTS), **made)
        slot = "thing"
    else:
        slots, make = told(rng)
        text, made = make()
        slot = rng.choice([slot for slot in slots if slot in _ASKED])
    question = rng.choice(_ASKED[slot])
    answer = str(made[slot])
    if chance(rng, 0.12):
        text = text + " " + rng.choice(["Thanks!", "Please answer soon.", f"Regards, {given_name(rng)}", "It is urgent."])
    kind = rng.random()
    if kind < 0.5:
        return chat(text, answer, rng.choice(["Extract: {q}", "{q} Answer with it alone.", "{q}", "Read the message. {q}", "Find this in the text: {q}"]).format(q=question))
    if kind < 0.8:
        return chat(rng.choice(["{t}\n{q}", "{q}\n{t}", "Text: {t}\nQuestion: {q}"]).format(t=text, q=question), answer)
    return chat(text, json.dumps({slot: made[slot]}, ensure_ascii=False), f"Extract the {slot} as JSON.")


FAMILIES = [(into_form, 26), (which_value, 12)]
