// What the families of tokenizers do around their vocabularies: words by hand as by PCRE2, added
// tokens, canonical forms, bytes that are no text, and inputs made to take long.
#include "base/memory.h"
#include "model/tokenizer.h"
#include "model/tokenizer_internal.h"
#include "model/unicode.h"
#include "test_support.h"

#define MARK "\xe2\x96\x81"

static struct tokenizer *open_json(json_t *root) {
    struct tokenizer *tokenizer;
    struct error error;
    assert_non_null(root);
    if (!tokenizer_from_json(&tokenizer, root, &error)) fail_msg("%s", error.message);
    json_decref(root);
    return tokenizer;
}

// GPT-2's alphabet, and a few merges; pre_tokenizer and normalizer as JSON.
static json_t *byte_level(const char *normalizer, const char *pre_tokenizer, const char *added) {
    json_t *vocabulary = json_object();
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; byte++) {
        bool printable = (byte > ' ' && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
        uint32_t c = printable ? byte : next++;
        char text[3] = {(char)c, 0, 0};
        if (c >= 0x80) {
            text[0] = (char)(0xc0 | c >> 6);
            text[1] = (char)(0x80 | (c & 0x3f));
        }
        json_object_set_new(vocabulary, text, json_integer(byte));
    }
    static const char *const joined[] = {"aa", "aaaa", "ab", "\xc4\xa0\xc4\xa0"};
    for (size_t i = 0; i < 4; i++)
        json_object_set_new(vocabulary, joined[i], json_integer((json_int_t)(256 + i)));
    return json_pack("{s:o, s:o, s:o, s:{s:s, s:o, s:[s, s, s, s]}}", "added_tokens",
        json_loads(added, 0, NULL), "normalizer", json_loads(normalizer, JSON_DECODE_ANY, NULL),
        "pre_tokenizer", json_loads(pre_tokenizer, 0, NULL), "model", "type", "BPE", "vocab",
        vocabulary, "merges", "a a", "aa aa", "a b", "\xc4\xa0 \xc4\xa0");
}

#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"

static json_t *sentencepiece(const char *normalizer, const char *pre_tokenizer) {
    json_t *vocabulary = json_object();
    static const char *const texts[] = {
        "<unk>", "<s>", "a", "b", MARK, MARK "a", "aa", "aaaa", "ab"};
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", byte);
        json_object_set_new(vocabulary, text, json_integer(byte));
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        json_object_set_new(vocabulary, texts[i], json_integer((json_int_t)(256 + i)));
    return json_pack(
        "{s:[{s:i, s:s, s:b}], s:o, s:o, s:o, s:{s:s, s:s, s:b, s:b, s:o, s:[s, s, s, s]}}",
        "added_tokens", "id", 257, "content", "<s>", "special", 1, "normalizer",
        json_loads(normalizer, JSON_DECODE_ANY, NULL), "pre_tokenizer",
        json_loads(pre_tokenizer, JSON_DECODE_ANY, NULL), "decoder",
        json_loads("{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{"
                   "\"String\":\"" MARK
                   "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
                   "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}",
            0, NULL),
        "model", "type", "BPE", "unk_token", "<unk>", "byte_fallback", 1, "fuse_unk", 1, "vocab",
        vocabulary, "merges", "a a", "aa aa", "a b", MARK " a");
}

#define PREPEND "{\"type\":\"Prepend\",\"prepend\":\"" MARK "\"}"
#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" MARK "\"}"
#define LLAMA2 "{\"type\":\"Sequence\",\"normalizers\":[" PREPEND "," REPLACE "]}"
#define METASPACE(scheme)                                                                          \
    "{\"type\":\"Metaspace\",\"replacement\":\"" MARK "\",\"prepend_scheme\":\"" scheme            \
    "\",\"split\":false}"

