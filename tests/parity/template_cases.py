"""Templates of our own and random chats, with what transformers renders of them. As a program it writes
tests/golden/templates.json: python -m parity.template_cases (in tests/)."""
import copy
import datetime
import json
import pathlib
import random
import unittest.mock
import warnings

from transformers.utils import chat_template_utils

FROZEN = datetime.datetime(2025, 7, 10, 12, 0, 0)

# Each on its own: expressions and statements, those that fail included.
SNIPPETS = r"""
{{ 1 + 2 * 3 - 4 // 3 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7 / 2 }} {{ 1_000 + 0x1f }}
{{ 1.0 }} {{ 1e16 }} {{ 123456789.125 }} {{ 1e-5 }} {{ 0.0001 }} {{ 1e22 }} {{ 0.1 + 0.2 }} {{ -0.0 }} {{ 100.0 }} {{ 2.5e15 }}
{{ 5.5 // 2 }} {{ -5.5 % 2 }} {{ 5 % 2.5 }} {{ true + 1 }} {{ -1|abs }} {{ -(1)|abs }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }}
{{ 9223372036854775807 }} {{ 9007199254740993 == 9007199254740992 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 1 }}
{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 < 2 == true }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ (1, 2) == (1, 2) }} {{ (1,) == [1] }}
{{ 'a' ~ 1 ~ none ~ 1.5 ~ [1] ~ nothing }} {{ 'a' 'b' }} {{ 'ab' * 2 }} {{ 2 * [1] }} {{ [1] + [2] }} {{ (1,) + (2, 3) }}
{{ (1, 'two', [3], {'four': 4.0}) }} {{ () }} {{ (1,) }} {{ {} }} {{ {1: 'a', none: true, 'k': nothing} }} {{ 1, 2 }}
{{ 'b' in 'abc' }} {{ 'x' not in 'abc' }} {{ 1 in [1] }} {{ 'a' in {'a': 1} }} {{ 'a' in nothing }} {{ not 'a' in 'b' }}
{{ 'x' if true }} {{ 'x' if false }} {{ 'x' if false else 'y' if false else 'z' }} {{ nothing or 'd' }} {{ 0 and 1 }} {{ [] or {} }}
{{ "it's" }} {{ ["it's", 'say "x"', 'both \' and "', 'a\\b', 'n\n\t\r', '\x00\x7f', 'é\u200b\xa0\U0001F600'] }}
{{ '\x41\u00e9\101\q\'\"\\' }} {{ 'a\
b' }}
{{ 'hello'[1] }}{{ 'hello'[-1] }}{{ 'hello'[9] }} {{ 'hello'[1:3] }} {{ 'hello'[::-1] }} {{ 'héllo€x'[1:6:2] }} {{ 'abc'[-2:] }} {{ 'abc'[5:] }}
{{ [1, 2, 3, 4][1:-1] }} {{ [1, 2, 3][::-2] }} {{ (1, 2, 3)[1:] }} {{ [1, 2][5] is defined }} {{ [1, 2].0 }} {{ [1, 2][true] }}
{{ m.a }} {{ m['a'] }} {{ m.missing }} {{ m['missing'] is undefined }} {{ none.x is defined }} {{ 'abc'.x is defined }} {{ m[1] is defined }}
{{ m.items is callable }} {{ m['items'] is defined }} {{ {'items': 1}.items is callable }} {{ {'items': 1}['items'] }} {{ {'pop': 1}.pop is defined }}
{{ nothing.x }}
{{ nothing['x'] }}
{{ nothing[0:1] }}
{{ nothing + 'a' }}
{{ nothing < 1 }}
{{ none + 'a' }}
{{ 'a' + 1 }}
{{ 1 < 'a' }}
{{ none in 'abc' }}
{{ 'a' in none }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ nothing() }}
{{ m.a() }}
{{ 'abc'.nope() }}
{{ l.append(1) }}
{{ m.update({'z': 1}) }}
{{ l | tojson(4, 5, 6, 7, 8) }}
{{ nothing | tojson }}
{{ range(3) | tojson }}
{{ raise_exception('no') }}
{{ x is frobnicated }}
{{ x | frobnicated }}
{% frobnicate %}
{% if x %}
{% for x in 5 %}{% endfor %}
{% for a, b in [[1]] %}{% endfor %}
{% for a, b in [[1, 2, 3]] %}{% endfor %}
{% set m.x = 1 %}
{% break %}
{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{% endmacro %}{{ f(b=2) }}
{{ range(100001)|length }}
{{ namespace(_x=1) }}
{{ ''.__class__ }}
{{ ''.__class__.x }}
{{ 'abc'.join(1) }}
{{ {} in m }}
{{ m[1:] }}
{{ 5 | indent }}
{% if 1 if 0 else 2 %}{% endif %}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%dT%H:%M:%S %A %j %%') }} {{ strftime_now is defined }}
{{ ' a b\n'.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'éaé'.strip('é') }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ '\u3000a\x1c\xa0'.strip() }}|{{ 'a'.strip(none) }}
{{ 'a b  c'.split() }} {{ 'a,b,,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ ' a b  c '.split(none, 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ''.split() }} {{ ''.split(',') }}
{{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.partition('-') }} {{ 'a\nb\r\nc'.splitlines() }} {{ 'a\nb\n'.splitlines(true) }}
{{ 'aXbX'.replace('X', 'y') }} {{ 'aXbX'.replace('X', 'y', 1) }} {{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abcb'.find('b') }} {{ 'abcb'.rfind('b') }} {{ 'abcb'.count('b') }} {{ 'é€x'.index('x') }} {{ 'abc'.find('z') }}
{{ 'straße ǆ ΟΔΟΣ'.upper() }} {{ 'STRASSE İ ΟΔΟΣ ÀÉ'.lower() }} {{ "they're bill's ǆ".title() }} {{ 'hELLO'.capitalize() }} {{ "they're foo-bar (baz) foo_bar ǆx"|title }} {{ 'ǆabc'|capitalize }}
{{ 'abc'.isdigit() }}{{ '12'.isdigit() }}{{ 'a1'.isalnum() }}{{ 'ab'.isalpha() }}{{ ' '.isspace() }}{{ 'AB1'.isupper() }}{{ 'ab'.islower() }}{{ ''.isdigit() }}{{ '1'.islower() }}
{{ 'a'.center(4, '*') }}|{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3, '0') }}|{{ 'prefix-x'.removeprefix('prefix-') }}|{{ 'x.py'.removesuffix('.py') }}|{{ '-'.join(['a', 'b']) }}
{{ '{} and {}'.format('a', 2) }} {{ '{1}{0}'.format('a', 'b') }} {{ '{x}{{}}'.format(x=1) }} {{ '%s %d %r %5.2f %-4s| %04d %x %%' % ('a', 3.7, 'q', 2.345, 'l', 42, 255) }} {{ '%s' % 'one' }} {{ '%(a)s' % {'a': 1} }} {{ '%s-%s'|format('a', 1) }}
{{ ' x '|trim }}|{{ none|trim }}|{{ nothing|trim }}|{{ 5|trim }}|{{ 'xax'|trim('x') }}|{{ 'a'|upper }}{{ 'A'|lower }}
{{ m | tojson }} {{ m | tojson(indent=2) }} {{ {} | tojson(indent=4) }} {{ [] | tojson(indent=4) }} {{ [[], {}, [1]] | tojson(indent=1) }} {{ m | tojson(separators=(',', ':')) }} {{ m | tojson(indent=2, separators=(',', ' : ')) }} {{ {'b': 1, 'a': [2]} | tojson(sort_keys=true) }}
{{ 'é"\\\n\t\b\f\x01\x7f🙂</script>' | tojson }} {{ 'é\x7f🙂' | tojson(ensure_ascii=true) }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }} {{ (1, 2.0, none, true, 1e100) | tojson }} {{ [1] | tojson(indent='\t') }} {{ [1]|tojson(indent=0) }}
{{ l | join(', ') }} {{ l | join }} {{ [{'a': 1}, {'a': 2}] | join('-', attribute='a') }} {{ 'abc' | join('-') }} {{ m | join(',') }} {{ l | first }} {{ l | last }} {{ 'abc' | first }}{{ 'abc' | last }} {{ [] | first is defined }}
{{ l | length }} {{ 'é€' | length }} {{ m | count }} {{ nothing | length }} {{ l | reverse | list }} {{ 'abc' | reverse }} {{ m | list }} {{ 'ab' | list }} {{ m.items() | list }} {{ m.keys() | list }} {{ m.values() | list }}
{{ m | items | list }} {{ nothing | items | list }} {{ m | dictsort }} {{ {'B': 1, 'a': 2} | dictsort }} {{ {'B': 1, 'a': 2} | dictsort(true) }} {{ {'a': 2, 'b': 1} | dictsort(by='value') }} {{ m.get('a') }} {{ m.get('q') }} {{ m.get('q', 'd') }}
{{ m | length | string + 'x' }} {{ 5 | string }} {{ none | string }} {{ '12'|int + 1 }} {{ 'x'|int }} {{ '3.9'|int }} {{ 3.9|int }} {{ 'x'|int(7) }} {{ ' 12 '|int }} {{ '1.5'|float }} {{ 'x'|float }} {{ none|int }} {{ 2.5|round }} {{ 3.14159|round(2) }} {{ 2.1|round(method='ceil') }} {{ 7|round }}
{{ nothing | default('d') }} {{ '' | default('d') }} {{ '' | default('d', true) }} {{ none | default('d') }} {{ nothing | d }} {{ m.zz | default([]) }}
{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A', 'c'] | sort(case_sensitive=true) }} {{ [3, 1] | sort(reverse=true) }} {{ [{'a': 2}, {'a': 1}] | sort(attribute='a') }} {{ [3, 1] | min }} {{ [3, 1] | max }} {{ [1, 2] | sum }} {{ [{'a': 2}, {'a': 1}] | sum(attribute='a') }} {{ ['a', 'A', 'b'] | unique | list }} {{ [1, 2, 3] | batch(2, 0) | list }}
{{ [1, 2, 3] | select('odd') | list }} {{ [0, 1] | select | list }} {{ [] | select | list }} {{ [1, 2] | reject('equalto', 1) | list }} {{ [{'r': 'u', 'n': {'x': 1}}, {'r': 'a'}] | selectattr('r', 'equalto', 'u') | list }} {{ [{'r': 1}, {}] | selectattr('r') | list }} {{ [{'r': 1}, {}] | rejectattr('r', 'defined') | list }} {{ [1, 5] | select('>', 2) | list }} {{ [1, 5] | select('in', [5]) | list }}
{{ ['a', 'b'] | map('upper') | join }} {{ [{'a': 1}, {}] | map(attribute='a', default='q') | list }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ [[1, 2]] | map('last') | list }} {{ [1] | map('tojson', indent=2) | list }}
{% set g = [1, 2] | select %}{{ g | list }}{{ g | list }}{{ 'yes' if g }}{% set h = [1, 2] | map('string') %}{{ h | first }}{{ h | first }}{{ h | first is defined }}
{% set g = [1, 2] | select %}{{ g | length }}
{% set g = [1, 2] | select %}{{ g[0] is defined }}{{ g[0] }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(1, blank=true) }}|{{ 'a\nb' | indent('> ') }}|{{ 'a' | center(5) }}|{{ 'one two' | wordcount }}
{{ '<b>&"\'' | e }} {{ '<' | escape + '<' }} {{ '<' ~ ('>' | safe) }} {{ '<' | safe }} {{ 'x' | safe | length }}
{{ 3 is odd }} {{ 4 is even }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 'a' is string }} {{ 1 is number }} {{ true is number }} {{ true is integer }} {{ 1.0 is float }} {{ none is none }} {{ m is mapping }} {{ l is sequence }} {{ m is sequence }} {{ l is iterable }} {{ nothing is iterable }} {{ nothing is sequence }} {{ none is iterable }} {{ 1 is iterable }} {{ true is boolean }} {{ true is true }} {{ 1 is true }} {{ 1 is eq 1 }} {{ 1 is in [1] }} {{ 'a' is lower }} {{ none is sameas none }} {{ f is callable }} {{ range is callable }} {{ 1 is ge 1 }} {{ 1 is not lt 1 }}
{{ range(4)[1] }} {{ range(4)[::-1] | list }} {{ true * 'a' }} {{ true | round(1) }} {{ [nothing, nothing] | sort }} {{ range(3) | list }} {{ range(1, 7, 2) | list }} {{ range(3, 0, -1) | list }} {{ dict(a=1, b=2) }} {{ dict({'a': 1}, b=2) }} {{ dict([('a', 1)]) }} {% for i in range(2) %}{{ i }}{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }};{% endfor %}
{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %} {% for x in l if x is string %}{{ loop.index }}{{ x }}{% else %}none{% endfor %} {% for x in [] %}{% else %}none{% endfor %}
{% for k, v in m.items() %}{{ k }}={{ v }};{% endfor %}{% for k in m %}{{ k }}{% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}{% for c in 'é€' %}{{ c }},{% endfor %}
{% for x in [{'v': 1, 'c': [{'v': 2, 'c': []}]}] recursive %}{{ x.v }}{{ loop.depth }}[{{ loop(x.c) }}]{% endfor %}
{% for x in [1, 2, 3, 4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in [1] %}{{ loop(x) }}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}
{% set n = namespace(c=0, l=[]) %}{% for i in [1, 2] %}{% set n.c = n.c + i %}{% endfor %}{{ n.c }}{{ n.missing is defined }}{{ n is mapping }}{{ n['c'] }}
{% set a, b = 1, 2 %}{{ b }}{{ a }}{% set t = 1, 2 %}{{ t }}{% set (c, d) = [3, 4] %}{{ c + d }}
{% set t %}a{{ 1 }}{% set inner = 5 %}{% endset %}{{ t }}{{ inner is defined }}{% set u | upper | trim %} abc {% endset %}[{{ u }}]
{% filter upper %}ab{{ 'c' }}{% endfilter %}{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}{% raw %}{{ not }} {% neither %}{% endraw %}
{% macro f(a, b=2, c=a) %}<{{ a }}{{ b }}{{ c }}>{% endmacro %}{{ f(1) }}{{ f(1, c=3) }}{{ f() }}{{ f(b=1, a=2) }}{{ f is callable }}
{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, x=3) }}{% macro g(x) %}{{ x if x == 0 else x ~ g(x - 1) }}{% endmacro %}{{ g(3) }}
{% macro f(x) %}[{{ caller() }}{{ x }}]{% endmacro %}{% call f(1) %}in{{ 2 }}{% endcall %}{% macro g() %}{{ caller('u') }}{% endmacro %}{% call(who) g() %}<{{ who }}>{% endcall %}
{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}{% call f() %}{% endcall %}{% set v = 'late' %}{% macro h() %}{{ v }}{% endmacro %}{% set v = 'later' %}{{ h() }}
{% for i in [1, 2] %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}{% endfor %}{% generation %}g{% set z = 1 %}{% endgeneration %}{{ z is defined }}
a
  {% if true %}
b
  {%+ if true %} c {%- endif +%}
  {% endif %}
  {{- ' d ' -}}
  e {# comment #}
{#- stripped -#}  f
  {# own line #}
g
{%- raw -%} {{ x }} {%- endraw -%} h
{{ {'a': {'b': [1, {'c': 2}]}}.a.b[1].c }}{{ ('a', 'b')[1] }}{{ [1, 2, 3] | first + 1 }}{{ (l | list)[0] }}{{ not true or true }}{{ 1 if 0 else 2 if 1 else 3 }}{{ 'a' ~ 'b' * 2 }}{{ (1 + 1) ~ 2 }}
{{ 'x' is string and 1 }}{{ not x is defined }}{{ x is not defined and true }}{{ 'a' if 'b' in 'abc' else 'c' }}{{ [1, 2,] }}{{ {'a': 1,} }}{{ -l[0] if l[0] is number else 'n' }}{{ +1 }}
{%- for role in ['user'] -%}
    {{ '<|' + role + '|>' }}
    {%- if loop.last %} end {% endif -%}
{%- endfor %}  tail
{{ tools | selectattr('type', 'equalto', 'function') | map(attribute='function') | map(attribute='name') | join(', ') if tools is defined }}
"""

