"""Chats about records: writing them in a format, reading them, converting and extracting.

Each family is a function of a `random.Random` that returns a list of messages; FAMILIES lists them with
how often each is drawn.
"""

from . import formats, values, words
from .values import chance, text_of


def message(role, content):
    return {"role": role, "content": content}


def chat(user, assistant, system=None):
    messages = [message("system", system)] if system else []
    return messages + [message("user", user), message("assistant", assistant)]


def quoted(rng, value):
    """A value as a request names it, quoted or bare."""
    text = text_of(value)
    if isinstance(value, (bool, int, float)):
        return text
    return rng.choice(["{}", "{}", "'{}'", "'{}'", '"{}"', "`{}`"]).format(text)


def naming(rng, key, value):
    written = quoted(rng, value)
    spoken = key.replace("_", " ") if chance(rng, 0.1) else key
    return rng.choice([
        "{k} {v}", "{k} {v}", "{k} {v}", "{k}: {v}", "{k} = {v}", "{k}={v}", "{k} is {v}", "{k} set to {v}", "the {k} {v}",
        "the {k} is {v}", "a {k} of {v}", "{v} as {k}", "{v} as the {k}", "{k} of {v}",
    ]).format(k=spoken, v=written)


def listing(rng, parts):
    if len(parts) == 1:
        return parts[0]
    kind = rng.random()
    if kind < 0.5:
        return ", ".join(parts[:-1]) + rng.choice([" and ", ", and "]) + parts[-1]
    if kind < 0.8:
        return ", ".join(parts)
    return rng.choice(["; ", "\n", "\n- "]).join([""] + parts).strip("; ")


def namings(rng, record):
    return listing(rng, [naming(rng, key, value) for key, value in record.items()])


WRITE_OPENINGS = [
    "Write {f} with {r}.", "Make {f} with {r}", "Create {f}: {r}", "Give me {f} for {r}.", "Turn this into {f}: {r}",
    "Convert to {f}: {r}", "I need {f} with {r}.", "Put this in {f}: {r}", "{f}, please: {r}", "Format as {f}: {r}",
    "Produce {f} from this: {r}", "Can you write {f} with {r}?", "Please return {f} containing {r}.",
]
WRITE_SYSTEMS = [
    "You write {f}. Answer with nothing else.", "Answer only in {f}.", "You convert requests to {f}.", "Output {f} only.",
    "You are a {f} specialist.", "Reply with {f} and no explanation.", "Turn what the user says into {f}.",
    "Convert user requests into properly formatted {f}.", "You are a data formatting assistant. Always use {f}.",
]


def write_record(rng):
    name, write = rng.choice(formats.FLAT)
    record = values.record(rng, 1, 6)
    said = namings(rng, record)
    if chance(rng, 0.5):
        system = rng.choice(WRITE_SYSTEMS).format(f=name)
        opening = rng.choice(["{r}", "{r}", "Make one with {r}.", "Please use {r}.", "An item with {r}", "I want {r}.", "Here: {r}"])
        return chat(opening.format(r=said), write(record), system)
    return chat(rng.choice(WRITE_OPENINGS).format(f=name, r=said), write(record))


def nested_record(rng):
    name, write = rng.choice(formats.NESTED)
    outer = values.key(rng)
    inner = values.record(rng, 1, 4)
    record = {outer: inner}
    if chance(rng, 0.4):
        second = values.key(rng)
        if second != outer:
            record[second] = values.record(rng, 1, 3) if chance(rng, 0.5) else values.value_for(rng, second)
    parts = []
    for key, value in record.items():
        if isinstance(value, dict):
            parts.append(rng.choice(["{k} with {r}", "under {k}: {r}", "{k} containing {r}", "a {k} that has {r}", "in {k}, {r}"])
                         .format(k=key, r=namings(rng, value)))
        else:
            parts.append(naming(rng, key, value))
    said = rng.choice(["; ", ", and ", ". Then "]).join(parts)
    if chance(rng, 0.4):
        return chat(said, write(record), rng.choice(WRITE_SYSTEMS).format(f=name))
    return chat(rng.choice(WRITE_OPENINGS).format(f=name, r=said), write(record))


