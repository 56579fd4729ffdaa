// Pieces of an answer: whole characters, stop texts held back, the same text however it is cut.
#include "base/random.h"
#include "base/utf8.h"
#include "generate/text_stream.h"
#include "test_support.h"

// Sends bytes in pieces whose sizes `seed` chooses (0: all at once); the answer goes to `shown`.
static bool send(const char *bytes, size_t length, uint64_t seed, const char *const *stops,
    size_t stop_count, struct buffer *shown) {
    struct text_stream stream;
    struct buffer ready;
    struct error error;
    buffer_init(&ready, 1 << 16);
    buffer_init(shown, 1 << 16);
    text_stream_init(&stream, stops, stop_count);
    for (size_t at = 0, step; at < length; at += step) {
        step = seed ? 1 + (size_t)random_below(seed, 1, at, 4) : length;
        if (step > length - at) step = length - at;
        assert_true(text_stream_add(&stream, bytes + at, step, &ready, &error));
        assert_int_equal(utf8_valid_length(buffer_text(&ready), ready.length), ready.length);
        buffer_append(shown, buffer_text(&ready), ready.length);
    }
    assert_true(text_stream_finish(&stream, &ready, &error));
    buffer_append(shown, buffer_text(&ready), ready.length);
    bool stopped = stream.stopped;
    text_stream_free(&stream);
    buffer_free(&ready);
    return stopped;
}

static void assert_shown(const char *bytes, const char *wanted) {
    struct buffer shown;
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_false(send(bytes, strlen(bytes), seed, NULL, 0, &shown));
        assert_string_equal(buffer_text(&shown), wanted);
        buffer_free(&shown);
    }
}

#define BAD "\xef\xbf\xbd"

static void test_text_stream_shows_whole_characters_and_no_part_of_a_stop(void **state) {
    (void)state;
    static const char *const stops[] = {"END", "\n\n"};
    static const char bytes[] = "a\xc3\xa9"
                                "E\xf0\x9f\x99\x82"
                                "EN\xff"
                                "x\n.\n\nrest";
    struct text_stream stream;
    struct buffer ready, shown;
    struct error error;
    buffer_init(&ready, 1 << 16);
    buffer_init(&shown, 1 << 16);
    text_stream_init(&stream, stops, 2);
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        assert_true(text_stream_add(&stream, bytes + i, 1, &ready, &error));
        buffer_append(&shown, buffer_text(&ready), ready.length);
    }
    assert_true(stream.stopped);
    assert_string_equal(buffer_text(&shown), "a\xc3\xa9"
                                             "E\xf0\x9f\x99\x82"
                                             "EN\xef\xbf\xbd"
                                             "x\n.");
    text_stream_free(&stream);
    buffer_free(&ready);
    buffer_free(&shown);
}

// As Python's bytes.decode(errors="replace"), which is how transformers shows tokens.
static void test_text_stream_replaces_broken_characters_as_python_does(void **state) {
    (void)state;
    assert_shown("ab\xe2\x82\xac"
                 "c",
        "ab\xe2\x82\xac"
        "c");
    assert_shown("a\xf0\x9f\x99", "a" BAD);
    assert_shown("a\xf0\x9f\x99x\xf0\x9f\x99\x82", "a" BAD "x\xf0\x9f\x99\x82");
    assert_shown("\xe2\x82\xe2\x82\xac\xe2", BAD "\xe2\x82\xac" BAD);
    assert_shown("\xff\xfe\x80z", BAD BAD BAD "z");
    assert_shown("\xed\xa0\x80", BAD BAD BAD);                 // a surrogate
    assert_shown("\xc0\xaf\xe0\x80\xaf", BAD BAD BAD BAD BAD); // overlong
    assert_shown("\xf4\x90\x80\x80", BAD BAD BAD BAD);         // above U+10FFFF
}

static void test_text_stream_shows_at_once_what_no_byte_can_mend(void **state) {
    (void)state;
    struct text_stream stream;
    struct buffer ready;
    struct error error;
    buffer_init(&ready, 1 << 16);
    text_stream_init(&stream, NULL, 0);
    assert_true(text_stream_add(&stream, "\xff", 1, &ready, &error));
    assert_string_equal(buffer_text(&ready), BAD);
    assert_true(text_stream_add(&stream, "\xe2\x82", 2, &ready, &error));
    assert_int_equal(ready.length, 0);
    assert_true(text_stream_add(&stream, "x", 1, &ready, &error));
    assert_string_equal(buffer_text(&ready), BAD "x");
    text_stream_free(&stream);
    buffer_free(&ready);
}

static void test_text_stream_gives_back_what_only_looked_like_a_stop(void **state) {
    (void)state;
    static const char *const stops[] = {"aab", "###"};
    static const char text[] = "aaac ## aa";
    struct buffer shown;
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_false(send(text, sizeof text - 1, seed, stops, 2, &shown));
        assert_string_equal(buffer_text(&shown), text);
        buffer_free(&shown);
    }
}

static void test_text_stream_stops_in_the_middle_of_what_it_held(void **state) {
    (void)state;
    static const char *const stops[] = {"aab", "", "\xe2\x82\xac!"};
    static const char *const texts[] = {"xaaab rest", "x\xe2\x82\xac\xe2\x82\xac!aab"};
    static const char *const wanted[] = {"xa", "x\xe2\x82\xac"};
    struct buffer shown;
    for (size_t i = 0; i < 2; i++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            assert_true(send(texts[i], strlen(texts[i]), seed, stops, 3, &shown));
            assert_string_equal(buffer_text(&shown), wanted[i]);
            buffer_free(&shown);
        }
}

// With one stop text the answer is what stands before its first appearance, whatever the cuts.
static void test_text_stream_is_the_same_however_random_bytes_are_cut(void **state) {
    (void)state;
    static const char alphabet[] = "ab\xe2\x82\xac\xf0\x9f\xff\n";
    static const char *const stops[] = {"ab\xe2\x82\xac"};
    size_t stopped = 0;
    for (uint64_t round = 1; round <= 500; round++) {
        char bytes[64];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = alphabet[random_below(round, 2, i, sizeof alphabet - 1)];
        if (round % 2) memcpy(bytes + 20, stops[0], strlen(stops[0]));
        struct buffer whole, cut;
        bool first = send(bytes, sizeof bytes, 0, stops, 1, &whole);
        assert_int_equal(send(bytes, sizeof bytes, round, stops, 1, &cut), first);
        assert_string_equal(buffer_text(&cut), buffer_text(&whole));
        assert_null(strstr(buffer_text(&whole), stops[0]));
        stopped += first;
        buffer_free(&whole);
        buffer_free(&cut);
    }
    assert_in_range(stopped, 250, 499);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_stream_shows_whole_characters_and_no_part_of_a_stop),
        cmocka_unit_test(test_text_stream_replaces_broken_characters_as_python_does),
        cmocka_unit_test(test_text_stream_shows_at_once_what_no_byte_can_mend),
        cmocka_unit_test(test_text_stream_gives_back_what_only_looked_like_a_stop),
        cmocka_unit_test(test_text_stream_stops_in_the_middle_of_what_it_held),
        cmocka_unit_test(test_text_stream_is_the_same_however_random_bytes_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
