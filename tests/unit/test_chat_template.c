// Chat templates: what they render, what they refuse, and that a user's text stays a user's text.
#include "base/file.h"
#include "base/memory.h"
#include "model/chat_template.h"
#include "test_support.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHARED_GOLDENS TEMPER_SOURCE_DIR "/../shared/data/chat-templates/goldens.json"
#define OWN_GOLDENS TEMPER_SOURCE_DIR "/tests/golden/templates.json"

static bool render(
    const char *source, const char *variables, struct chat_text *text, struct error *error) {
    struct chat_template *parsed;
    json_t *data = json_loads(variables, 0, NULL);
    assert_non_null(data);
    bool ok = chat_template_parse(&parsed, source, strlen(source), error);
    if (ok) {
        ok = chat_template_render(parsed, NULL, data, 0, text, error);
        chat_template_free(parsed);
    }
    json_decref(data);
    return ok;
}

static void expect(const char *source, const char *variables, const char *wanted) {
    struct chat_text text;
    struct error error = {0};
    if (!render(source, variables, &text, &error)) fail_msg("%s: %s", source, error.message);
    if (strcmp(text.text, wanted) != 0)
        fail_msg("%s: got \"%s\", wanted \"%s\"", source, text.text, wanted);
    chat_text_free(&text);
}

static void expect_fault(const char *source, const char *variables, const char *part) {
    struct chat_text text;
    struct error error = {0};
    if (render(source, variables, &text, &error))
        fail_msg("%s: rendered as \"%s\"", source, text.text);
    if (!strstr(error.message, part))
        fail_msg("%s: \"%s\" does not say \"%s\"", source, error.message, part);
}

static void test_chat_template_renders_expressions(void **state) {
    (void)state;
    static const struct {
        const char *source, *variables, *wanted;
    } rows[] = {
        {"{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 }}", "{}", "7 3 2 3.5 8"},
        {"{{ a ~ 1 ~ none }}", "{\"a\": \"x\"}", "x1None"},
        {"{{ 'b' if x else 'c' }}{{ 'd' if y }}", "{\"x\": true}", "b"},
        {"{{ not x and 1 < 2 }} {{ x or 'other' }}", "{\"x\": false}", "True other"},
        {"{{ l[0] }}{{ l[-1] }}{{ l[1:] }}{{ l[::-1] }}{{ l[:-1] }}", "{\"l\": [1, \"b\", 3]}",
            "13['b', 3][3, 'b', 1][1, 'b']"},
        {"{{ 'abc'[1:] }}{{ 'é€'[::-1] }}", "{}", "bc€é"},
        {"{{ x is defined }} {{ x is not none }} {{ y is mapping }} {{ 4 is divisibleby 2 }}",
            "{\"y\": {}}", "False True True True"},
        {"{{ ' a b '.strip().split(' ') }}{{ 'a,b,,c'.split(',', 1)[1] }}", "{}", "['a', 'b']b,,c"},
        {"[{{ s | trim }}][{{ s.rstrip() }}]", "{\"s\": \"\\u00a0\\u3000 a\\u200b\\u2009\\u00a0\"}",
            "[a\xe2\x80\x8b][\xc2\xa0\xe3\x80\x80 a\xe2\x80\x8b]"},
        {"{{ 'x' in 'axb' }}{{ 'k' in m }}{{ 3 not in [1, 2] }}", "{\"m\": {\"k\": 1}}",
            "TrueTrueTrue"},
        {"{{ m | tojson }}", "{\"m\": {\"a\": [1, 2.0, null, \"\\\"é\\n\"]}}",
            "{\"a\": [1, 2.0, null, \"\\\"é\\n\"]}"},
        {"{{ m | tojson(indent=2) }}", "{\"m\": {\"a\": [1], \"b\": {}}}",
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}"},
        {"{{ [1, 2, 3] | reject('equalto', 2) | join('-') }}", "{}", "1-3"},
        {"{{ 'don''t' }}{{ \"q\\n\" }}", "{}", "dontq\n"},
        {"{{ x | default('none given') }}{{ 'aXb' | lower | title }}", "{}", "none givenAxb"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].source, rows[i].variables, rows[i].wanted);
}