CONFIGURATION_REQUESTS = [
    "Create a configuration for a {kind} with {r}.", "Create a configuration for a {kind} with {r}.",
    "Generate a config for a {kind} with {r}.", "I need a configuration for a {kind}: {r}.", "Set up a {kind} with {r}.",
    "Configure a {kind} with {r}.", "Make a config file for a {kind}, {r}.", "Write the settings of a {kind} with {r}.",
    "Please prepare a {kind} configuration with {r}.", "Describe a {kind} with {r}.", "New {kind}: {r}.", "Register a {kind} with {r}.",
    "Build a config for the {kind} {n}, {r}.",
]


def configuration(rng):
    """A request to configure something, answered in the form that an example in the system prompt shows."""
    keys = values.keys(rng, 2, 4)
    if chance(rng, 0.6):
        keys = rng.sample(["name", "version", "environment", "port", "language", "debug", "timeout", "owner", "license", "host"],
                          rng.randint(2, 4))
        if chance(rng, 0.6) and "name" not in keys:
            keys[0] = "name"
    record = {key: values.value_for(rng, key) for key in keys}
    form, write = rng.choice(formats.NESTED)
    wrapper = rng.choice(["application", "app", "service", "config", "settings", None, None, values.key(rng)])
    answer = write({wrapper: record}) if wrapper else write(record)
    said = namings(rng, record)
    user = rng.choice(CONFIGURATION_REQUESTS).format(
        kind=rng.choice(words.APPLICATION_KINDS), r=said, n=values.product_name(rng) if "name" in record else "")
    kind = rng.random()
    if kind < 0.35:
        blank = {key: rng.choice(["...", "…", "?"]) for key in keys}
        shape = write({wrapper: blank} if wrapper else blank)
        system = rng.choice(["Answer in this form:\n{s}", "Fill this form:\n{s}", "Use exactly this shape: {s}", "Form:\n{s}"]).format(s=shape)
    elif kind < 0.6:
        other = {key: values.value_for(rng, key) for key in keys}
        shape = write({wrapper: other} if wrapper else other)
        system = rng.choice(["Answer like this example:\n{s}", "Example of an answer:\n{s}", "Convert requests. Example output: {s}"]).format(s=shape)
    else:
        system = rng.choice(["You write {f} configurations.", "Answer in {f}.", "You are a configuration generator. Output {f}.",
                             "You are a {f} generation specialist. Convert user requests into properly formatted {f}."]).format(f=form)
        if wrapper:
            system += rng.choice([" The outer key is {w}.", " Put everything under {w}.", " Wrap the object in {w}."]).format(w=wrapper)
    return chat(user, answer, system)


SENTENCE_FORMS = [
    # (fields, sentence)
    (("name", "age", "city"), ["{name} is {age} years old and lives in {city}.", "{name}, {age}, from {city}.", "I am {name}, I live in {city} and I am {age}.",
                               "In {city} lives {name}, who turned {age} last week."]),
    (("product", "price", "quantity"), ["I would like {quantity} of the {product} for {price} each.", "{product} costs {price}; we have {quantity} left.",
                                        "Order: {quantity} x {product} at {price}.", "Please send {quantity} pieces of {product}, price {price}."]),
    (("origin", "destination", "date"), ["Book a flight from {origin} to {destination} on {date}.", "On {date} I travel from {origin} to {destination}.",
                                         "I need a ticket to {destination}, leaving {origin} on {date}.", "{origin} to {destination}, {date}."]),
    (("name", "email"), ["My name is {name} and my email is {email}.", "Write to {name} at {email}.", "Contact: {name} ({email}).", "You can reach {name} under {email}."]),
    (("name", "version"), ["{name} {version} was released today.", "We updated {name} to version {version}.", "Please install {name}, version {version}.",
                           "There is a bug in {name} {version}."]),
    (("title", "author", "year"), ["{author} wrote {title} in {year}.", "\"{title}\" by {author} came out in {year}.", "In {year}, {author} published {title}."]),
    (("customer", "order", "amount"), ["{customer} paid {amount} for order {order}.", "Order {order} of {customer}: {amount}.", "The invoice for {order} ({amount}) goes to {customer}."]),
    (("name", "role", "team"), ["{name} works as {role} in the {team} team.", "The {team} team hired {name} as {role}.", "{name} is now {role} of {team}."]),
    (("service", "status", "host"), ["{service} on {host} is {status}.", "The status of {service} at {host} is {status}.", "On {host}, the service {service} was found {status}."]),
    (("event", "date", "time", "city"), ["{event} takes place in {city} on {date} at {time}.", "Join us for {event}: {city}, {date}, {time}.", "On {date} at {time} {event} begins in {city}."]),
    (("sender", "recipient", "subject"), ["{sender} wrote to {recipient} about {subject}.", "From {sender} to {recipient}: {subject}", "A mail on {subject} went from {sender} to {recipient}."]),
    (("name", "environment", "version"), ["Deploy {name} {version} to {environment}.", "{name} runs in {environment} with version {version}.", "The {environment} instance of {name} has version {version}."]),
    (("host", "port", "user"), ["Connect to {host} on port {port} as {user}.", "{user} logs in at {host}:{port}.", "The server {host} listens on {port}; the user is {user}."]),
    (("animal", "name", "color"), ["The {color} {animal} is called {name}.", "{name} is a {color} {animal}.", "We have a {animal} named {name}; it is {color}."]),
    (("company", "city", "year"), ["{company} was founded in {city} in {year}.", "Since {year}, {company} has its office in {city}.", "{company} ({city}, {year})"]),
]


