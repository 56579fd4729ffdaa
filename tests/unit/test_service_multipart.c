// The multipart parser: every form is fed whole, byte by byte, and in every split into two pieces.
#include "base/buffer.h"
#include "service/multipart.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=XX"

// Writes down what the parser tells: "[name|file name]data;" for each part.
static bool note_part(void *context, const struct multipart_part *part, struct error *error) {
    (void)error;
    buffer_append_format(context, "[%s|%s]", part->name, part->file_name ? part->file_name : "-");
    return true;
}

static bool note_data(void *context, const char *bytes, size_t length, struct error *error) {
    (void)error;
    assert_true(length > 0);
    buffer_append(context, bytes, length);
    return true;
}

static bool note_end(void *context, struct error *error) {
    (void)error;
    buffer_append_char(context, ';');
    return true;
}

static bool parse(const char *type, const char *form, size_t length, size_t piece, size_t first,
    struct buffer *notes) {
    struct error error = {0};
    struct multipart *multipart = NULL;
    struct multipart_listener listener = {notes, note_part, note_data, note_end};
    if (!multipart_open(&multipart, type, &listener, &error)) return false;
    bool good = true;
    for (size_t at = 0; good && at < length;) {
        size_t take = at < first ? first - at : piece;
        if (take > length - at) take = length - at;
        good = multipart_feed(multipart, form + at, take, &error);
        at += take;
    }
    good = good && multipart_finish(multipart, &error);
    assert_int_equal(good, error.code == ERROR_NONE);
    multipart_close(multipart);
    return good;
}

static void expect_notes(const char *type, const char *form, size_t length, const char *expected) {
    for (size_t first = 0; first <= length; first++)
        for (size_t piece = 1; piece <= length; piece += length - 1 ? length - 1 : 1) {
            struct buffer notes;
            buffer_init(&notes, 1 << 20);
            bool good = parse(type, form, length, piece, first, &notes);
            if (expected) {
                assert_true(good);
                assert_string_equal(buffer_text(&notes), expected);
            } else {
                assert_false(good);
            }
            buffer_free(&notes);
        }
}

static void expect(const char *form, const char *expected) {
    expect_notes(TYPE, form, strlen(form), expected);
}

#define FIELD(name, text)                                                                          \
    "--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"

static void test_multipart_reads_fields_and_files(void **state) {
    (void)state;
    expect(FIELD("purpose", "fine-tune") "--XX\r\nContent-Type: application/jsonl\r\n"
                                         "content-disposition: form-data; filename=\"a.jsonl\"; "
                                         "name=\"file\"\r\n\r\n{}\r\n{}\r\n--XX--\r\n",
        "[purpose|-]fine-tune;[file|a.jsonl]{}\r\n{};");
}

static void test_multipart_keeps_what_only_resembles_a_boundary(void **state) {
    (void)state;
    expect(FIELD("a", "\r\r\n-\r\n--\r\n--X\r\n--Y--XX\r") "--XX--",
        "[a|-]\r\r\n-\r\n--\r\n--X\r\n--Y--XX\r;");
    expect(FIELD("a", "") "--XX--", "[a|-];");
}

static void test_multipart_ignores_preamble_and_epilogue(void **state) {
    (void)state;
    expect("hello\r\n" FIELD("a", "1") "--XX--\r\nrest --XX\r\n", "[a|-]1;");
    expect("\r\n" FIELD("a", "1") "--XX--", "[a|-]1;");
}

static void test_multipart_takes_padding_behind_a_boundary(void **state) {
    (void)state;
    expect("--XX \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--", "[a|-]1;");
}

static void test_multipart_reads_quoted_names(void **state) {
    (void)state;
    expect(
        "--XX\r\nContent-Disposition: form-data; name=\"f\\\"\\\\\"; filename=\"a%22;b.jsonl\"\r\n"
        "\r\n1\r\n--XX--",
        "[f\"\\|a\";b.jsonl]1;");
}

static void test_multipart_keeps_zero_bytes_of_data(void **state) {
    (void)state;
    static const char form[] = FIELD("a", "1\0"
                                          "2") "--XX--";
    struct buffer notes;
    buffer_init(&notes, 1 << 20);
    assert_true(parse(TYPE, form, sizeof form - 1, 3, 0, &notes));
    assert_int_equal(notes.length, strlen("[a|-]") + 4);
    assert_memory_equal(notes.data,
        "[a|-]1\0"
        "2;",
        notes.length);
    buffer_free(&notes);
}