DATA = {"m": {"a": 1, "b": [2.5, None, True, "é"], "c": {}}, "l": ["x", 2, "z"]}


def snippets():
    """SNIPPETS cut where a line begins that is not the inside of the one before."""
    rows, lines = [], SNIPPETS.strip("\n").split("\n")
    joined = {"a": 11, "{%- for role in ['user'] -%}": 4}
    while lines:
        count = joined.get(lines[0], 2 if lines[0].endswith("\\") else 1)
        rows.append("\n".join(lines[:count]))
        lines = lines[count:]
    return rows


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return FROZEN


def rendered(template, data):
    """What transformers makes of it, None for an error."""
    with unittest.mock.patch.object(chat_template_utils, "datetime", Clock):
        try:
            return chat_template_utils._compile_jinja_template(template).render(**data)
        except RecursionError:
            raise
        except Exception:  # whatever Python code that the template became may raise
            return None


def case(template, data):
    return {"chat_template": template, "data": data, "target": rendered(template, copy.deepcopy(data))}


def written(cases):
    return {"frozen_time": FROZEN.isoformat() + ".000Z", "cases": cases}


WORDS = ["", "Hello", "What is 2 + 2?", " spaces around \n", "line\nbreak\n\n", "<|im_end|>", "</s>", "<think>why</think>answer",
         "<think>\nno end", "{\"a\": 1}", "'quotes' \"both\" \\ back", "é 日本 🙂", "{{ x }} {% if %}", "a</think>\n\nb", "\t", "<tool_response>x</tool_response>"]


