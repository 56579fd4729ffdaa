// Normalizers: what is done to a text before the pre-tokenizers see it. Marks (which bytes are
// nothing but text) go along; after a canonical form, all of a text that holds any is marked.
#include "model/tokenizer_internal.h"
#include "model/unicode.h"

struct step {
    const struct normaliser *normaliser;
    const struct span *from;
    struct buffer *text, *marks;
    struct error *error;
};

static void append_marks(struct step *s, uint8_t mark, size_t length) {
    for (size_t i = 0; s->from->marked && i < length; i++)
        buffer_append_char(s->marks, (char)mark);
}

static void copy(struct step *s, size_t from, size_t to) {
    buffer_append(s->text, s->from->text + from, to - from);
    if (s->from->marked) buffer_append(s->marks, s->from->marked + from, to - from);
}

static void replace(struct step *s) {
    const char *wanted = s->normaliser->from;
    size_t size = strlen(wanted), done = 0, new_size = strlen(s->normaliser->to);
    const char *text = s->from->text, *found;
    while ((found = memmem(text + done, s->from->length - done, wanted, size))) {
        size_t at = (size_t)(found - text);
        copy(s, done, at);
        buffer_append(s->text, s->normaliser->to, new_size);
        append_marks(s, s->from->marked ? s->from->marked[at] : 0, new_size);
        done = at + size;
    }
    copy(s, done, s->from->length);
}

static void prepend(struct step *s) {
    size_t size = strlen(s->normaliser->to);
    buffer_append(s->text, s->normaliser->to, size);
    append_marks(s, 0, size);
    copy(s, 0, s->from->length);
}

static bool canonical(struct step *s) {
    size_t before = s->text->length;
    bool marked = s->from->marked && memchr(s->from->marked, 1, s->from->length);
    bool ok = unicode_normalise(
        s->text, s->from->text, s->from->length, s->normaliser->kind == NORMALISER_NFC, s->error);
    append_marks(s, marked, s->text->length - before);
    return ok;
}

static bool take_step(struct step *s) {
    switch (s->normaliser->kind) {
    case NORMALISER_PREPEND:
        if (s->from->length) prepend(s);
        break;
    case NORMALISER_REPLACE:
        replace(s);
        break;
    case NORMALISER_NFC:
    case NORMALISER_NFD:
        if (!canonical(s)) return false;
    }
    return buffer_ok(s->text, "a text", s->error) && buffer_ok(s->marks, "a text", s->error);
}

bool tokenizer_normalise(const struct tokenizer *t, const struct span *span, struct buffer *text,
    struct buffer *marks, struct error *error) {
    struct buffer spare_text, spare_marks;
    struct span from = *span;
    bool ok = true;
    buffer_init(&spare_text, MAX_TEXT);
    buffer_init(&spare_marks, MAX_TEXT);
    for (size_t i = 0; ok && i < t->normaliser_count; i++) {
        struct buffer swap = *text;
        *text = spare_text;
        spare_text = swap;
        swap = *marks;
        *marks = spare_marks;
        spare_marks = swap;
        buffer_clear(text);
        buffer_clear(marks);
        struct step step = {&t->normalisers[i], &from, text, marks, error};
        ok = take_step(&step);
        from = (struct span){buffer_text(text),
            span->marked ? (const uint8_t *)buffer_text(marks) : NULL, text->length, span->special,
            span->first};
    }
    buffer_free(&spare_text);
    buffer_free(&spare_marks);
    return ok;
}
