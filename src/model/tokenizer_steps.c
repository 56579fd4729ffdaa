// Reading what a tokenizer.json does around its model: normalizer, pre_tokenizer, post_processor
// and decoder. Everything that changes how text becomes tokens is either done or refused.
#include "base/memory.h"
#include "model/tokenizer_reading.h"

typedef bool (*step_reader)(struct tokenizer *t, const json_t *step, struct error *error);

struct step_kind {
    const char *type;
    step_reader read;
};

bool tokenizer_unsupported(struct error *error, const char *what, const char *name) {
    return error_set(error, ERROR_UNSUPPORTED, "tokenizer.json: the %s '%.100s' is not supported",
        what, name ? name : "without a type");
}

const char *tokenizer_type(const json_t *object) {
    return json_string_value(json_object_get(object, "type"));
}

bool tokenizer_is_type(const json_t *object, const char *name) {
    const char *type = tokenizer_type(object);
    return type && !strcmp(type, name);
}

static const char *text_of(const json_t *object, const char *field) {
    return json_string_value(json_object_get(object, field));
}

static bool is_text(const json_t *object, const char *field, const char *text) {
    const char *value = text_of(object, field);
    return value && !strcmp(value, text);
}

// A step by its type; steps in `list` of a "Sequence" one after another.
static bool read_step(struct tokenizer *t, const json_t *step, const char *what, const char *list,
    const struct step_kind *kinds, struct error *error) {
    if (!step || json_is_null(step)) return true;
    if (tokenizer_is_type(step, "Sequence")) {
        const json_t *steps = json_object_get(step, list);
        for (size_t i = 0; i < json_array_size(steps); i++) {
            const json_t *each = json_array_get(steps, i);
            if (tokenizer_is_type(each, "Sequence"))
                return tokenizer_unsupported(error, what, "Sequence in a Sequence");
            if (!read_step(t, each, what, list, kinds, error)) return false;
        }
        return true;
    }
    for (; kinds->type; kinds++)
        if (tokenizer_is_type(step, kinds->type)) return kinds->read(t, step, error);
    return tokenizer_unsupported(error, what, tokenizer_type(step));
}

// ---- normalizer ----

enum { MAX_REPLACEMENT = 64 };

static bool add_normaliser(struct tokenizer *t, enum normaliser_kind kind, const char *from,
    const char *to, struct error *error) {
    if (t->normaliser_count == MAX_STEPS)
        return tokenizer_unsupported(error, "normalizer", "Sequence of more than 16");
    struct normaliser *new = &t->normalisers[t->normaliser_count++];
    *new = (struct normaliser){.kind = kind};
    if (from) new->from = memory_copy_string(from);
    if (to) new->to = memory_copy_string(to);
    return (!from || new->from) && (!to || new->to) ? true : memory_error(error, "a normalizer");
}

static bool read_prepend(struct tokenizer *t, const json_t *step, struct error *error) {
    const char *text = text_of(step, "prepend");
    if (!text || strlen(text) > MAX_REPLACEMENT)
        return tokenizer_unsupported(error, "Prepend normalizer's prepend", text);
    return add_normaliser(t, NORMALISER_PREPEND, NULL, text, error);
}

static bool read_replace(struct tokenizer *t, const json_t *step, struct error *error) {
    const char *pattern = text_of(json_object_get(step, "pattern"), "String");
    const char *content = text_of(step, "content");
    if (!pattern || !*pattern)
        return tokenizer_unsupported(
            error, "Replace normalizer's pattern", "other than a String of some length");
    if (!content || strlen(content) > MAX_REPLACEMENT)
        return tokenizer_unsupported(error, "Replace normalizer's content", content);
    return add_normaliser(t, NORMALISER_REPLACE, pattern, content, error);
}

static bool read_nfc(struct tokenizer *t, const json_t *step, struct error *error) {
    (void)step;
    return add_normaliser(t, NORMALISER_NFC, NULL, NULL, error);
}

static bool read_nfd(struct tokenizer *t, const json_t *step, struct error *error) {
    (void)step;
    return add_normaliser(t, NORMALISER_NFD, NULL, NULL, error);
}

static const struct step_kind normalisers[] = {{"Prepend", read_prepend}, {"Replace", read_replace},
    {"NFC", read_nfc}, {"NFD", read_nfd}, {NULL, NULL}};

// ---- pre-tokenizers ----

