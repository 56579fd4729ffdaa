// What tokens stand for: by which bytes they are found in a text, and to which bytes they decode.
// Byte-level vocabularies (GPT-2) spell each byte as a printable character.
#include "base/memory.h"
#include "model/tokenizer_internal.h"
#include "model/tokenizer_reading.h"
#include <stdio.h>

// ---- GPT-2's alphabet of bytes ----

// The printable bytes stand for themselves, the others for U+0100 and on, in order: 0 … 0x20, 0x7f
// … 0xa0, 0xad.
static uint32_t byte_character(int byte) {
    if (byte <= ' ') return 256 + (uint32_t)byte;
    if (byte >= 0x7f && byte <= 0xa0) return 256 + 33 + (uint32_t)(byte - 0x7f);
    return byte == 0xad ? 256 + 67 : (uint32_t)byte;
}

// The inverse; -1 for characters that stand for no byte.
static int character_byte(uint32_t character) {
    int byte = character < 256        ? (int)character
               : character < 256 + 33 ? (int)character - 256
               : character < 256 + 67 ? (int)character - 256 - 33 + 0x7f
                                      : 0xad;
    return byte_character(byte) == character ? byte : -1;
}

static size_t byte_level_spell(uint8_t byte, char *text) {
    uint32_t character = byte_character(byte);
    if (character < 0x80) {
        text[0] = (char)character;
        return 1;
    }
    text[0] = (char)(0xc0 | character >> 6);
    text[1] = (char)(0x80 | (character & 0x3f));
    return 2;
}

// False if a character is not of the alphabet. `bytes` has room for `length`.
static bool byte_level_decode(const char *text, size_t length, char *bytes, uint32_t *decoded) {
    *decoded = 0;
    for (size_t at = 0; at < length;) {
        uint32_t character = (uint8_t)text[at++];
        if (character >= 0x80) {
            if (character >> 5 != 6 || at == length) return false;
            character = (character & 0x1f) << 6 | ((uint8_t)text[at++] & 0x3f);
        }
        int byte = character_byte(character);
        if (byte < 0) return false;
        bytes[(*decoded)++] = (char)byte;
    }
    return true;
}

// ---- decoding ----

static int hexadecimal(char digit) {
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                          : -1;
}

static bool byte_of_fallback(const struct token *token, char *byte) {
    const char *text = token->text;
    if (token->text_length != 6 || memcmp(text, "<0x", 3) || text[5] != '>') return false;
    int high = hexadecimal(text[3]), low = hexadecimal(text[4]);
    *byte = (char)(high * 16 + low);
    return high >= 0 && low >= 0;
}

static void unmark_spaces(char *bytes, uint32_t *length) {
    uint32_t to = 0;
    for (uint32_t from = 0; from < *length; to++) {
        bool mark = *length - from >= 3 && !memcmp(bytes + from, SPACE_MARK, 3);
        bytes[to] = mark ? ' ' : bytes[from];
        from += mark ? 3 : 1;
    }
    *length = to;
}

static bool set_bytes(const struct tokenizer *t, struct token *token, struct error *error) {
    token->bytes = memory_copy_bytes(token->text, token->text_length);
    if (!token->bytes) return memory_error(error, "the vocabulary");
    token->length = token->text_length;
    if (t->decoder == DECODER_BYTE_LEVEL) {
        if (byte_level_decode(token->text, token->text_length, token->bytes, &token->length))
            return true;
        memcpy(token->bytes, token->text, token->text_length);
        token->length = token->text_length;
    } else if (t->decodes_fallback && byte_of_fallback(token, token->bytes))
        token->length = 1;
    else if (t->decoder == DECODER_MARKS)
        unmark_spaces(token->bytes, &token->length);
    return true;
}

// ---- finding ----

// Special tokens are not found in pieces: what a user wrote is never control.
static bool set_piece(struct tokenizer *t, int32_t id, struct error *error) {
    struct token *token = &t->tokens[id];
    if (!token->in_model || token->special) return true;
    token->piece = memory_copy_bytes(token->text, token->text_length);
    if (!token->piece) return memory_error(error, "the vocabulary");
    token->piece_length = token->text_length;
    if (t->byte_level &&
        !byte_level_decode(token->text, token->text_length, token->piece, &token->piece_length))
        return true;
    token_map_add(&t->by_piece, token->piece, token->piece_length, id);
    return true;
}

static void find_byte_tokens(struct tokenizer *t) {
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        size_t length = t->byte_level ? byte_level_spell((uint8_t)byte, text)
                                      : (size_t)snprintf(text, sizeof text, "<0x%02X>", byte);
        int32_t id = token_map_find_text(t, text, length);
        bool found = id >= 0 && t->tokens[id].in_model && !t->tokens[id].special;
        t->byte_tokens[byte] = found ? id : -1;
    }
}

bool tokenizer_set_bytes(struct tokenizer *t, struct error *error) {
    if (!token_map_create(&t->by_piece, t->count, error)) return false;
    for (size_t id = 0; id < t->count; id++)
        if (t->tokens[id].text &&
            (!set_bytes(t, &t->tokens[id], error) || !set_piece(t, (int32_t)id, error)))
            return false;
    find_byte_tokens(t);
    return true;
}

// Longer tokens are left to merging, which is slow only in proportion.
enum { LONGEST_WHOLE = 256 };

bool tokenizer_find_whole(struct tokenizer *t, struct error *error) {
    struct token_ids ids = {0};
    bool ok = true;
    for (size_t id = 0; ok && id < t->count; id++) {
        struct token *token = &t->tokens[id];
        if (!token->piece ||
            token_map_find_piece(t, token->piece, token->piece_length) != (int32_t)id)
            continue;
        token->whole = t->ignore_merges;
        if (token->whole || token->piece_length > LONGEST_WHOLE) continue;
        ids.count = 0;
        ok = bpe_merge(t, token->piece, token->piece_length, &ids, error);
        token->whole = ok && ids.count == 1 && ids.ids[0] == (int32_t)id;
    }
    token_ids_free(&ids);
    return ok;
}
