// Looking characters up, and the canonical forms: every character taken apart, marks put in order
// of their combining class, and, for NFC, put together again from the left. Runs of marks are
// sorted by counting, so that no text takes quadratic time.
#include "model/unicode.h"
#include "base/memory.h"
#include "model/unicode_internal.h"
#include <string.h>

enum {
    NO_CHARACTER = 0x110000, // and on: bytes that are not UTF-8
    HANGUL = 0xac00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11a7,
    HANGUL_L_COUNT = 19,
    HANGUL_V_COUNT = 21,
    HANGUL_T_COUNT = 28,
    HANGUL_COUNT = HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT,
    FIRST_MARK = 0x300, // no character below it changes in NFC
    MOST_STEPS = 8      // of one character's decomposition
};

// ---- UTF-8 ----

static size_t character_size(uint8_t first) {
    return first < 0x80   ? 1
           : first < 0xc2 ? 0
           : first < 0xe0 ? 2
           : first < 0xf0 ? 3
           : first < 0xf5 ? 4
                          : 0;
}

uint32_t unicode_character(const char *text, size_t length, size_t *size) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)*text;
    size_t wanted = character_size(first);
    uint32_t character = wanted > 1 ? first & (0x7fu >> wanted) : first;
    *size = 1;
    if (wanted == 1) return first;
    if (!wanted || wanted > length) return NO_CHARACTER + first;
    for (size_t i = 1; i < wanted; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80) return NO_CHARACTER + first;
        character = character << 6 | ((uint8_t)text[i] & 0x3f);
    }
    if (character < least[wanted] || character >= NO_CHARACTER || (character >> 11) == 0x1b)
        return NO_CHARACTER + first;
    *size = wanted;
    return character;
}

static void append_character(struct buffer *to, uint32_t c) {
    char bytes[4];
    size_t size = 1;
    if (c >= NO_CHARACTER)
        bytes[0] = (char)(c - NO_CHARACTER);
    else if (c < 0x80)
        bytes[0] = (char)c;
    else {
        size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = size - 1; i > 0; i--, c >>= 6)
            bytes[i] = (char)(0x80 | (c & 0x3f));
        bytes[0] = (char)(((0xf00u >> size) & 0xff) | c);
    }
    buffer_append(to, bytes, size);
}

// ---- tables ----

static uint32_t find_range(const struct unicode_range *ranges, size_t count, uint32_t character) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (character > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ranges[low].first <= character ? ranges[low].value : 0;
}

enum character_class unicode_class(uint32_t character) {
    return find_range(unicode_classes, unicode_classes_count, character);
}

bool unicode_is_word(uint32_t character) {
    return find_range(unicode_words, unicode_words_count, character);
}

const char *unicode_newer_ranges(const char *property, size_t length) {
    for (size_t i = 0; i < unicode_newer_count; i++)
        if (strlen(unicode_newer[i].name) == length &&
            !memcmp(unicode_newer[i].name, property, length))
            return unicode_newer[i].ranges;
    return "";
}

static uint32_t combining_class(uint32_t character) {
    if (character < FIRST_MARK) return 0;
    return find_range(unicode_combining, unicode_combining_count, character);
}

// The first row that is not below (a, b).
static const struct unicode_triple *find_triple(
    const struct unicode_triple *rows, size_t count, uint32_t a, uint32_t b) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (rows[middle].a < a || (rows[middle].a == a && rows[middle].b < b))
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && rows[low].a == a ? &rows[low] : NULL;
}

static uint32_t composition(uint32_t a, uint32_t b) {
    if (a - HANGUL_L < HANGUL_L_COUNT && b - HANGUL_V < HANGUL_V_COUNT)
        return HANGUL + ((a - HANGUL_L) * HANGUL_V_COUNT + (b - HANGUL_V)) * HANGUL_T_COUNT;
    if (a - HANGUL < HANGUL_COUNT && (a - HANGUL) % HANGUL_T_COUNT == 0 && b > HANGUL_T &&
        b < HANGUL_T + HANGUL_T_COUNT)
        return a + (b - HANGUL_T);
    const struct unicode_triple *row =
        find_triple(unicode_compositions, unicode_compositions_count, a, b);
    return row && row->b == b ? row->c : 0;
}

// ---- canonical forms ----

// A stretch from one starter to the next: characters with their classes.
struct stretch {
    uint32_t *characters;
    uint8_t *classes;
    size_t count, capacity;
    struct buffer *to;
    bool compose;
};