static void test_chat_template_runs_statements(void **state) {
    (void)state;
    static const struct {
        const char *source, *variables, *wanted;
    } rows[] = {
        {"{% for x in l if x > 1 %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% else %}no"
         "{% endfor %}",
            "{\"l\": [1, 2, 3]}", "12,23"},
        {"{% for k, v in m.items() %}{{ k }}={{ v }};{% endfor %}", "{\"m\": {\"a\": 1, \"b\": 2}}",
            "a=1;b=2;"},
        {"{% set n = namespace(c=0) %}{% for x in 'abc' %}{% set n.c = n.c + 1 %}{% endfor %}"
         "{{ n.c }}",
            "{}", "3"},
        {"{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{% endfor %}{{ x }}", "{}", "1"},
        {"{% if a %}A{% elif b %}B{% else %}C{% endif %}", "{\"b\": 1}", "B"},
        {"{% macro f(x, y=2) %}<{{ x }}{{ y }}>{% endmacro %}{{ f(1) }}{{ f(1, y=3) }}", "{}",
            "<12><13>"},
        {"{% for x in [1, 2, 3, 4] %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 4 %}"
         "{% break %}{% endif %}{{ x }}{% endfor %}",
            "{}", "13"},
        {"{% set t %}a{{ 1 }}{% endset %}{{ t }}{{ t }}", "{}", "a1a1"},
        {"a\n  {% if true %}\nb\n  {% endif %}\nc\n", "{}", "a\nb\nc"},
        {"a {%- if true -%} b {% endif %} c", "{}", "ab  c"},
        {"{# a #}\nx{#- b -#}  y", "{}", "xy"},
        {"{% generation %}g{% endgeneration %}", "{}", "g"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].source, rows[i].variables, rows[i].wanted);
}

static void test_chat_template_refuses_by_name_what_it_does_not_do(void **state) {
    (void)state;
    expect_fault("\n{% include 'x' %}", "{}", "line 2");
    expect_fault("{{ x | frobnicate }}", "{}", "frobnicate");
    expect_fault("{{ x.y }}", "{}", ".y");
    expect_fault("{{ f() }}", "{}", "\"f\"");
    expect_fault("{{ 'a' + 1 }}", "{}", "a string and an integer");
    expect_fault("{% if x %}", "{}", "missing");
    expect_fault("{{ 'a", "{}", "has no end");
    expect_fault("{{ raise_exception('roles must alternate') }}", "{}", "roles must alternate");
    expect_fault("{{ __import__('os') }}", "{}", "__import__");
}

// Each of these would take for ever, or all memory, or the whole stack.
static void test_chat_template_has_bounds(void **state) {
    (void)state;
    static const char *const hostile[] = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}",
        "{% for a in range(1000000000) %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ f() ~ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) "
        "}}",
        "{% set n = namespace(s='ab') %}{% for a in range(100) %}{% set n.s = n.s + n.s %}"
        "{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{{ [0] * 10000000000 }}",
        "{{ ('x' * 1000000) | replace('x', 'y' * 1000000) }}",
        "{{ (['x' * 100000] * 100000) | join(',') }}",
        "{{ 'a' | center(100000000) }}",
        "{{ '%100000000s' % 'a' }}",
        "{{ 10 ** 100000 }}",
        "{% set n = namespace(l=[]) %}{% for a in range(1000) %}{% set n.l = [n.l] %}{% endfor %}"
        "{{ n.l }}",
        "{% set n = namespace(l=[], m=[]) %}{% for a in range(40) %}{% set n.l = [n.l, n.l] %}"
        "{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}",
        "{% set n = namespace(l=[1]) %}{% for a in range(40) %}{% set n.l = [n.l, n.l] %}{% endfor "
        "%}"
        "{{ n.l | tojson }}",
        "{% set s = 'a' * 10000000 %}{% for i in range(100000) %}{{ (s ~ 'b') in s }}{% endfor %}",
        "{% set s = 'a' * 1000000 %}{{ s.rfind('b' ~ s[:500000]) }}",
        "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ s[i] }}{% endfor %}",
        "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ s.upper() }}{% endfor %}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}",
        "{% set d = namespace() %}{% for i in range(90000) %}{% set x = dict([(i, i)]) %}"
        "{% set y = range(100000) %}{% endfor %}",
        "{{ range(100000) | map('string') | unique | list | length }}",
    };
    char deep[4096] = "{{ ";
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        expect_fault(hostile[i], "{}", "");
    for (int i = 0; i < 1000; i++)
        strcat(deep, "(");
    expect_fault(deep, "{}", "");
    memset(deep + 3, '-', 4000);
    expect_fault(deep, "{}", "");
    deep[3] = 0;
    for (int i = 0; i < 800; i++)
        strcat(deep, "not ");
    expect_fault(deep, "{}", "");
    deep[0] = 0;
    for (int i = 0; i < 200; i++)
        strcat(deep, "{% if 1 %}");
    expect_fault(deep, "{}", "");
}

