// See random.h.
#include "base/random.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/random.h>

static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t counter) {
    return mix(mix(mix(seed) ^ stream) ^ counter);
}

double random_uniform(uint64_t seed, uint64_t stream, uint64_t counter) {
    return (double)(random_bits(seed, stream, counter) >> 11) * 0x1p-53;
}

double random_normal(uint64_t seed, uint64_t stream, uint64_t counter) {
    double u = 1.0 - random_uniform(seed, stream, 2 * counter);
    double v = random_uniform(seed, stream, 2 * counter + 1);
    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);
}

uint64_t random_below(uint64_t seed, uint64_t stream, uint64_t counter, uint64_t bound) {
    return (uint64_t)(((unsigned __int128)random_bits(seed, stream, counter) * bound) >> 64);
}

void random_permutation(uint64_t seed, uint64_t stream, uint32_t *order, size_t count) {
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        size_t j = random_below(seed, stream, i, i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

bool random_secret(char *text, size_t length, struct error *error) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t filled = 0;
    while (filled < length) {
        uint8_t bytes[64];
        ssize_t got = getrandom(bytes, sizeof bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_set_errno(error, ERROR_IO, "no random numbers");
        for (ssize_t i = 0; i < got && filled < length; i++) {
            // 248 is the largest multiple of 62 in a byte: the rest would favour the first letters.
            if (bytes[i] < 248) text[filled++] = letters[bytes[i] % 62];
        }
    }
    text[length] = 0;
    return true;
}
