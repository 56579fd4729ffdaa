// Signatures of webhooks as Standard Webhooks has them (https://www.standardwebhooks.com):
// HMAC-SHA256 of "id.timestamp.body" with the bytes of the secret, in base64 behind "v1,".
#ifndef NET_WEBHOOK_SIGNATURE_H
#define NET_WEBHOOK_SIGNATURE_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum {
    WEBHOOK_SECRET_SIZE = 64,    // "whsec_" and base64 of 32 bytes
    WEBHOOK_SIGNATURE_SIZE = 64, // "v1," and base64 of 32 bytes
};

// A new secret: "whsec_…".
bool webhook_secret_make(char secret[WEBHOOK_SECRET_SIZE], struct error *error) WARN_UNUSED;

bool webhook_sign(const char *secret, const char *id, int64_t timestamp, const char *body,
    size_t length, char signature[WEBHOOK_SIGNATURE_SIZE], struct error *error) WARN_UNUSED;

#endif
