// Tokenizers from outside: what tokenizer.json asks for and this program does not do is refused by
// name, a hostile file does no harm, and real tokenizers give the ids that their makers' programs
// give.
#include "base/buffer.h"
#include "base/memory.h"
#include "model/tokenizer.h"
#include "test_model.h"
#include <jansson.h>
#include <stdlib.h>

#define SHARED TEMPER_SOURCE_DIR "/../shared/data/tokenizers/"

// A small tokenizer with sentencepiece's alphabet: no byte needs a token of its own.
static const char small_json[] =
    "{\"added_tokens\": [{\"id\": 0, \"content\": \"<unk>\", \"special\": true},"
    " {\"id\": 1, \"content\": \"<s>\", \"special\": true, \"lstrip\": false}],"
    " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": ["
    "{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\xe2\x96\x81\"}]},"
    " \"pre_tokenizer\": null, \"post_processor\": null,"
    " \"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"byte_fallback\": true,"
    " \"vocab\": {\"<unk>\": 0, \"<s>\": 1, \"<0x21>\": 2, \"a\": 3, \"b\": 4, \"ab\": 5,"
    " \"\xe2\x96\x81\": 6, \"\xe2\x96\x81"
    "ab\": 7}, \"merges\": [\"a b\", [\"\xe2\x96\x81\", \"ab\"]]}}";

static bool open_bytes(
    struct tokenizer **tokenizer, const char *bytes, size_t length, struct error *error) {
    char *directory = test_directory(), path[FILE_PATH_SIZE];
    assert_true(file_path(path, sizeof path, error, directory, "tokenizer.json"));
    assert_true(file_write_atomic(path, bytes, length, error));
    *error = (struct error){0};
    bool opened = tokenizer_open(tokenizer, directory, error);
    test_directory_remove(directory);
    return opened;
}

static void expect_ids(const struct tokenizer *tokenizer, const char *text, bool special,
    const int32_t *wanted, size_t count) {
    struct token_ids ids = {0};
    struct error error;
    assert_true(tokenizer_encode(tokenizer, text, strlen(text), special, &ids, &error));
    if (ids.count != count || (count && memcmp(ids.ids, wanted, count * sizeof *wanted)))
        fail_msg("other ids for \"%s\"", text);
    token_ids_free(&ids);
}

static void test_tokenizer_merges_and_falls_back_to_bytes(void **state) {
    (void)state;
    struct tokenizer *tokenizer;
    struct error error;
    assert_true(open_bytes(&tokenizer, small_json, strlen(small_json), &error));
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), 8);
    expect_ids(tokenizer, "ab ab!", true, (int32_t[]){5, 7, 2}, 3);
    expect_ids(tokenizer, "ba", true, (int32_t[]){4, 3}, 2);
    expect_ids(tokenizer, "<s>a", true, (int32_t[]){1, 3}, 2);
    expect_ids(tokenizer, "", true, NULL, 0);
    size_t length;
    assert_memory_equal(tokenizer_token_bytes(tokenizer, 7, &length), " ab", 3);
    assert_int_equal(length, 3);
    static const int32_t strangers[] = {-1, 8, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        assert_null(tokenizer_token_text(tokenizer, strangers[i]));
        tokenizer_token_bytes(tokenizer, strangers[i], &length);
        assert_int_equal(length, 0);
        assert_false(tokenizer_is_special(tokenizer, strangers[i]));
    }
    assert_int_equal(tokenizer_token_id(tokenizer, "<s>"), 1);
    assert_int_equal(tokenizer_token_id(tokenizer, "none"), -1);
    tokenizer_close(tokenizer);
}

// Without `special`, what looks like a special token is text: its id never comes out.
static void test_tokenizer_makes_no_control_of_text(void **state) {
    (void)state;
    struct tokenizer *tokenizer;
    struct token_ids ids = {0};
    struct error error;
    assert_true(open_bytes(&tokenizer, small_json, strlen(small_json), &error));
    assert_true(tokenizer_encode(tokenizer, "a<s>b", 5, false, &ids, &error));
    for (size_t i = 0; i < ids.count; i++)
        assert_int_not_equal(ids.ids[i], 1);
    token_ids_free(&ids);
    tokenizer_close(tokenizer);
}

struct replacement {
    const char *from, *to, *part;
};

