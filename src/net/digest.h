// Digests of files. The Hugging Face hub gives SHA-256 of large files, and of small ones git's name
// of a blob, SHA-1 of "blob LENGTH\0" and the content; OpenAI's uploads come with MD5.
#ifndef NET_DIGEST_H
#define NET_DIGEST_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum digest_kind { DIGEST_SHA256, DIGEST_GIT_BLOB, DIGEST_MD5, DIGEST_KINDS };

enum { DIGEST_TEXT_SIZE = 65 }; // hexadecimal, and a NUL

struct digest;

// `length` is that of the whole content.
bool digest_begin(struct digest **digest, enum digest_kind kind, uint64_t length,
    struct error *error) WARN_UNUSED;
void digest_add(struct digest *digest, const void *bytes, size_t length);

// Writes the digest in small hexadecimal letters and frees.
void digest_finish(struct digest *digest, char text[DIGEST_TEXT_SIZE]);
void digest_free(struct digest *digest); // NULL is allowed

// Whether a text can be a digest of this kind: small hexadecimal letters, of its length.
bool digest_is_text(enum digest_kind kind, const char *text);

extern const char *const digest_names[DIGEST_KINDS]; // "sha256", "git blob", "md5"

#endif