static struct pre_tokenizer *add_pre_tokenizer(
    struct tokenizer *t, enum pre_tokenizer_kind kind, struct error *error) {
    if (t->pre_tokenizer_count == MAX_STEPS) {
        tokenizer_unsupported(error, "pre_tokenizer", "Sequence of more than 16");
        return NULL;
    }
    if (t->byte_level) {
        tokenizer_unsupported(error, "pre_tokenizer", "Sequence with a step behind ByteLevel");
        return NULL;
    }
    struct pre_tokenizer *new = &t->pre_tokenizers[t->pre_tokenizer_count++];
    *new = (struct pre_tokenizer){.kind = kind};
    return new;
}

static bool read_behaviour(struct pre_tokenizer *pre, const json_t *step, struct error *error) {
    static const char *const names[] = {
        [BEHAVIOUR_ISOLATED] = "Isolated",
        [BEHAVIOUR_REMOVED] = "Removed",
        [BEHAVIOUR_CONTIGUOUS] = "Contiguous",
        [BEHAVIOUR_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [BEHAVIOUR_MERGED_WITH_NEXT] = "MergedWithNext",
    };
    pre->invert = json_is_true(json_object_get(step, "invert"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_text(step, "behavior", names[i])) {
            pre->behaviour = (enum behaviour)i;
            return true;
        }
    return tokenizer_unsupported(
        error, "Split pre_tokenizer's behavior", text_of(step, "behavior"));
}

static bool read_split(struct tokenizer *t, const json_t *step, struct error *error) {
    const json_t *pattern = json_object_get(step, "pattern");
    const char *regex = text_of(pattern, "Regex"), *literal = text_of(pattern, "String");
    struct pre_tokenizer *pre = add_pre_tokenizer(t, PRE_TOKENIZER_SPLIT, error);
    if (!pre || !read_behaviour(pre, step, error)) return false;
    if (regex) return split_pattern_set(pre, regex, error);
    if (!literal || !*literal)
        return tokenizer_unsupported(error, "Split pre_tokenizer's pattern", literal);
    pre->finder = FIND_LITERAL;
    pre->literal = memory_copy_string(literal);
    return pre->literal || memory_error(error, "a pattern");
}

static bool read_byte_level(struct tokenizer *t, const json_t *step, struct error *error) {
    if (!json_is_false(json_object_get(step, "add_prefix_space")) &&
        !add_pre_tokenizer(t, PRE_TOKENIZER_PREFIX, error))
        return false;
    if (!json_is_false(json_object_get(step, "use_regex"))) {
        struct pre_tokenizer *pre = add_pre_tokenizer(t, PRE_TOKENIZER_SPLIT, error);
        if (!pre || !split_pattern_set(pre, split_gpt2_pattern, error)) return false;
    }
    if (t->byte_level) return tokenizer_unsupported(error, "pre_tokenizer", "ByteLevel, twice");
    return t->byte_level = true;
}

static bool read_scheme(const json_t *step, enum prepend_scheme *scheme) {
    static const char *const names[] = {
        [PREPEND_ALWAYS] = "always", [PREPEND_NEVER] = "never", [PREPEND_FIRST] = "first"};
    if (!json_object_get(step, "prepend_scheme")) {
        bool never = json_is_false(json_object_get(step, "add_prefix_space"));
        *scheme = never ? PREPEND_NEVER : PREPEND_ALWAYS;
        return true;
    }
    for (size_t i = 0; i < 3; i++)
        if (is_text(step, "prepend_scheme", names[i])) {
            *scheme = (enum prepend_scheme)i;
            return true;
        }
    return false;
}

static bool check_metaspace(const json_t *step, enum prepend_scheme *scheme, struct error *error) {
    if (!is_text(step, "replacement", SPACE_MARK))
        return tokenizer_unsupported(
            error, "Metaspace's replacement", text_of(step, "replacement"));
    return read_scheme(step, scheme) || tokenizer_unsupported(error, "Metaspace's prepend_scheme",
                                            text_of(step, "prepend_scheme"));
}

static bool read_metaspace(struct tokenizer *t, const json_t *step, struct error *error) {
    struct pre_tokenizer *pre = add_pre_tokenizer(t, PRE_TOKENIZER_METASPACE, error);
    if (!pre || !check_metaspace(step, &pre->prepend, error)) return false;
    pre->split = !json_is_false(json_object_get(step, "split"));
    return true;
}

static bool read_digits(struct tokenizer *t, const json_t *step, struct error *error) {
    struct pre_tokenizer *pre = add_pre_tokenizer(t, PRE_TOKENIZER_SPLIT, error);
    if (!pre) return false;
    pre->finder = FIND_DIGITS;
    pre->behaviour = json_is_true(json_object_get(step, "individual_digits"))
                         ? BEHAVIOUR_ISOLATED
                         : BEHAVIOUR_CONTIGUOUS;
    return true;
}

static const struct step_kind pre_tokenizers[] = {{"Split", read_split},
    {"ByteLevel", read_byte_level}, {"Metaspace", read_metaspace}, {"Digits", read_digits},
    {NULL, NULL}};

// ---- post-processor ----

static bool read_nothing(struct tokenizer *t, const json_t *step, struct error *error) {
    (void)t, (void)step, (void)error;
    return true;
}

// "single" may be one special token and the text.
static bool read_template(struct tokenizer *t, const json_t *step, struct error *error) {
    const json_t *single = json_object_get(step, "single");
    size_t count = json_array_size(single);
    const json_t *special = json_object_get(json_array_get(single, 0), "SpecialToken");
    const char *text = text_of(special, "id");
    if (!count || count != (special ? 2 : 1) ||
        !is_text(json_object_get(json_array_get(single, count - 1), "Sequence"), "id", "A"))
        return tokenizer_unsupported(error, "TemplateProcessing post_processor's single",
            "other than one token before the text");
    if (!special) return true;
    t->bos = text ? tokenizer_token_id(t, text) : -1;
    return t->bos >= 0 || tokenizer_unsupported(error, "post_processor's unknown token", text);
}

static const struct step_kind post_processors[] = {
    {"ByteLevel", read_nothing}, {"TemplateProcessing", read_template}, {NULL, NULL}};

// ---- decoder ----

static bool decode_byte_level(struct tokenizer *t, const json_t *step, struct error *error) {
    (void)step, (void)error;
    t->decoder = DECODER_BYTE_LEVEL;
    return true;
}

static bool decode_metaspace(struct tokenizer *t, const json_t *step, struct error *error) {
    enum prepend_scheme scheme;
    if (!check_metaspace(step, &scheme, error)) return false;
    t->decoder = DECODER_MARKS;
    if (scheme != PREPEND_NEVER) t->first_space = FIRST_SPACES_GO;
    return true;
}

static bool decode_replace(struct tokenizer *t, const json_t *step, struct error *error) {
    const char *pattern = text_of(json_object_get(step, "pattern"), "String");
    t->decoder = DECODER_MARKS;
    return (pattern && !strcmp(pattern, SPACE_MARK) && is_text(step, "content", " ")) ||
           tokenizer_unsupported(error, "Replace decoder's pattern", pattern);
}

static bool decode_fallback(struct tokenizer *t, const json_t *step, struct error *error) {
    (void)step, (void)error;
    return t->decodes_fallback = true;
}

static bool decode_strip(struct tokenizer *t, const json_t *step, struct error *error) {
    json_int_t start = json_integer_value(json_object_get(step, "start"));
    json_int_t stop = json_integer_value(json_object_get(step, "stop"));
    if (stop || start < 0 || start > 1 || !is_text(step, "content", " "))
        return tokenizer_unsupported(error, "Strip decoder", "of other than one space in front");
    if (start) t->first_space = FIRST_SPACE_GOES;
    return true;
}

static const struct step_kind decoders[] = {{"ByteLevel", decode_byte_level},
    {"Metaspace", decode_metaspace}, {"Replace", decode_replace}, {"ByteFallback", decode_fallback},
    {"Fuse", read_nothing}, {"Strip", decode_strip}, {NULL, NULL}};

static bool read_decoder(struct tokenizer *t, const json_t *decoder, struct error *error) {
    bool given = decoder && !json_is_null(decoder);
    t->decoder = given ? DECODER_PLAIN : t->byte_level ? DECODER_BYTE_LEVEL : DECODER_MARKS;
    t->decodes_fallback = !given && t->byte_fallback;
    return read_step(t, decoder, "decoder", "decoders", decoders, error);
}

// ---- all of it ----

bool tokenizer_read_steps(struct tokenizer *t, const json_t *root, struct error *error) {
    return read_step(t, json_object_get(root, "normalizer"), "normalizer", "normalizers",
               normalisers, error) &&
           read_step(t, json_object_get(root, "pre_tokenizer"), "pre_tokenizer", "pretokenizers",
               pre_tokenizers, error) &&
           read_step(t, json_object_get(root, "post_processor"), "post_processor", "processors",
               post_processors, error) &&
           read_decoder(t, json_object_get(root, "decoder"), error);
}
