// The tables are IANA's registries of special-purpose addresses (RFC 6890 and its successors).
#include "net/address_guard.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { URL_LENGTH = 2048 };

struct network {
    const char *address;
    int bits;
};

static const struct network inward_ipv4[] = {
    {"0.0.0.0", 8},       // this network
    {"10.0.0.0", 8},      // private
    {"100.64.0.0", 10},   // carriers' NAT
    {"127.0.0.0", 8},     // loopback
    {"169.254.0.0", 16},  // link-local, and clouds' metadata
    {"172.16.0.0", 12},   // private
    {"192.0.0.0", 24},    // IETF's protocols
    {"192.0.2.0", 24},    // documentation
    {"192.88.99.0", 24},  // 6to4 relays
    {"192.168.0.0", 16},  // private
    {"198.18.0.0", 15},   // benchmarks
    {"198.51.100.0", 24}, // documentation
    {"203.0.113.0", 24},  // documentation
    {"224.0.0.0", 4},     // multicast
    {"240.0.0.0", 4},     // reserved, and broadcast
};

// Of IPv6, only 2000::/3 is given out to the internet; of that, these are not.
static const struct network inward_ipv6[] = {
    {"2001::", 23},     // IETF's protocols: Teredo, ORCHID
    {"2001:db8::", 32}, // documentation
    {"2002::", 16},     // 6to4: stands for an IPv4 address
    {"3fff::", 20},     // documentation
};

static bool same_bits(const uint8_t *left, const uint8_t *right, int bits) {
    int bytes = bits / 8, rest = bits % 8;
    if (memcmp(left, right, (size_t)bytes) != 0) return false;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return rest == 0 || (left[bytes] & mask) == (right[bytes] & mask);
}

static bool lies_in(
    int family, const uint8_t *address, const struct network *networks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint8_t network[16];
        if (inet_pton(family, networks[i].address, network) == 1 &&
            same_bits(address, network, networks[i].bits))
            return true;
    }
    return false;
}

static bool ipv4_is_inward(const uint8_t *address) {
    return lies_in(AF_INET, address, inward_ipv4, sizeof inward_ipv4 / sizeof *inward_ipv4);
}

static bool ipv6_is_inward(const uint8_t *address) {
    static const struct network internet = {"2000::", 3};
    static const struct network translated = {"64:ff9b::", 96}; // NAT64: an IPv4 address behind it
    if (lies_in(AF_INET6, address, &translated, 1)) return ipv4_is_inward(address + 12);
    if (!lies_in(AF_INET6, address, &internet, 1)) return true;
    return lies_in(AF_INET6, address, inward_ipv6, sizeof inward_ipv6 / sizeof *inward_ipv6);
}

bool address_is_inward(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return ipv4_is_inward(
            (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr.s_addr);
    if (address->sa_family == AF_INET6)
        return ipv6_is_inward(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
    return true;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcasecmp(text + length - wanted, end) == 0;
}

// A literal address, or a name that never leaves the house.
static bool host_is_inward(const char *host) {
    static const char *const names[] = {".localhost", ".local", ".internal", ".lan", ".home.arpa"};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    char bare[256];
    size_t length = strlen(host);
    if (length >= sizeof bare) return true;
    memcpy(bare, host, length + 1);
    if (bare[0] == '[' && bare[length - 1] == ']') {
        bare[length - 1] = '\0';
        memmove(bare, bare + 1, length - 1);
    }
    if (inet_pton(AF_INET, bare, &ipv4.sin_addr) == 1)
        return address_is_inward((const struct sockaddr *)&ipv4);
    if (inet_pton(AF_INET6, bare, &ipv6.sin6_addr) == 1)
        return address_is_inward((const struct sockaddr *)&ipv6);
    if (!strchr(bare, '.')) return true; // "localhost", and every other name of the house
    if (bare[length - 1] == '.') bare[length - 1] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ends_with(bare, names[i])) return true;
    return false;
}

static bool check_parts(const char *scheme, const char *host, const char *user, bool inward_allowed,
    struct error *error) {
    bool https = strcmp(scheme, "https") == 0;
    if (!https && !(inward_allowed && strcmp(scheme, "http") == 0))
        return error_set(error, ERROR_INVALID, "the address must begin with https://");
    if (user)
        return error_set(
            error, ERROR_INVALID, "the address must not have a user or a password in it");
    if (inward_allowed || !host_is_inward(host)) return true;
    return error_set(error, ERROR_INVALID,
        "the address %.100s points to this machine or its own network; the operator can allow that "
        "with `temper serve --allow-private-webhooks`",
        host);
}

bool address_check_url(const char *url, bool inward_allowed, struct error *error) {
    char *scheme = NULL, *host = NULL, *user = NULL;
    if (strlen(url) > URL_LENGTH)
        return error_set(error, ERROR_INVALID, "the address is longer than %d bytes", URL_LENGTH);
    CURLU *parts = curl_url();
    if (!parts) return error_set(error, ERROR_MEMORY, "memory is short for an address");
    bool parsed = curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                  curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                  curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK && *host;
    if (parsed && curl_url_get(parts, CURLUPART_USER, &user, 0) != CURLUE_OK) user = NULL;
    bool good =
        parsed ? check_parts(scheme, host, user, inward_allowed, error)
               : error_set(error, ERROR_INVALID, "this is no address: write https://HOST/PATH");
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(parts);
    return good;
}