// Ids as text, those of bytes in front of 256 as "<XX>" and others as the vocabulary has them.
static void expect_tokens(
    const struct tokenizer *tokenizer, const char *text, bool special, const char *wanted) {
    struct token_ids ids = {0};
    struct error error;
    char got[1024] = "";
    assert_true(tokenizer_encode(tokenizer, text, strlen(text), special, &ids, &error));
    for (size_t i = 0; i < ids.count; i++) {
        const char *spelled = tokenizer_token_text(tokenizer, ids.ids[i]);
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? "|" : "", spelled);
    }
    assert_string_equal(got, wanted);
    token_ids_free(&ids);
}

// ---- sentencepiece's space ----

static void test_tokenizer_puts_a_space_before_a_text_as_its_form_says(void **state) {
    (void)state;
    struct tokenizer *old = open_json(sentencepiece(LLAMA2, "null"));
    expect_tokens(old, "a b", true, MARK "a|" MARK "|b");
    expect_tokens(old, " a", true, MARK "|" MARK "a");
    expect_tokens(old, "a<s>a", true, MARK "a|<s>|" MARK "a");
    expect_tokens(old, "a<s>", false, MARK "a|<0x3C>|<0x73>|<0x3E>");
    tokenizer_close(old);
    struct tokenizer *first = open_json(sentencepiece("null", METASPACE("first")));
    expect_tokens(first, "a<s>a", true, MARK "a|<s>|a");
    expect_tokens(first, " a", true, MARK "a");
    expect_tokens(first, MARK "a", true, MARK "a");
    tokenizer_close(first);
    struct tokenizer *always = open_json(sentencepiece("null", METASPACE("always")));
    expect_tokens(always, "a<s>a", true, MARK "a|<s>|" MARK "a");
    expect_tokens(always, "", true, "");
    tokenizer_close(always);
}

static void test_tokenizer_takes_the_first_space_away_again(void **state) {
    (void)state;
    struct tokenizer *tokenizer = open_json(sentencepiece(LLAMA2, "null"));
    size_t length;
    int32_t id = tokenizer_token_id(tokenizer, MARK "a");
    assert_memory_equal(tokenizer_token_bytes(tokenizer, id, &length), " a", 2);
    assert_int_equal(length, 2);
    assert_memory_equal(tokenizer_first_bytes(tokenizer, id, &length), "a", 1);
    assert_int_equal(length, 1);
    assert_memory_equal(tokenizer_first_bytes(tokenizer, 0x0a, &length), "\n", 1);
    assert_int_equal(length, 1);
    tokenizer_close(tokenizer);
}

// ---- added tokens ----

#define ADDED(id, text, flags)                                                                     \
    "{\"id\":" id ",\"content\":\"" text "\",\"normalized\":false" flags "}"

static void test_tokenizer_treats_added_tokens_by_their_flags(void **state) {
    (void)state;
    struct tokenizer *tokenizer = open_json(byte_level("null", BYTE_LEVEL,
        "[" ADDED("300", "<l>", ",\"lstrip\":true") "," ADDED("301", "<r>",
            ",\"rstrip\":true") "," ADDED("302", "word", ",\"single_word\":true") "," ADDED("303",
            "<l", "") "," ADDED("304", "<S>", ",\"special\":true") "]"));
    expect_tokens(tokenizer, "a  <l>  a", true, "a|<l>|\xc4\xa0\xc4\xa0|a");
    expect_tokens(tokenizer, "a  <r>  a", true, "a|\xc4\xa0\xc4\xa0|<r>|a");
    expect_tokens(tokenizer, "<r>  <l>", true, "<r>|<l>");
    expect_tokens(tokenizer, "<lx", true, "<l|x");
    expect_tokens(tokenizer, "word word. words", true, "word|\xc4\xa0|word|.|\xc4\xa0|w|o|r|d|s");
    expect_tokens(tokenizer, "<S>", true, "<S>");
    expect_tokens(tokenizer, "<S>", false, "<|S|>");
    struct token_ids ids = {0};
    struct error error;
    static const uint8_t marked[] = {0, 0, 0, 0, 1, 0};
    assert_true(tokenizer_encode_marked(tokenizer, "<S><S>", marked, 6, &ids, &error));
    assert_int_equal(ids.count, 4);
    assert_int_equal(ids.ids[0], 304);
    token_ids_free(&ids);
    tokenizer_close(tokenizer);
}

