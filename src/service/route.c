// Matching paths against patterns, and decoding what the patterns' holes took.
#include "service/route.h"
#include "base/memory.h"
#include <string.h>

struct piece {
    const char *start;
    size_t length;
};

static int hexadecimal(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool route_decode(const char *encoded, size_t length, char *text) {
    size_t at = 0;
    while (at < length) {
        int value = (unsigned char)encoded[at++];
        if (value == '%') {
            if (length - at < 2) return false;
            int high = hexadecimal(encoded[at]), low = hexadecimal(encoded[at + 1]);
            if (high < 0 || low < 0) return false;
            value = high * 16 + low;
            at += 2;
        }
        if (value == 0) return false;
        *text++ = (char)value;
    }
    *text = '\0';
    return true;
}

// Matches `path` (`length` bytes, no trailing slash) and notes what the holes took. Both start with
// "/".
static bool pattern_matches(
    const char *pattern, const char *path, size_t length, struct piece pieces[ROUTE_PARAMETERS]) {
    const char *end = path + length;
    size_t holes = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (path == end || *path != *pattern) return false;
            path++;
            pattern++;
            continue;
        }
        const char *close = strchr(pattern, '}');
        bool rest = close[-1] == '*';
        const char *stop = rest ? NULL : memchr(path, '/', (size_t)(end - path));
        if (!stop) stop = end;
        if (stop == path) return false;
        pieces[holes++] = (struct piece){path, (size_t)(stop - path)};
        path = stop;
        pattern = close + 1;
    }
    return path == end;
}

static bool method_matches(const char *route_method, const char *method) {
    if (strcmp(method, "HEAD") == 0) method = "GET";
    return strcmp(route_method, method) == 0;
}

static enum route_outcome take_parameters(
    struct route_match *match, const struct piece pieces[ROUTE_PARAMETERS]) {
    for (size_t i = 0; i < ROUTE_PARAMETERS && pieces[i].start; i++) {
        match->parameters[i] = memory_alloc(pieces[i].length + 1);
        if (!match->parameters[i] ||
            !route_decode(pieces[i].start, pieces[i].length, match->parameters[i])) {
            route_match_free(match);
            return ROUTE_MALFORMED;
        }
    }
    return ROUTE_FOUND;
}

static void allow_method(struct route_match *match, const char *method) {
    size_t used = strlen(match->allowed);
    if (used + strlen(method) + 3 > sizeof match->allowed) return;
    if (used > 0) strcat(match->allowed, ", ");
    strcat(match->allowed, method);
}

enum route_outcome route_find(const struct route *routes, size_t count, const char *method,
    const char *path, struct route_match *match) {
    size_t length = strlen(path);
    *match = (struct route_match){0};
    while (length > 1 && path[length - 1] == '/')
        length--;
    for (size_t i = 0; i < count; i++) {
        struct piece pieces[ROUTE_PARAMETERS] = {{0}};
        if (!pattern_matches(routes[i].pattern, path, length, pieces)) continue;
        if (method_matches(routes[i].method, method)) {
            match->route = &routes[i];
            return take_parameters(match, pieces);
        }
        allow_method(match, routes[i].method);
    }
    return match->allowed[0] ? ROUTE_WRONG_METHOD : ROUTE_NOT_FOUND;
}

void route_match_free(struct route_match *match) {
    for (size_t i = 0; i < ROUTE_PARAMETERS; i++) {
        memory_free(match->parameters[i]);
        match->parameters[i] = NULL;
    }
}