def value(chance, depth=0):
    kind = chance.randrange(8 if depth < 2 else 6)
    if kind < 3:
        return chance.choice(WORDS)
    if kind < 6:
        return chance.choice([0, -5, 3.5, 1e20, True, None, 10**15])
    if kind == 6:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {chance.choice("abcde"): value(chance, depth + 1) for _ in range(chance.randrange(3))}


def tool(chance):
    properties = {name: {"type": chance.choice(["string", "integer", "array", "object", "boolean"]),
                         **({"description": chance.choice(WORDS)} if chance.random() < 0.7 else {}),
                         **({"enum": ["x", "y"]} if chance.random() < 0.2 else {})}
                  for name in chance.sample(["city", "unit", "count", "order_id"], chance.randrange(4))}
    function = {"name": chance.choice(["get_weather", "f", "launch_drone"]), "description": chance.choice(WORDS),
                "parameters": {"type": "object", "properties": properties, "required": list(properties)[:1]}}
    return {"type": "function", "function": function}


def call(chance):
    arguments = {name: value(chance) for name in chance.sample(["city", "unit", "n"], chance.randrange(3))}
    return {"id": chance.choice(["call_1", "abcdefghi"]), "type": "function",
            "function": {"name": "get_weather", "arguments": arguments}}


def chat(chance, with_tools):
    messages = []
    if chance.random() < 0.5:
        messages.append({"role": "system", "content": chance.choice(WORDS)})
    for _ in range(chance.randrange(1, 4)):
        messages.append({"role": "user", "content": chance.choice(WORDS)})
        if with_tools and chance.random() < 0.6:
            message = {"role": "assistant", "tool_calls": [call(chance) for _ in range(chance.choice([1, 1, 1, 2]))]}
            if chance.random() < 0.5:
                message["content"] = chance.choice(WORDS)
            messages.append(message)
            for one in message["tool_calls"]:
                messages.append({"role": "tool", "content": chance.choice(WORDS), "name": "get_weather",
                                 "tool_call_id": one["id"]})
        if chance.random() < 0.9:
            message = {"role": "assistant", "content": chance.choice(WORDS)}
            if chance.random() < 0.15:
                message["reasoning_content"] = chance.choice(WORDS)
            messages.append(message)
    if chance.random() < 0.05:
        chance.shuffle(messages)
    return messages


