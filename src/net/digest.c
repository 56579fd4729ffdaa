#include "net/digest.h"
#include "base/memory.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

const char *const digest_names[DIGEST_KINDS] = {"sha256", "git blob", "md5"};

static const size_t digest_lengths[DIGEST_KINDS] = {32, 20, 16};

struct digest {
    EVP_MD_CTX *context;
    bool failed; // libcrypto's: the digest then equals none
};

bool digest_begin(
    struct digest **digest, enum digest_kind kind, uint64_t length, struct error *error) {
    char prefix[32];
    struct digest *made = memory_alloc_zeroed(1, sizeof *made);
    if (!made) return memory_error(error, "a digest");
    made->context = EVP_MD_CTX_new();
    const EVP_MD *const functions[] = {EVP_sha256(), EVP_sha1(), EVP_md5()};
    const EVP_MD *function = functions[kind];
    if (!made->context || !EVP_DigestInit_ex(made->context, function, NULL)) {
        digest_free(made);
        return error_set(error, ERROR_INTERNAL, "libcrypto has no %s", digest_names[kind]);
    }
    *digest = made;
    if (kind != DIGEST_GIT_BLOB) return true;
    int used = snprintf(prefix, sizeof prefix, "blob %llu", (unsigned long long)length);
    digest_add(made, prefix, (size_t)used + 1);
    return true;
}

void digest_add(struct digest *digest, const void *bytes, size_t length) {
    if (!EVP_DigestUpdate(digest->context, bytes, length)) digest->failed = true;
}

void digest_finish(struct digest *digest, char text[DIGEST_TEXT_SIZE]) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (digest->failed || !EVP_DigestFinal_ex(digest->context, bytes, &length)) length = 0;
    *text = 0;
    for (unsigned i = 0; i < length && 2 * i + 3 <= DIGEST_TEXT_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    digest_free(digest);
}

void digest_free(struct digest *digest) {
    if (!digest) return;
    EVP_MD_CTX_free(digest->context);
    memory_free(digest);
}

bool digest_is_text(enum digest_kind kind, const char *text) {
    size_t length = strlen(text);
    return length == 2 * digest_lengths[kind] && strspn(text, "0123456789abcdef") == length;
}