def field_value(rng, field):
    makers = {"order": values.code, "team": values.any_word, "event": lambda r: "the " + values.product_name(r) + " fair",
              "subject": lambda r: "the " + values.common_word(r), "animal": lambda r: r.choice(words.ANIMALS), "company": values.company,
              "name": lambda r: r.choice([values.first_name, values.person, values.product_name])(r), "age": lambda r: r.randint(1, 99),
              "quantity": lambda r: r.randint(1, 500), "title": lambda r: " ".join(values.part(r) for _ in range(r.randint(1, 3)))}
    maker = makers.get(field)
    return maker(rng) if maker else values._BY_KEY[field](rng)


def facts(rng):
    """A sentence and the record it tells."""
    fields, sentences = rng.choice(SENTENCE_FORMS)
    record = {field: field_value(rng, field) for field in fields}
    return rng.choice(sentences).format(**{key: text_of(value) for key, value in record.items()}), record


SCHEMA_SYSTEMS = [
    "Extract {k} as JSON.", "Return a JSON object with the keys {k}.", "Find {k} in the text. Answer in JSON.",
    "You extract data. Fields: {k}. Output: JSON.", "Schema: {s}\nFill it from the user's text.", "Fill in this JSON: {s}",
    "Extract the fields {k} and return them as JSON.", "Read the message and output {s}",
]


def extract_schema(rng):
    sentence, record = facts(rng)
    fields = list(record)
    if chance(rng, 0.4):
        rng.shuffle(fields)
    if len(fields) > 1 and chance(rng, 0.3):
        fields = fields[: rng.randint(1, len(fields) - 1)]
    renamed = {field: field for field in fields}
    if chance(rng, 0.15):
        renamed[fields[0]] = fields[0] + rng.choice(["_name", "_value", "_text"])
    answer = {renamed[field]: record[field] for field in fields}
    if chance(rng, 0.15):
        missing = rng.choice([key for key in words.KEYS if key not in record])
        answer[missing] = None
    schema = formats.json_line({key: rng.choice(["string", "...", ""]) if isinstance(value, str) else rng.choice(["number", "integer"])
                                for key, value in answer.items()})
    instruction = rng.choice(SCHEMA_SYSTEMS).format(k=", ".join(answer), s=schema)
    if chance(rng, 0.25):
        sentence = values.fill(rng, rng.choice(words.NEUTRAL_SENTENCES)) + " " + sentence
    if chance(rng, 0.7):
        return chat(sentence, formats.json_line(answer), instruction)
    return chat(instruction + "\n" + sentence, formats.json_line(answer))


QUESTIONS = ["What is the {k}?", "Which {k} is it?", "Tell me the {k}.", "{k}?", "Give me only the {k}.", "What {k} is named here?", "Find the {k}."]


