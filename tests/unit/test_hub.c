// What the hub says is checked before it is believed; digests are those of the field.
#include "base/memory.h"
#include "net/hub.h"
#include "test_support.h"
#include <stdlib.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SMALL "{\"rfilename\": \"config.json\", \"size\": 5, \"blobId\": \"" COMMIT "\"}"
#define LARGE                                                                                      \
    "{\"rfilename\": \"a/b.gguf\", \"size\": 134, \"blobId\": \"" COMMIT                           \
    "\", \"lfs\": {\"sha256\": \"" SHA256 "\", \"size\": 7000000000, \"pointerSize\": 134}}"
#define LISTING(siblings) "{\"sha\": \"" COMMIT "\", \"siblings\": [" siblings "]}"

static bool parse(struct hub_listing *listing, const char *text, struct error *error) {
    return hub_listing_parse(listing, text, strlen(text), error);
}

static void test_hub_listing_has_sizes_and_digests(void **state) {
    struct hub_listing listing;
    struct error error;
    (void)state;
    if (!parse(&listing, LISTING(SMALL ", " LARGE), &error)) fail_msg("%s", error.message);
    assert_int_equal(listing.count, 2);
    assert_string_equal(listing.commit, COMMIT);
    const struct hub_file *small = hub_listing_find(&listing, "config.json");
    const struct hub_file *large = hub_listing_find(&listing, "a/b.gguf");
    assert_true(small && small->size == 5 && small->kind == DIGEST_GIT_BLOB);
    assert_string_equal(small->digest, COMMIT);
    assert_true(large && large->size == 7000000000 && large->kind == DIGEST_SHA256);
    assert_string_equal(large->digest, SHA256);
    assert_null(hub_listing_find(&listing, "b.gguf"));
    hub_listing_free(&listing);
}

static void test_hub_listing_refuses_names_that_lead_elsewhere(void **state) {
    static const char *const names[] = {"../x", "/x", "a/../x", "..", ".", "", "a/", "a//b", "./a",
        "a\\\\b", "a\\nb", "a\\u0000b", "a\\u007fb"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct hub_listing listing;
        struct error error;
        char text[512];
        snprintf(text, sizeof text,
            LISTING("{\"rfilename\": \"%s\", \"size\": 5, \"blobId\": \"" COMMIT "\"}"), names[i]);
        if (parse(&listing, text, &error)) fail_msg("\"%s\" was taken", names[i]);
    }
}

static void test_hub_listing_refuses_what_cannot_be(void **state) {
    static const char *const texts[] = {"", "[]", "{}", "null", LISTING(""),
        "{\"sha\": \"main\", \"siblings\": [" SMALL "]}", LISTING("{\"rfilename\": \"a\"}"),
        LISTING("{\"rfilename\": \"a\", \"size\": -1, \"blobId\": \"" COMMIT "\"}"),
        LISTING(
            "{\"rfilename\": \"a\", \"size\": 9000000000000000000, \"blobId\": \"" COMMIT "\"}"),
        LISTING("{\"rfilename\": \"a\", \"size\": 1.5, \"blobId\": \"" COMMIT "\"}"),
        LISTING("{\"rfilename\": \"a\", \"size\": 1, \"blobId\": \"" SHA256 "\"}"),
        LISTING("{\"rfilename\": \"a\", \"size\": 1, \"lfs\": {\"sha256\": \"" COMMIT
                "\", \"size\": 1}}"),
        LISTING("{\"rfilename\": \"a\", \"size\": 1, \"lfs\": {\"size\": 1}, \"blobId\": \"" COMMIT
                "\"}"),
        LISTING("7"), LISTING(SMALL) " x"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct hub_listing listing;
        struct error error;
        if (parse(&listing, texts[i], &error)) fail_msg("%s was taken", texts[i]);
        assert_int_equal(error.code, ERROR_INVALID);
    }
}

static void test_hub_listing_bears_short_memory(void **state) {
    struct hub_listing listing;
    struct error error;
    uint64_t failures = 0;
    (void)state;
    for (;; failures++) {
        memory_fail_at(failures + 1);
        bool ok = parse(&listing, LISTING(SMALL ", " LARGE), &error);
        memory_fail_at(0);
        if (ok) break;
        assert_int_equal(error.code, ERROR_MEMORY);
        assert_true(failures < 20);
    }
    assert_true(failures >= 3);
    hub_listing_free(&listing);
}

static void assert_digest(
    enum digest_kind kind, const char *content, size_t pieces, const char *expected) {
    struct digest *digest;
    struct error error;
    char text[DIGEST_TEXT_SIZE];
    size_t length = strlen(content);
    assert_true(digest_begin(&digest, kind, length * pieces, &error));
    for (size_t i = 0; i < pieces; i++)
        digest_add(digest, content, length);
    digest_finish(digest, text);
    assert_string_equal(text, expected);
    assert_true(digest_is_text(kind, text));
}

// FIPS 180-2, appendix B; git's own names of the empty blob and of "hello\n".
static void test_digests_are_those_of_the_field(void **state) {
    (void)state;
    assert_digest(DIGEST_SHA256, "abc", 1,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(DIGEST_SHA256, "aaaaaaaaaa", 100000,
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_digest(DIGEST_GIT_BLOB, "", 1, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_digest(DIGEST_GIT_BLOB, "hello\n", 1, "ce013625030ba8dba906f756967f9e9ca394464a");
    assert_false(digest_is_text(DIGEST_SHA256, COMMIT));
    assert_false(digest_is_text(DIGEST_GIT_BLOB, "0123456789ABCDEF0123456789abcdef01234567"));
}

static void test_hub_reads_the_environment(void **state) {
    struct hub hub;
    struct error error;
    (void)state;
    unsetenv("HF_ENDPOINT");
    unsetenv("HF_TOKEN");
    assert_true(hub_open(&hub, &error));
    assert_string_equal(hub.endpoint, "https://huggingface.co");
    assert_null(hub.token);
    setenv("HF_ENDPOINT", "http://127.0.0.1:9//", 1);
    setenv("HF_TOKEN", "hf_x", 1);
    assert_true(hub_open(&hub, &error));
    assert_string_equal(hub.endpoint, "http://127.0.0.1:9");
    assert_string_equal(hub.token, "hf_x");
    setenv("HF_TOKEN", "hf_x\r\nHost: evil", 1);
    assert_false(hub_open(&hub, &error));
    assert_null(strstr(error.message, "evil"));
    setenv("HF_TOKEN", "", 1);
    setenv("HF_ENDPOINT", "file:///etc", 1);
    assert_false(hub_open(&hub, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hub_listing_has_sizes_and_digests),
        cmocka_unit_test(test_hub_listing_refuses_names_that_lead_elsewhere),
        cmocka_unit_test(test_hub_listing_refuses_what_cannot_be),
        cmocka_unit_test(test_hub_listing_bears_short_memory),
        cmocka_unit_test(test_digests_are_those_of_the_field),
        cmocka_unit_test(test_hub_reads_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