static bool add(struct stretch *s, uint32_t character, struct error *error) {
    if (s->count == s->capacity) {
        size_t wanted = s->capacity ? 2 * s->capacity : 64;
        uint32_t *characters = memory_resize(s->characters, wanted, sizeof *characters);
        if (characters) s->characters = characters;
        uint8_t *classes = characters ? memory_resize(s->classes, wanted, 1) : NULL;
        if (!classes) return memory_error(error, "a text's canonical form");
        s->classes = classes;
        s->capacity = wanted;
    }
    s->characters[s->count] = character;
    s->classes[s->count++] = (uint8_t)combining_class(character);
    return true;
}

// Marks in order of their class, those of one class as they stood.
static bool sort_marks(uint32_t *characters, uint8_t *classes, size_t count, struct error *error) {
    size_t places[257] = {0}, sorted = 1;
    while (sorted < count && classes[sorted - 1] <= classes[sorted])
        sorted++;
    if (sorted >= count) return true;
    uint32_t *copy = memory_alloc_array(count, sizeof *copy);
    uint8_t *class_copy = memory_alloc(count);
    bool ok = copy && class_copy;
    for (size_t i = 0; ok && i < count; i++)
        places[classes[i] + 1]++;
    for (size_t i = 1; i < 257; i++)
        places[i] += places[i - 1];
    for (size_t i = 0; ok && i < count; i++) {
        size_t place = places[classes[i]]++;
        copy[place] = characters[i];
        class_copy[place] = classes[i];
    }
    if (ok) {
        memcpy(characters, copy, count * sizeof *copy);
        memcpy(classes, class_copy, count);
    }
    memory_free(copy);
    memory_free(class_copy);
    return ok || memory_error(error, "a text's canonical form");
}

static bool order_marks(struct stretch *s, struct error *error) {
    for (size_t from = 0; from < s->count;) {
        size_t to = from;
        while (to < s->count && s->classes[to])
            to++;
        if (to > from && !sort_marks(s->characters + from, s->classes + from, to - from, error))
            return false;
        from = to + 1;
    }
    return true;
}

// A character joins the last starter unless one of its own class, or another starter, is between.
static void compose_all(struct stretch *s) {
    size_t starter = SIZE_MAX, kept = 0;
    int last = -1; // class of the last character kept behind the starter; -1: none is
    for (size_t i = 0; i < s->count; i++) {
        uint32_t joined = starter != SIZE_MAX && last < (int)s->classes[i]
                              ? composition(s->characters[starter], s->characters[i])
                              : 0;
        if (joined) {
            s->characters[starter] = joined;
            continue;
        }
        last = s->classes[i];
        if (!s->classes[i]) {
            starter = kept;
            last = -1;
        }
        s->characters[kept] = s->characters[i];
        s->classes[kept++] = s->classes[i];
    }
    s->count = kept;
}

static bool flush(struct stretch *s, struct error *error) {
    if (!order_marks(s, error)) return false;
    if (s->compose) compose_all(s);
    for (size_t i = 0; i < s->count; i++)
        append_character(s->to, s->characters[i]);
    s->count = 0;
    return true;
}

static bool add_hangul(struct stretch *s, uint32_t syllable, struct error *error) {
    uint32_t v = syllable / HANGUL_T_COUNT % HANGUL_V_COUNT, t = syllable % HANGUL_T_COUNT;
    return add(s, HANGUL_L + syllable / (HANGUL_V_COUNT * HANGUL_T_COUNT), error) &&
           add(s, HANGUL_V + v, error) && (!t || add(s, HANGUL_T + t, error));
}

static bool add_parts(struct stretch *s, uint32_t character, struct error *error) {
    uint32_t behind[MOST_STEPS];
    size_t count = 0;
    if (character - HANGUL < HANGUL_COUNT) return add_hangul(s, character - HANGUL, error);
    for (;;) {
        const struct unicode_triple *row =
            character < 0xc0
                ? NULL
                : find_triple(unicode_decompositions, unicode_decompositions_count, character, 0);
        if (!row || count == MOST_STEPS) break;
        if (row->c) behind[count++] = row->c;
        character = row->b;
    }
    if (!add(s, character, error)) return false;
    while (count)
        if (!add(s, behind[--count], error)) return false;
    return true;
}

// Where a text can be cut: before characters that never join what stands before them.
static bool begins_stretch(uint32_t character) {
    return character < FIRST_MARK || character >= NO_CHARACTER;
}

bool unicode_normalise(
    struct buffer *to, const char *text, size_t length, bool compose, struct error *error) {
    struct stretch stretch = {.to = to, .compose = compose};
    bool ok = true;
    for (size_t at = 0, size; ok && at < length; at += size) {
        uint32_t character = unicode_character(text + at, length - at, &size);
        if (begins_stretch(character)) ok = flush(&stretch, error);
        ok = ok && add_parts(&stretch, character, error);
    }
    ok = ok && flush(&stretch, error);
    memory_free(stretch.characters);
    memory_free(stretch.classes);
    return ok && buffer_ok(to, "a text's canonical form", error);
}