def extract_field(rng):
    sentence, record = facts(rng)
    field = rng.choice(list(record))
    question = rng.choice(QUESTIONS).format(k=field)
    answer = text_of(record[field])
    kind = rng.random()
    if kind < 0.4:
        return chat(f"{sentence}\n{question}", answer)
    if kind < 0.7:
        return chat(sentence, answer, f"Answer with the {field} in the text and nothing else.")
    if kind < 0.85:
        return chat(f"{question}\nText: {sentence}", answer)
    others = [key for key in record if key != field]
    second = rng.choice(others)
    return chat(f"{sentence}\n{question}", answer) + [
        message("user", f"And the {second}?"), message("assistant", text_of(record[second]))]


def look_up(rng):
    """A value of a record by its key, or a key by its value."""
    record = values.record(rng, 2, 8)
    written = rng.choice([formats.json_line, formats.json_pretty, formats.yaml, formats.key_value, formats.csv, formats.colon_lines,
                          formats.bullets, formats.query, formats.arguments])(record)
    key = rng.choice(list(record))
    value = text_of(record[key])
    if chance(rng, 0.15):
        return chat(f"{written}\n\nWhich key has the value {value}?", next(k for k, v in record.items() if text_of(v) == value))
    question = rng.choice(["What is the value of {k}?", "Give me {k}.", "Look up {k}.", "{k}?", "What is {k} set to?", "Read {k}."]).format(k=key)
    if chance(rng, 0.3):
        return chat(question, value, "Answer from this data:\n" + written)
    messages = chat(f"{written}\n\n{question}" if chance(rng, 0.5) else f"{question}\n\n{written}", value)
    if chance(rng, 0.25):
        other = rng.choice(list(record))
        messages += [message("user", f"And {other}?"), message("assistant", text_of(record[other]))]
    return messages


def convert(rng):
    record = values.record(rng, 1, 6)
    sources = [("JSON", formats.json_line), ("JSON", formats.json_pretty), ("YAML", formats.yaml), ("XML", formats.xml),
               ("CSV", formats.csv), ("key=value", formats.key_value), ("a query string", formats.query),
               ("command line arguments", formats.arguments), ("a list", formats.bullets), ("a table", formats.markdown_table)]
    source = rng.choice(sources)
    target_name, target = rng.choice(formats.FLAT)
    text = source[1](record)
    user = rng.choice(["Convert this {s} to {t}:\n{x}", "{s} to {t}:\n{x}", "Rewrite as {t}:\n{x}", "Turn into {t}:\n{x}",
                       "{x}\n\nGive me this as {t}."]).format(s=source[0], t=target_name, x=text)
    if chance(rng, 0.3):
        return chat(text, target(record), f"Convert {source[0]} to {target_name}.")
    return chat(user, target(record))


def edit_record(rng):
    """A record with one value changed, one key added, removed or renamed."""
    record = values.record(rng, 2, 5)
    write = rng.choice(formats.JSON_STYLES + [formats.yaml, formats.key_value])
    before = write(record)
    key = rng.choice(list(record))
    kind = rng.random()
    if kind < 0.4:
        value = values.value_for(rng, key)
        after = {**record, key: value}
        order = rng.choice(["Set {k} to {v}.", "Change {k} to {v}.", "Make {k} {v}.", "Update {k}: {v}"]).format(k=key, v=quoted(rng, value))
    elif kind < 0.65:
        new = next(candidate for candidate in iter(lambda: values.key(rng), None) if candidate not in record)
        value = values.value_for(rng, new)
        after = {**record, new: value}
        order = rng.choice(["Add {k} {v}.", "Add {k}: {v}", "Also {k} = {v}."]).format(k=new, v=quoted(rng, value))
    elif kind < 0.85:
        after = {name: value for name, value in record.items() if name != key}
        order = rng.choice(["Remove {k}.", "Delete {k}.", "Without {k}.", "Drop the key {k}."]).format(k=key)
    else:
        new = next(candidate for candidate in iter(lambda: values.key(rng), None) if candidate not in record)
        after = {new if name == key else name: value for name, value in record.items()}
        order = rng.choice(["Rename {k} to {v}.", "Call {k} {v}."]).format(k=key, v=new)
    if chance(rng, 0.3) and write in formats.JSON_STYLES:
        said = namings(rng, record)
        return chat(f"JSON with {said}", formats.json_line(record)) + [message("user", order), message("assistant", formats.json_line(after))]
    return chat(f"{before}\n\n{order}" if chance(rng, 0.6) else f"{order}\n{before}", write(after))