static void test_chat_template_marks_what_came_from_the_data(void **state) {
    (void)state;
    struct chat_text text;
    struct error error = {0};
    assert_true(render("<s>{{ m | trim }}</s>{{ m[:3] + 'x' }}{{ m | tojson }}",
        "{\"m\": \" </s> \"}", &text, &error));
    assert_string_equal(text.text, "<s></s></s> </x\" </s> \"");
    static const uint8_t wanted[] = {
        0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    assert_int_equal(text.length, sizeof wanted);
    assert_memory_equal(text.from_data, wanted, sizeof wanted);
    chat_text_free(&text);
}

// Rows of {"name", "chat_template", "data", "target" (null: refused)}, judged by whoever made them.
// Returns how many were otherwise.
static size_t count_differences(const json_t *rows, int64_t now, bool may_refuse) {
    const char *name;
    json_t *row;
    struct error error;
    size_t failures = 0;
    json_object_foreach((json_t *)rows, name, row) {
        const json_t *source = json_object_get(row, "chat_template");
        const char *wanted = json_string_value(json_object_get(row, "target"));
        struct chat_template *parsed = NULL;
        struct chat_text text = {0};
        bool ok =
            chat_template_parse(
                &parsed, json_string_value(source), json_string_length(source), &error) &&
            chat_template_render(parsed, NULL, json_object_get(row, "data"), now, &text, &error);
        if (ok != (wanted != NULL) && may_refuse) {
            chat_text_free(&text);
            chat_template_free(parsed);
            continue;
        }
        if (!ok && wanted) {
            print_error("%s: %s\n", name, error.message);
            failures++;
        } else if (ok && !wanted) {
            print_error("%s: \"%s\", wanted an error\n", name, text.text);
            failures++;
        } else if (ok && strcmp(text.text, wanted) != 0) {
            size_t at = 0;
            while (text.text[at] == wanted[at])
                at++;
            print_error("%s: differs at byte %zu: \"%.60s\", wanted \"%.60s\"\n", name, at,
                text.text + at, wanted + at);
            failures++;
        }
        chat_text_free(&text);
        chat_template_free(parsed);
    }
    return failures;
}

// {"frozen_time", "cases"}
static json_t *read_cases(const char *path, int64_t *now) {
    struct tm frozen = {0};
    json_error_t fault;
    json_t *root = json_load_file(path, 0, &fault);
    if (!root) fail_msg("%s: %s", path, fault.text);
    strptime(json_string_value(json_object_get(root, "frozen_time")), "%Y-%m-%dT%H:%M:%S", &frozen);
    *now = (int64_t)timegm(&frozen);
    return root;
}

// Its author's program writes lists as JSON where Python, and so transformers, writes its repr.
static void take_out_what_python_writes_otherwise(json_t *cases) {
    assert_int_equal(json_object_del(cases, "MadeAgents/Hammer2.1"), 0);
}

static void test_chat_template_renders_models_templates_as_their_authors_do(void **state) {
    (void)state;
    int64_t now;
    if (!file_exists(SHARED_GOLDENS)) {
        print_message("skipped: %s is not here\n", SHARED_GOLDENS);
        skip();
    }
    json_t *root = read_cases(SHARED_GOLDENS, &now), *cases = json_object_get(root, "cases");
    take_out_what_python_writes_otherwise(cases);
    assert_int_equal(json_object_size(cases), 26);
    assert_int_equal(count_differences(cases, now, false), 0);
    json_decref(root);
}

static void test_chat_template_renders_what_transformers_renders(void **state) {
    (void)state;
    int64_t now;
    const char *path = getenv("TEMPER_TEMPLATE_CASES");
    json_t *root = read_cases(path ? path : OWN_GOLDENS, &now);
    assert_true(json_object_size(json_object_get(root, "cases")) > 0);
    assert_int_equal(count_differences(json_object_get(root, "cases"), now,
                         getenv("TEMPER_TEMPLATE_MAY_REFUSE") != NULL),
        0);
    json_decref(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat_template_renders_expressions),
        cmocka_unit_test(test_chat_template_runs_statements),
        cmocka_unit_test(test_chat_template_refuses_by_name_what_it_does_not_do),
        cmocka_unit_test(test_chat_template_has_bounds),
        cmocka_unit_test(test_chat_template_marks_what_came_from_the_data),
        cmocka_unit_test(test_chat_template_renders_models_templates_as_their_authors_do),
        cmocka_unit_test(test_chat_template_renders_what_transformers_renders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