def random_data(chance):
    with_tools = chance.random() < 0.5
    data = {"messages": chat(chance, with_tools), "bos_token": "<s>", "eos_token": "</s>",
            "add_generation_prompt": chance.random() < 0.5, "documents": None,
            "tools": [tool(chance) for _ in range(chance.randrange(1, 3))] if with_tools else None}
    return data


LITERALS = [
    '1', '0', '-3', '2.5', "'a'", "'Hello World'", "''", "'é€ x'", "' pad '", 'none', 'true', 'false',
    '[1, 2, 3]', "['b', 'a', 'C']", '[]', "{'a': 1, 'b': 'x'}", '{}', "(1, 'x')", 'm', 'l', 'nothing', 'm.a',
    'm.b', 'm.zz', 'l[0]', "'a,b,c'", '"it\'s"', "'<b>'", 'range(4)', "'3'", "'12abc'", "[[1, 'a'], [2, 'b']]",
    "[{'k': 1, 'v': 'x'}, {'k': 2}]", '10', "'a\\nb\\n'", 'm.items()', 'dict(a=2)',
]
FILTERS = [
    'trim', 'upper', 'lower', 'title', 'capitalize', 'length', 'first', 'last', 'reverse', 'list', 'join',
    "join(', ')", "join('-', attribute='k')", 'tojson', 'tojson(indent=2)', 'string', 'int', 'float', 'abs',
    'round', 'round(1)', "default('d')", "default('d', true)", 'sort', 'sort(reverse=true)',
    "sort(attribute='k')", 'unique', 'min', 'max', 'sum', 'items', 'dictsort', "map('upper')",
    "map(attribute='k')", "map('string')", "select('string')", "select('odd')", "reject('none')",
    "selectattr('k')", "selectattr('k', 'equalto', 1)", "rejectattr('v', 'defined')", "replace('a', 'zz')",
    'indent', 'indent(2, true)', 'batch(2)', 'e', 'safe', 'center(9)', 'wordcount', 'count', 'd', 'format(1)',
    'select', "tojson(separators=(',', ':'))", 'tojson(sort_keys=true)', "map('length')",
    "select('in', [1, 'a'])",
]
METHODS = [
    'strip()', 'lstrip()', "rstrip('x')", 'upper()', 'lower()', 'title()', 'split()', "split(',')",
    "split(',', 1)", "rsplit(',', 1)", "startswith('a')", "endswith('c')", "replace('a', 'b')", "find('a')",
    "count('a')", "join(['x', 'y'])", 'items()', 'keys()', 'values()', "get('a')", "get('q', 5)", 'splitlines()',
    "partition(',')", 'isdigit()', 'capitalize()', "rfind('l')", "index('l')", 'isupper()', 'zz', 'a', 'b',
    'items', 'keys',
]
TESTS = [
    'defined', 'undefined', 'none', 'string', 'number', 'integer', 'float', 'boolean', 'mapping', 'sequence',
    'iterable', 'true', 'false', 'odd', 'even', 'callable', 'divisibleby(2)', 'eq(1)', "in([1, 'a'])", 'lower',
    'upper', 'sameas(none)', 'gt(1)', "ne('a')",
]
OPERATORS = [
    '+', '-', '*', '/', '//', '%', '~', '==', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'and', 'or',
]
SUBSCRIPTS = ["0", "-1", "5", "'a'", "1:", "::-1", ":2", "-2:", "'items'", "1:3:2"]