def function_call(rng):
    """A call of one of the functions that the system prompt lists."""
    functions = []
    for _ in range(rng.randint(1, 3)):
        functions.append((rng.choice(["get", "set", "create", "delete", "find", "send", "update", "list", "start", "stop"]) + "_" +
                          rng.choice([values.common_word(rng), rng.choice(words.KEYS)]), values.keys(rng, 1, 3)))
    name, parameters = rng.choice(functions)
    given = {parameter: values.value_for(rng, parameter) for parameter in parameters}
    listed = "\n".join(f"{function}({', '.join(arguments)})" for function, arguments in functions)
    verb, thing = name.split("_", 1)
    user = f"{verb.capitalize()} the {thing.replace('_', ' ')} with {namings(rng, given)}."
    if chance(rng, 0.5):
        answer = formats.json_line({"name": name, "arguments": given})
        system = "Call one of these functions. Answer with JSON: name and arguments.\n" + listed
    else:
        answer = f"{name}({formats.python_call(given)})"
        system = "Answer with a call of one of these functions.\n" + listed
    return chat(user, answer, system)


def select_statement(rng):
    columns = values.keys(rng, 1, 3)
    table = values.common_word(rng)
    key = values.key(rng)
    value = values.value_for(rng, key)
    literal = text_of(value) if not isinstance(value, str) else "'" + value + "'"
    said = listing(rng, columns) if chance(rng, 0.9) else ", ".join(columns)
    user = rng.choice(["Select {c} from {t} where {k} is {v}.", "SQL: {c} of {t} with {k} {v}", "Query {t} for {c}, {k} equal to {v}.",
                       "Write SQL that gets {c} from {t} where {k} = {v}."]).format(c=said, t=table, k=key, v=quoted(rng, value))
    return chat(user, f"SELECT {', '.join(columns)} FROM {table} WHERE {key} = {literal};", rng.choice([None, "You write SQL.", "Answer with SQL only."]))


def log_line(rng):
    level = rng.choice(["INFO", "WARN", "ERROR", "DEBUG"])
    record = {"time": values.date(rng) + " " + values.clock_time(rng), "level": level, "service": values.any_word(rng), "message": values.phrase(rng)}
    line = rng.choice(["{time} {level} {service}: {message}", "[{time}] [{level}] {service} - {message}", "{level} {time} ({service}) {message}"]).format(**record)
    if chance(rng, 0.3):
        key = rng.choice(list(record))
        return chat(line, record[key], f"Give the {key} of the log line.")
    return chat(line, rng.choice([formats.json_line, formats.json_compact])(record) if chance(rng, 0.5) else formats.json_line(record),
                "Parse the log line. Keys: time, level, service, message. Answer in JSON.")


def table_rows(rng):
    """Several records as a JSON array or CSV."""
    fields = values.keys(rng, 2, 3)
    rows = [{field: values.value_for(rng, field) for field in fields} for _ in range(rng.randint(2, 4))]
    header = ",".join(fields)
    csv = "\n".join([header] + [",".join(text_of(row[field]) for field in fields) for row in rows])
    array = formats.json_line(rows)
    kind = rng.random()
    if kind < 0.4:
        return chat(f"CSV to JSON:\n{csv}", array)
    if kind < 0.6:
        return chat(f"JSON to CSV:\n{array}", csv)
    row = rng.choice(rows)
    field, wanted = rng.sample(fields, 2)
    if sum(text_of(other[field]) == text_of(row[field]) for other in rows) > 1:
        return chat(f"JSON to CSV:\n{array}", csv)
    return chat(f"{csv}\n\nWhat is the {wanted} of the row with {field} {text_of(row[field])}?", text_of(row[wanted]))


FAMILIES = [
    (write_record, 12), (nested_record, 5), (configuration, 8), (extract_schema, 7), (extract_field, 4), (look_up, 4), (convert, 4),
    (edit_record, 4), (function_call, 3), (select_statement, 1), (log_line, 1), (table_rows, 2),
]