static void test_multipart_refuses_malformed_forms(void **state) {
    (void)state;
    expect("", NULL);
    expect("--XX", NULL);
    expect(FIELD("a", "1"), NULL);                                // cut off
    expect(FIELD("a", "1") "--XX-", NULL);                        // cut off
    expect(FIELD("a", "1") "--XXY--", NULL);                      // no CRLF behind it
    expect("--XX\r\n\r\n1\r\n--XX--", NULL);                      // no header
    expect("--XX\r\nContent-Type: a/b\r\n\r\n1\r\n--XX--", NULL); // no name
    expect("--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--XX--", NULL);
    expect("--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--", NULL);
    expect("--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--XX--", NULL);
    expect("--XX\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n1\r\n--XX--", NULL);
}

static void test_multipart_reads_the_boundary(void **state) {
    (void)state;
    static const char form[] = FIELD("a", "1") "--XX--";
    size_t length = sizeof form - 1;
    expect_notes("Multipart/Form-Data;charset=utf-8; Boundary=\"XX\"", form, length, "[a|-]1;");
    expect_notes("multipart/form-data", form, length, NULL);
    expect_notes("multipart/form-data; boundary=", form, length, NULL);
    expect_notes("multipart/form-data; boundary=XX; boundary=YY", form, length, NULL);
    expect_notes("application/json", form, length, NULL);
    expect_notes(NULL, form, length, NULL);
    expect_notes("multipart/form-data; boundary="
                 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg1",
        form, length, NULL);
}

static void test_multipart_bounds_the_headers(void **state) {
    (void)state;
    static char form[3 * MULTIPART_HEADER_MAXIMUM];
    struct buffer notes;
    strcpy(form, "--XX\r\nX-Long: ");
    memset(form + strlen(form), 'x', MULTIPART_HEADER_MAXIMUM);
    buffer_init(&notes, 1 << 20);
    assert_false(parse(TYPE, form, strlen(form), 100, 0, &notes));
    strcpy(form, "--XX\r\nContent-Disposition: form-data; name=");
    memset(form + strlen(form), 'n', MULTIPART_NAME_MAXIMUM + 1);
    strcat(form, "\r\n\r\n1\r\n--XX--");
    assert_false(parse(TYPE, form, strlen(form), 100, 0, &notes));
    buffer_free(&notes);
}

static bool stop(void *context, const char *bytes, size_t length, struct error *error) {
    (void)context;
    (void)bytes;
    (void)length;
    return error_set(error, ERROR_IO, "the disk is full");
}

static void test_multipart_stops_when_its_listener_fails(void **state) {
    (void)state;
    struct error error = {0};
    struct multipart *multipart = NULL;
    struct buffer notes;
    buffer_init(&notes, 1000);
    struct multipart_listener listener = {&notes, note_part, stop, note_end};
    assert_true(multipart_open(&multipart, TYPE, &listener, &error));
    assert_false(multipart_feed(multipart, FIELD("a", "1"), strlen(FIELD("a", "1")), &error));
    assert_int_equal(error.code, ERROR_IO);
    assert_false(multipart_feed(multipart, "--XX--", 6, &error));
    assert_false(multipart_finish(multipart, &error));
    multipart_close(multipart);
    buffer_free(&notes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_multipart_reads_fields_and_files),
        cmocka_unit_test(test_multipart_keeps_what_only_resembles_a_boundary),
        cmocka_unit_test(test_multipart_ignores_preamble_and_epilogue),
        cmocka_unit_test(test_multipart_takes_padding_behind_a_boundary),
        cmocka_unit_test(test_multipart_reads_quoted_names),
        cmocka_unit_test(test_multipart_keeps_zero_bytes_of_data),
        cmocka_unit_test(test_multipart_refuses_malformed_forms),
        cmocka_unit_test(test_multipart_reads_the_boundary),
        cmocka_unit_test(test_multipart_bounds_the_headers),
        cmocka_unit_test(test_multipart_stops_when_its_listener_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
