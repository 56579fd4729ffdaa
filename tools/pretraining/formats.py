"""Records written as JSON, YAML, XML, CSV and their like."""

import json

from .values import text_of


def json_compact(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def json_line(record):
    return json.dumps(record, ensure_ascii=False)


def json_pretty(record):
    return json.dumps(record, indent=2, ensure_ascii=False)


def json_wide(record):
    return json.dumps(record, indent=4, ensure_ascii=False)


def yaml(record, indent=""):
    lines = []
    for key, value in record.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", yaml(value, indent + "  ")]
        elif isinstance(value, list):
            lines += [f"{indent}{key}:"] + [f"{indent}  - {text_of(item)}" for item in value]
        else:
            lines.append(f"{indent}{key}: {text_of(value)}")
    return "\n".join(lines)


def xml(record, root="item"):
    lines = [f"<{root}>"]
    for key, value in record.items():
        if isinstance(value, dict):
            lines += ["  " + line for line in xml(value, key).split("\n")]
        else:
            for item in value if isinstance(value, list) else [value]:
                lines.append(f"  <{key}>{text_of(item)}</{key}>")
    return "\n".join(lines + [f"</{root}>"])


def csv(record):
    return ",".join(record) + "\n" + ",".join(text_of(value) for value in record.values())


def key_value(record):
    return "\n".join(f"{key}={text_of(value)}" for key, value in record.items())


def colon_lines(record):
    return "\n".join(f"{key}: {text_of(value)}" for key, value in record.items())


def bullets(record):
    return "\n".join(f"- {key}: {text_of(value)}" for key, value in record.items())


def arguments(record):
    return " ".join(f"--{key} {text_of(value)}" for key, value in record.items())


def query(record):
    return "&".join(f"{key}={text_of(value)}" for key, value in record.items())


def ini(record, section="settings"):
    return f"[{section}]\n" + "\n".join(f"{key} = {text_of(value)}" for key, value in record.items())


def markdown_table(record):
    return "| " + " | ".join(record) + " |\n|" + "---|" * len(record) + "\n| " + " | ".join(
        text_of(value) for value in record.values()) + " |"


def python_call(record):
    return ", ".join(f"{key}={value!r}" for key, value in record.items())


# What a chat calls the format, and how it is written.
FLAT = [
    ("JSON", json_line), ("JSON", json_line), ("JSON", json_line), ("a JSON object", json_line),
    ("compact JSON", json_compact), ("JSON without spaces", json_compact), ("pretty JSON", json_pretty),
    ("indented JSON", json_pretty), ("pretty-printed JSON", json_pretty), ("JSON on several lines", json_pretty),
    ("JSON indented by four spaces", json_wide), ("YAML", yaml), ("YAML", yaml), ("XML", xml), ("CSV with a header", csv),
    ("key=value lines", key_value), ("an .env file", key_value), ("a properties file", key_value), ("a bullet list", bullets),
    ("command line arguments", arguments), ("a query string", query), ("an INI file", ini), ("a Markdown table", markdown_table),
]
JSON_STYLES = [json_line, json_line, json_compact, json_pretty, json_pretty]
NESTED = [("JSON", json_line), ("compact JSON", json_compact), ("pretty JSON", json_pretty), ("indented JSON", json_pretty),
          ("YAML", yaml), ("XML", xml)]