static void expect_refused(const struct replacement *row) {
    struct tokenizer *tokenizer;
    struct error error;
    char text[2048];
    const char *at = strstr(small_json, row->from);
    assert_non_null(at);
    int length = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - small_json), small_json,
        row->to, at + strlen(row->from));
    if (open_bytes(&tokenizer, text, (size_t)length, &error)) fail_msg("taken: %s", text);
    if (!strstr(error.message, row->part) || !strstr(error.message, "tokenizer.json"))
        fail_msg("\"%s\" does not say \"%s\"", error.message, row->part);
}

static void test_tokenizer_refuses_by_name_what_it_does_not_do(void **state) {
    (void)state;
    static const struct replacement rows[] = {
        {"\"BPE\"", "\"Unigram\"", "Unigram"},
        {"\"BPE\"", "7", "without a type"},
        {"\"byte_fallback\": true", "\"dropout\": 0.1", "dropout"},
        {"\"byte_fallback\": true", "\"end_of_word_suffix\": \"</w>\"", "end_of_word_suffix"},
        {"\"type\": \"Replace\"", "\"type\": \"NFKC\"", "NFKC"},
        {"{\"String\": \" \"}", "{\"Regex\": \"x\"}", "Replace"},
        {"\"pre_tokenizer\": null", "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}",
            "BertPreTokenizer"},
        {"\"pre_tokenizer\": null",
            "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a(\"}, "
            "\"behavior\": \"Isolated\"}",
            "pattern"},
        {"\"pre_tokenizer\": null",
            "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, "
            "\"behavior\": \"Deleted\"}",
            "Deleted"},
        {"\"pre_tokenizer\": null",
            "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\"}", "replacement"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refused(&rows[i]);
}

static void test_tokenizer_refuses_files_that_lie(void **state) {
    (void)state;
    static const struct replacement rows[] = {
        {"\"a\": 3", "\"a\": -3", "-3"},
        {"\"a\": 3", "\"a\": 4194304", "4194304"},
        {"\"a\": 3", "\"a\": 9223372036854775807", "9223372036854775807"},
        {"\"a\": 3", "\"a\": \"3\"", "'a'"},
        {"\"a\": 3", "\"a\": 4", "same id"},
        {"\"a\": 3", "\"\": 3", "id 3"},
        {"\"id\": 1", "\"id\": 2", "has the id 2"},
        {"\"id\": 1", "\"id\": null", "not a number"},
        {"\"a b\"", "\"a x\"", "merge 0"},
        {"\"a b\"", "\"ab\"", "merge 0"},
        {"\"a b\"", "3", "merge 0"},
        {"\"a b\"", "[\"a\"]", "merge 0"},
        {"\"merges\"", "\"nothing\"", "merges"},
        {"\"vocab\"", "\"words\"", "vocab"},
        {"\"model\"", "\"models\"", "model"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_refused(&rows[i]);
}

static void test_tokenizer_refuses_files_that_are_cut(void **state) {
    (void)state;
    struct tokenizer *tokenizer;
    struct error error;
    for (size_t cut = 0; cut < strlen(small_json); cut += 7)
        assert_false(open_bytes(&tokenizer, small_json, cut, &error));
    assert_false(open_bytes(&tokenizer, "[]", 2, &error));
    assert_false(tokenizer_open(&tokenizer, "/nowhere", &error));
}

// ---- real tokenizers, from GPT-2-style files ----

// vocab.bpe holds a merge a line, behind a comment in some.
static json_t *read_merges(const char *path) {
    char *text, *rest, *line;
    size_t length;
    struct error error;
    json_t *merges = json_array();
    assert_true(file_read(path, 16 << 20, &text, &length, &error));
    char *copy = memory_resize(text, length + 1, 1);
    assert_non_null(copy);
    copy[length] = 0;
    for (line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, "#version", 8)) json_array_append_new(merges, json_string(line));
    memory_free(copy);
    return merges;
}

static json_t *split_regex(const char *pattern) {
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Split", "pattern", "Regex", pattern,
        "behavior", "Isolated");
}

// tokenizer.json as Hugging Face writes it for this family. `pattern` NULL: GPT-2's own.
static struct tokenizer *open_family(const char *family, const char *pattern) {
    char path[FILE_PATH_SIZE];
    struct tokenizer *tokenizer;
    struct error error;
    snprintf(path, sizeof path, SHARED "%s/encoder.json", family);
    json_t *vocabulary = json_load_file(path, 0, NULL), *steps = json_array();
    assert_non_null(vocabulary);
    if (pattern) json_array_append_new(steps, split_regex(pattern));
    json_array_append_new(steps, json_pack("{s:s, s:b, s:b}", "type", "ByteLevel",
                                     "add_prefix_space", 0, "use_regex", pattern == NULL));
    snprintf(path, sizeof path, SHARED "%s/vocab.bpe", family);
    json_t *root = json_pack("{s:[], s:n, s:{s:s, s:o}, s:{s:s, s:b, s:o, s:o}}", "added_tokens",
        "normalizer", "pre_tokenizer", "type", "Sequence", "pretokenizers", steps, "model", "type",
        "BPE", "ignore_merges", pattern != NULL, "vocab", vocabulary, "merges", read_merges(path));
    char *text = json_dumps(root, JSON_COMPACT);
    assert_non_null(text);
    if (!open_bytes(&tokenizer, text, strlen(text), &error)) fail_msg("%s", error.message);
    free(text);
    json_decref(root);
    return tokenizer;
}

static char *read_text(const char *vectors, const char *kind) {
    char path[FILE_PATH_SIZE], *text;
    size_t length;
    struct error error;
    snprintf(path, sizeof path, SHARED "vectors/ggml-vocab-%s.gguf.%s", vectors, kind);
    assert_true(file_read(path, 1 << 20, &text, &length, &error));
    char *copy = memory_resize(text, length + 1, 1);
    assert_non_null(copy);
    copy[length] = 0;
    return copy;
}

static bool same_ids(const struct token_ids *ids, const char *line, const char *end) {
    size_t count = 0;
    while (line < end) {
        char *next;
        long id = strtol(line, &next, 10);
        if (next == line || next > end) break;
        if (count >= ids->count || ids->ids[count++] != id) return false;
        line = next;
    }
    return count == ids->count;
}

// Cases are separated by a line; line i of the other file holds the ids of case i.
static void expect_vectors(const struct tokenizer *tokenizer, const char *vectors) {
    static const char separator[] = "\n__ggml_vocab_test__\n";
    char *texts = read_text(vectors, "inp"), *lines = read_text(vectors, "out");
    int count = 0;
    const char *line = lines;
    for (char *text = texts, *next; text; text = next) {
        struct token_ids ids = {0};
        struct error error;
        char *end = strstr(text, separator);
        next = end ? end + strlen(separator) : NULL;
        const char *line_end = line + strcspn(line, "\n");
        if (!next && !*text) break;
        size_t length = end ? (size_t)(end - text) : strlen(text);
        assert_true(tokenizer_encode(tokenizer, text, length, false, &ids, &error));
        if (!same_ids(&ids, line, line_end))
            fail_msg("%s: other ids for case %d, \"%.*s\"", vectors, count, (int)length, text);
        token_ids_free(&ids);
        line = *line_end ? line_end + 1 : line_end;
        count++;
    }
    assert_true(count >= 46);
    memory_free(texts);
    memory_free(lines);
}

static bool families_are_absent(void) {
    if (file_exists(SHARED "gpt2/encoder.json")) return false;
    print_message("skipped: %s is not here\n", SHARED);
    return true;
}

static void test_tokenizer_gives_the_ids_of_gpt2(void **state) {
    (void)state;
    if (families_are_absent()) skip();
    struct tokenizer *tokenizer = open_family("gpt2", NULL);
    expect_vectors(tokenizer, "gpt-2");
    tokenizer_close(tokenizer);
}

static void test_tokenizer_gives_the_ids_of_llama3(void **state) {
    (void)state;
    static const char pattern[] =
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
        "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    if (families_are_absent()) skip();
    struct tokenizer *tokenizer = open_family("llama3", pattern);
    expect_vectors(tokenizer, "llama-bpe");
    tokenizer_close(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer_merges_and_falls_back_to_bytes),
        cmocka_unit_test(test_tokenizer_makes_no_control_of_text),
        cmocka_unit_test(test_tokenizer_refuses_by_name_what_it_does_not_do),
        cmocka_unit_test(test_tokenizer_refuses_files_that_lie),
        cmocka_unit_test(test_tokenizer_refuses_files_that_are_cut),
        cmocka_unit_test(test_tokenizer_gives_the_ids_of_gpt2),
        cmocka_unit_test(test_tokenizer_gives_the_ids_of_llama3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