static void expect_refused(json_t *root, const char *part) {
    struct tokenizer *tokenizer;
    struct error error;
    assert_non_null(root);
    assert_false(tokenizer_from_json(&tokenizer, root, &error));
    if (!strstr(error.message, part)) fail_msg("\"%s\" does not say \"%s\"", error.message, part);
    json_decref(root);
}

static void test_tokenizer_refuses_what_it_would_do_otherwise(void **state) {
    (void)state;
    expect_refused(byte_level("null", BYTE_LEVEL, "[" ADDED("258", "ab", ",\"special\":true") "]"),
        "special token 'ab' of ordinary text");
    expect_refused(byte_level("{\"type\":\"NFKC\"}", BYTE_LEVEL, "[]"), "normalizer 'NFKC'");
    expect_refused(byte_level("null",
                       "{\"type\":\"Sequence\",\"pretokenizers\":[" BYTE_LEVEL
                       ",{\"type\":\"Digits\",\"individual_digits\":true}]}",
                       "[]"),
        "behind ByteLevel");
    static const char *const patterns[] = {"^", "$", "\\\\w", "\\\\b", "\\\\h", "a{2}+",
        "[[:alpha:]]", "[a&&b]", "(a)\\\\1", "\\\\C", "(?R)"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        char pre[256];
        snprintf(pre, sizeof pre,
            "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"%s\"},\"behavior\":\"Isolated\"}",
            patterns[i]);
        expect_refused(byte_level("null", pre, "[]"), "pattern");
    }
}

// ---- pieces ----

struct pieces {
    char text[8192];
    size_t length;
};

static bool collect(void *context, const char *piece, size_t length, bool first) {
    struct pieces *pieces = context;
    (void)first;
    assert_true(pieces->length + length + 1 < sizeof pieces->text);
    memcpy(pieces->text + pieces->length, piece, length);
    pieces->length += length;
    pieces->text[pieces->length++] = '\x01';
    return true;
}

static void split_by(const char *pattern, const char *text, size_t length, struct pieces *pieces) {
    struct pre_tokenizer pre = {0};
    struct error error;
    pieces->length = 0;
    if (!split_pattern_set(&pre, pattern, &error)) fail_msg("%s", error.message);
    if (!split_text(&pre, text, length, true, collect, pieces, &error))
        fail_msg("%s", error.message);
    pcre2_code_free(pre.pattern);
}

static const char *const atoms[] = {"a", "Z", "'", "s", "S", "ll", "RE", "1", "23", " ", "  ", "\n",
    "\r\n", "\t", ".", "!?", "/", "\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x99\x82", "\xcc\x81",
    "\xc2\xa0", "\xe3\x80\x80", "\xc2\xbd", "\xd9\xa3", "\xe1\xa0\x8e", "\xe2\x80\xa8", "\xc5\xbf"};

