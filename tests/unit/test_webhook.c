// Webhooks' parts: which addresses point inward, the pauses, and signatures against a known vector.
#include "jobs/webhook_sender.h"
#include "net/address_guard.h"
#include "net/http_client.h"
#include "net/webhook_signature.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool inward(const char *text) {
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
        return address_is_inward((const struct sockaddr *)&ipv4);
    assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return address_is_inward((const struct sockaddr *)&ipv6);
}

static void test_address_guard_knows_which_addresses_point_inward(void **state) {
    (void)state;
    static const char *const inside[] = {"127.0.0.1", "127.255.255.255", "0.0.0.0", "10.1.2.3",
        "100.64.0.1", "100.127.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "fe80::1", "fc00::1",
        "fd00:ec2::254", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2001::1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "100::1"};
    static const char *const outside[] = {"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1",
        "172.15.255.255", "172.32.0.1", "169.253.1.1", "192.169.0.1", "223.255.255.255",
        "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (!inward(inside[i])) fail_msg("%s points inward", inside[i]);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (inward(outside[i])) fail_msg("%s does not point inward", outside[i]);
}

static void test_address_guard_refuses_urls_that_point_inward(void **state) {
    (void)state;
    static const char *const refused[] = {"http://example.com/", "ftp://example.com/",
        "file:///etc/passwd", "https://", "nothing", "", "https://localhost/",
        "https://LOCALHOST:1/", "https://127.0.0.1/", "https://127.1/", "https://0x7f000001/",
        "https://2130706433/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
        "https://10.0.0.1:8443/x", "https://169.254.169.254/latest/",
        "https://metadata.google.internal/", "https://host.local/", "https://intranet/",
        "https://user:secret@example.com/", "https://example.com\nHost: x/",
        "https://a.localhost./", "javascript:alert(1)"};
    static const char *const allowed[] = {"https://example.com/hook", "https://8.8.8.8/",
        "https://example.com:8443/a?b=c", "https://[2606:4700::1111]/"};
    struct error error;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (address_check_url(refused[i], false, &error)) fail_msg("%s was taken", refused[i]);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (!address_check_url(allowed[i], false, &error))
            fail_msg("%s: %s", allowed[i], error.message);
    assert_true(address_check_url("http://127.0.0.1:9/hook", true, &error));
    assert_false(address_check_url("ftp://127.0.0.1/", true, &error));
}

// A name is judged by the address that it is connected to.
static void test_http_client_does_not_connect_inward(void **state) {
    (void)state;
    static const char *const urls[] = {
        "http://localhost:9/", "http://127.0.0.1:9/", "http://[::1]:9/", "http://0.0.0.0:9/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct http_request request = {
            .method = "GET", .url = urls[i], .timeout_seconds = 20, .outward = true};
        struct http_answer answer;
        struct error error;
        assert_false(http_client_send(&request, 100, &answer, &error));
        assert_int_equal(error.code, ERROR_UNSUPPORTED);
        assert_non_null(strstr(error.message, "not allowed"));
    }
}

// With Python's hmac as the judge: the specification's own example has a secret of another length.
static void test_webhook_signature_is_that_of_the_specification(void **state) {
    (void)state;
    static const char body[] = "{\"test\": 2432232314}";
    char signature[WEBHOOK_SIGNATURE_SIZE];
    struct error error;
    assert_true(webhook_sign("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, strlen(body), signature, &error));
    assert_string_equal(signature, "v1,O4Gjv1HqPqsMrjmczoggs/sWA8gZD0VyHG+fLh4+ktI=");
    assert_false(webhook_sign("whsec_short", "a", 1, body, strlen(body), signature, &error));
}

static void test_webhook_secret_is_fresh_and_signs(void **state) {
    (void)state;
    char one[WEBHOOK_SECRET_SIZE], other[WEBHOOK_SECRET_SIZE];
    char signature[WEBHOOK_SIGNATURE_SIZE];
    struct error error;
    assert_true(webhook_secret_make(one, &error) && webhook_secret_make(other, &error));
    assert_string_not_equal(one, other);
    assert_int_equal(strncmp(one, "whsec_", 6), 0);
    assert_true(webhook_sign(one, "evt", 1, "", 0, signature, &error));
}

static void test_webhook_pauses_grow_for_three_days(void **state) {
    (void)state;
    int64_t sum = 0, last = 0, attempts = 1;
    for (; webhook_pause(attempts, 0); attempts++) {
        assert_true(webhook_pause(attempts, 0) > last);
        assert_in_range(webhook_pause(attempts, 1) - webhook_pause(attempts, 0), 0,
            webhook_pause(attempts, 0) / 10);
        sum += last = webhook_pause(attempts, 0);
    }
    assert_int_equal(attempts, 10);
    assert_in_range(sum, 72 * 3600, 96 * 3600);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_guard_knows_which_addresses_point_inward),
        cmocka_unit_test(test_address_guard_refuses_urls_that_point_inward),
        cmocka_unit_test(test_http_client_does_not_connect_inward),
        cmocka_unit_test(test_webhook_signature_is_that_of_the_specification),
        cmocka_unit_test(test_webhook_secret_is_fresh_and_signs),
        cmocka_unit_test(test_webhook_pauses_grow_for_three_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