def expression(chance, depth):
    kind = chance.random()
    if depth <= 0 or kind < 0.18:
        return chance.choice(LITERALS)
    left, right = expression(chance, depth - 1), expression(chance, depth - 1)
    if kind < 0.42:
        return f"({left}) | {chance.choice(FILTERS)}"
    if kind < 0.58:
        return f"({left}).{chance.choice(METHODS)}"
    if kind < 0.66:
        return f"(({left}) is {chance.choice(['', 'not '])}{chance.choice(TESTS)})"
    if kind < 0.84:
        return f"({left}) {chance.choice(OPERATORS)} ({right})"
    if kind < 0.89:
        return f"({left})[{chance.choice(SUBSCRIPTS)}]"
    if kind < 0.93:
        return f"({left} if {right} else {expression(chance, depth - 1)})"
    return f"not ({left})" if kind < 0.96 else f"[{left}, {right}]"


def statement(chance):
    one, other = (expression(chance, chance.choice([1, 1, 2, 2, 3])) for _ in range(2))
    return chance.choice([
        "{{ %s }}" % one, "{{ %s }}" % one, "{%% if %s %%}T{%% else %%}F{%% endif %%}" % one,
        "{%% for x in %s %%}{{ loop.index }}:{{ x }}{{ loop.last }},{%% else %%}E{%% endfor %%}" % one,
        "{%% set y = %s %%}{{ y }}|{{ y is string }}|{{ y }}" % one,
        "{%% for x in %s if x %%}{{ x }}{%% endfor %%}" % one,
        "{%% macro f(p, q=%s) %%}[{{ p }}{{ q }}]{%% endmacro %%}{{ f(%s) }}" % (one, other)])