static void test_tokenizer_finds_words_by_hand_as_their_patterns_do(void **state) {
    (void)state;
    static const char words[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|%s| "
                                "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    char patterns[3][512], same[600];
    static struct pieces by_hand, by_pattern;
    snprintf(patterns[0], sizeof patterns[0], "%s", split_gpt2_pattern);
    snprintf(patterns[1], sizeof patterns[1], words, "\\p{N}{1,3}");
    snprintf(patterns[2], sizeof patterns[2], words, "\\p{N}");
    uint32_t chance = 1;
    for (int round = 0; round < 3000; round++) {
        char text[1024] = "";
        for (int i = 0; i < 1 + round % 40; i++) {
            chance = chance * 1664525u + 1013904223u;
            strcat(text, atoms[(chance >> 16) % (sizeof atoms / sizeof *atoms)]);
        }
        snprintf(same, sizeof same, "(?:%s)", patterns[round % 3]);
        split_by(patterns[round % 3], text, strlen(text), &by_hand);
        split_by(same, text, strlen(text), &by_pattern);
        if (by_hand.length != by_pattern.length ||
            memcmp(by_hand.text, by_pattern.text, by_hand.length))
            fail_msg("other words in \"%s\"", text);
    }
}

static void test_tokenizer_cuts_as_the_behaviour_says(void **state) {
    (void)state;
    static const char *const wanted[] = {"x|-|-|y|-", "x|y", "x|--|y|-", "x-|-|y-", "x|-|-y|-"};
    for (size_t i = 0; i < 5; i++) {
        struct pre_tokenizer pre = {.finder = FIND_LITERAL, .behaviour = (enum behaviour)i};
        static struct pieces pieces;
        struct error error;
        pieces.length = 0;
        pre.literal = memory_copy_string("-");
        assert_true(split_text(&pre, "x--y-", 5, true, collect, &pieces, &error));
        pieces.text[pieces.length - 1] = 0;
        for (char *at = pieces.text; (at = strchr(at, '\x01'));)
            *at = '|';
        assert_string_equal(pieces.text, wanted[i]);
        memory_free(pre.literal);
    }
}

// ---- canonical forms ----

static void expect_form(const char *text, bool compose, const char *wanted) {
    struct buffer to;
    struct error error;
    buffer_init(&to, 1 << 20);
    assert_true(unicode_normalise(&to, text, strlen(text), compose, &error));
    assert_string_equal(buffer_text(&to), wanted);
    buffer_free(&to);
}

static void test_tokenizer_knows_canonical_forms(void **state) {
    (void)state;
    expect_form("e\xcc\x81", true, "\xc3\xa9");
    expect_form("\xc3\xa9", false, "e\xcc\x81");
    expect_form("a\xcc\x81\xcc\xa3", true, "\xe1\xba\xa1\xcc\x81"); // the dot below comes first
    expect_form("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", true, "\xea\xb0\x81"); // Hangul
    expect_form("\xea\xb0\x81", false, "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8");
    expect_form("\xe2\x84\xab", true, "\xc3\x85"); // the sign of the angstrom
    expect_form("e\xff\xcc\x81", true, "e\xff\xcc\x81");
}

// ---- bytes that are no text ----

static void expect_same_bytes(const struct tokenizer *tokenizer, const char *bytes, size_t length) {
    struct token_ids ids = {0};
    struct error error;
    char back[1024];
    size_t at = 0;
    assert_true(tokenizer_encode(tokenizer, bytes, length, false, &ids, &error));
    for (size_t i = 0; i < ids.count; i++) {
        size_t size;
        const char *part = i ? tokenizer_token_bytes(tokenizer, ids.ids[i], &size)
                             : tokenizer_first_bytes(tokenizer, ids.ids[i], &size);
        assert_true(at + size <= sizeof back);
        memcpy(back + at, part, size);
        at += size;
    }
    assert_int_equal(at, length);
    assert_memory_equal(back, bytes, length);
    token_ids_free(&ids);
}

static void test_tokenizer_keeps_broken_text_byte_for_byte(void **state) {
    (void)state;
    struct tokenizer *tokenizers[] = {
        open_json(byte_level("null", "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", "[]")),
        open_json(byte_level("null",
            "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
            "\"\\\\p{L}+|\\\\s\"},\"behavior\":\"MergedWithNext\"}," BYTE_LEVEL "]}",
            "[]")),
        open_json(sentencepiece(LLAMA2, "null")),
    };
    uint32_t chance = 7;
    for (int round = 0; round < 6000; round++) {
        char bytes[300];
        size_t length = (size_t)(round % 300);
        for (size_t i = 0; i < length; i++) {
            chance = chance * 1664525u + 1013904223u;
            bytes[i] = (char)(chance >> (chance & 0x8000000 ? 24 : 18));
        }
        expect_same_bytes(tokenizers[round % 3], bytes, length);
    }
    for (size_t i = 0; i < 3; i++)
        tokenizer_close(tokenizers[i]);
}

// ---- inputs made to take long ----

enum { MEGABYTE = 1 << 20 };

static size_t count_ids(const struct tokenizer *tokenizer, const char *unit) {
    char *text = memory_alloc(MEGABYTE);
    struct token_ids ids = {0};
    struct error error;
    assert_non_null(text);
    size_t size = strlen(unit), length = MEGABYTE / size * size;
    for (size_t i = 0; i < length; i++)
        text[i] = unit[i % size];
    if (!tokenizer_encode(tokenizer, text, length, false, &ids, &error))
        fail_msg("%s", error.message);
    size_t count = ids.count;
    token_ids_free(&ids);
    memory_free(text);
    return count;
}

// Quadratic time would be hours.
static void test_tokenizer_reads_a_megabyte_of_one_letter(void **state) {
    (void)state;
    struct tokenizer *bytes = open_json(byte_level("{\"type\":\"NFC\"}",
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"}," BYTE_LEVEL "]}",
        "[" ADDED("300", "<<<<<<<<b", "") "]"));
    assert_int_equal(count_ids(bytes, "a"), MEGABYTE / 4);
    assert_int_equal(count_ids(bytes, "ab"), MEGABYTE / 2);
    assert_int_equal(count_ids(bytes, " "), MEGABYTE / 2);
    assert_int_equal(count_ids(bytes, "<"), MEGABYTE);
    assert_int_equal(count_ids(bytes, "\xf0\x9f\x99\x82"), MEGABYTE);
    assert_int_equal(count_ids(bytes, "\xcc\x81\xcc\xa3"), MEGABYTE);
    tokenizer_close(bytes);
    struct tokenizer *pieces = open_json(sentencepiece(LLAMA2, "null"));
    assert_int_equal(count_ids(pieces, "a"), MEGABYTE / 4 + 1);
    assert_int_equal(count_ids(pieces, "ab"), MEGABYTE / 2 + 1);
    assert_int_equal(count_ids(pieces, " "), MEGABYTE + 1);
    assert_int_equal(count_ids(pieces, "\xf0\x9f\x99\x82"), MEGABYTE + 1);
    tokenizer_close(pieces);
}

static void test_tokenizer_stops_patterns_that_blow_up(void **state) {
    (void)state;
    static const char *const patterns[] = {"(?:a+)+[bc]", "(?:a|aa)+[bc]", "a+b|a"};
    char *text = memory_alloc(MEGABYTE);
    assert_non_null(text);
    memset(text, 'a', MEGABYTE);
    for (size_t i = 0; i < 3; i++) {
        char pre[256];
        struct token_ids ids = {0};
        struct error error;
        snprintf(pre, sizeof pre,
            "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
            "\"%s\"},\"behavior\":\"Isolated\"}," BYTE_LEVEL "]}",
            patterns[i]);
        struct tokenizer *tokenizer = open_json(byte_level("null", pre, "[]"));
        assert_false(tokenizer_encode(tokenizer, text, MEGABYTE, false, &ids, &error));
        assert_non_null(strstr(error.message, "takes too long"));
        token_ids_free(&ids);
        tokenizer_close(tokenizer);
    }
    memory_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokenizer_puts_a_space_before_a_text_as_its_form_says),
        cmocka_unit_test(test_tokenizer_takes_the_first_space_away_again),
        cmocka_unit_test(test_tokenizer_treats_added_tokens_by_their_flags),
        cmocka_unit_test(test_tokenizer_refuses_what_it_would_do_otherwise),
        cmocka_unit_test(test_tokenizer_finds_words_by_hand_as_their_patterns_do),
        cmocka_unit_test(test_tokenizer_cuts_as_the_behaviour_says),
        cmocka_unit_test(test_tokenizer_knows_canonical_forms),
        cmocka_unit_test(test_tokenizer_keeps_broken_text_byte_for_byte),
        cmocka_unit_test(test_tokenizer_reads_a_megabyte_of_one_letter),
        cmocka_unit_test(test_tokenizer_stops_patterns_that_blow_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
