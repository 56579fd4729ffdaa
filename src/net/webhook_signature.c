// Signing through libcrypto.
#include "net/webhook_signature.h"
#include "base/memory.h"
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { SECRET_BYTES = 32, DIGEST_BYTES = 32 };

static const char prefix[] = "whsec_";

bool webhook_secret_make(char secret[WEBHOOK_SECRET_SIZE], struct error *error) {
    unsigned char bytes[SECRET_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return error_set_errno(error, ERROR_IO, "cannot get random bytes");
    memcpy(secret, prefix, sizeof prefix - 1);
    EVP_EncodeBlock((unsigned char *)secret + sizeof prefix - 1, bytes, sizeof bytes);
    return true;
}

// The bytes of a secret of ours. Their number, 0 where it is none.
static size_t secret_bytes(const char *secret, unsigned char bytes[SECRET_BYTES]) {
    unsigned char decoded[WEBHOOK_SECRET_SIZE];
    size_t length = strlen(secret);
    if (strncmp(secret, prefix, sizeof prefix - 1) != 0 || length >= WEBHOOK_SECRET_SIZE) return 0;
    const char *text = secret + sizeof prefix - 1;
    int got =
        EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)(length - sizeof prefix + 1));
    if (got < SECRET_BYTES) return 0;
    memcpy(bytes, decoded, SECRET_BYTES);
    return SECRET_BYTES;
}

bool webhook_sign(const char *secret, const char *id, int64_t timestamp, const char *body,
    size_t length, char signature[WEBHOOK_SIGNATURE_SIZE], struct error *error) {
    unsigned char key[SECRET_BYTES], digest[EVP_MAX_MD_SIZE];
    unsigned int digest_length = 0;
    if (!secret_bytes(secret, key))
        return error_set(error, ERROR_INVALID, "the secret of a webhook is none");
    char *head = memory_format("%s.%lld.", id, (long long)timestamp);
    size_t head_length = head ? strlen(head) : 0;
    char *whole = head ? memory_resize(head, head_length + length + 1, 1) : NULL;
    if (!whole) {
        memory_free(head);
        return memory_error(error, "a webhook's signature");
    }
    memcpy(whole + head_length, body, length);
    bool good = HMAC(EVP_sha256(), key, sizeof key, (unsigned char *)whole, head_length + length,
                    digest, &digest_length) &&
                digest_length == DIGEST_BYTES;
    memory_free(whole);
    if (!good) return error_set(error, ERROR_INTERNAL, "libcrypto cannot sign");
    memcpy(signature, "v1,", 3);
    EVP_EncodeBlock((unsigned char *)signature + 3, digest, DIGEST_BYTES);
    return true;
}