def random_expressions(seed, count):
    """Statements of random expressions. Left out: what Python writes with an address or a class of its own, and slices
    of constants that cannot be sliced, which Jinja's optimizer makes undefined and Jinja's programs refuse."""
    chance, cases = random.Random(seed), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while len(cases) < count:
            row = case(statement(chance), DATA)
            if not any(part in (row["target"] or "") for part in (" at 0x", "dict_", "range(", "built-in", "Markup(")):
                cases[f"{len(cases)} {row['chat_template']}"] = row
    return cases


def shared_templates():
    """Those of real models, by name; none where the folder of test data is absent."""
    folder = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data" / "chat-templates"
    if not folder.is_dir():
        return {}
    found = {path.name: path.read_text() for path in sorted(folder.glob("*.jinja"))}
    goldens = json.loads((folder / "goldens.json").read_text())["cases"]
    found.update({name: row["chat_template"] for name, row in goldens.items()})
    return found


def random_cases(seed, count):
    """`count` random chats for each template of a real model."""
    chance = random.Random(seed)
    return {f"{name} {i}": case(template, random_data(chance))
            for name, template in shared_templates().items() for i in range(count)}


def main():
    cases = {f"{number}: {snippet}": case(snippet, DATA) for number, snippet in enumerate(snippets())}
    path = pathlib.Path(__file__).resolve().parents[1] / "golden" / "templates.json"
    path.write_text(json.dumps(written(cases), indent=1, ensure_ascii=False) + "\n")
    print(len(cases), "cases,", sum(row["target"] is None for row in cases.values()), "of them errors")


if __name__ == "__main__":
    main()
