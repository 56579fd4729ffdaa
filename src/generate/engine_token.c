// What becomes of a token: how it is drawn, how its text is shown, and, where scores were asked
// for, how likely it was. A token's score is shown with its text: never before it, and never where
// its text belongs to a stop.
#include "base/memory.h"
#include "generate/engine_internal.h"
#include "generate/token_scores.h"
#include <string.h>

static size_t vocabulary_of(const struct sequence *sequence) {
    return transformer_config(sequence->job->loaded->transformer)->vocabulary_size;
}

// ---- scores ----

static struct engine_token describe(
    const struct tokenizer *tokenizer, const struct token_score *score) {
    struct engine_token token = {.log_probability = score->log_probability};
    token.text = tokenizer_token_bytes(tokenizer, score->token, &token.length);
    if (token.length) return token;
    const char *spelling = tokenizer_token_text(tokenizer, score->token);
    token.special = true;
    token.text = spelling ? spelling : "";
    token.length = strlen(token.text);
    return token;
}

static bool grow_held(struct sequence *sequence, struct error *error) {
    size_t capacity = sequence->held_capacity ? 2 * sequence->held_capacity : 4;
    struct held_token *held = memory_resize(sequence->held, capacity, sizeof *held);
    if (!held) return memory_error(error, "the scores of tokens");
    sequence->held = held;
    sequence->held_capacity = capacity;
    return true;
}

// Keeps the token's score until its text, of `length` bytes, is shown.
static bool hold_score(struct sequence *sequence, const float *logits, int32_t token,
    const char *bytes, size_t length, struct error *error) {
    struct token_score best[ENGINE_LIKELIEST], taken = {token, 0};
    const struct job *job = sequence->job;
    const struct tokenizer *tokenizer = chat_format_tokenizer(job->loaded->format);
    size_t vocabulary = vocabulary_of(sequence), count = job->request.likeliest;
    if (count > ENGINE_LIKELIEST) count = ENGINE_LIKELIEST;
    if (count > vocabulary) count = vocabulary;
    if (!job->request.scores) return true;
    if (sequence->held_count == sequence->held_capacity && !grow_held(sequence, error))
        return false;
    taken.log_probability = token_scores(logits, vocabulary, token, best, count);
    sequence->bytes += length;
    struct held_token *held = &sequence->held[sequence->held_count++];
    *held = (struct held_token){.end = sequence->bytes};
    held->scored.token = describe(tokenizer, &taken);
    if (!held->scored.token.special) { // as it stands in this text
        held->scored.token.text = bytes;
        held->scored.token.length = length;
    }
    held->scored.likeliest_count = count;
    for (size_t i = 0; i < count; i++)
        held->scored.likeliest[i] = describe(tokenizer, &best[i]);
    return true;
}

// How many of the held tokens have been shown; that in which a stop text begins is cut there.
static size_t count_shown(struct sequence *sequence) {
    size_t shown = 0, released = sequence->stream.released;
    while (shown < sequence->held_count && sequence->held[shown].end <= released)
        shown++;
    if (!sequence->stream.stopped || shown == sequence->held_count) return shown;
    struct held_token *cut = &sequence->held[shown];
    size_t hidden = cut->end - released;
    if (cut->scored.token.special || hidden >= cut->scored.token.length) return shown;
    cut->scored.token.length -= hidden;
    return shown + 1;
}

static bool make_shown(struct engine *engine, struct sequence *sequence, size_t count) {
    if (count > engine->shown_capacity) {
        struct engine_scored *shown = memory_resize(engine->shown, count, sizeof *shown);
        if (!shown) return memory_error(&sequence->job->result.error, "the scores of tokens");
        engine->shown = shown;
        engine->shown_capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        engine->shown[i] = sequence->held[i].scored;
    sequence->held_count -= count;
    memmove(sequence->held, sequence->held + count, sequence->held_count * sizeof *sequence->held);
    return true;
}

// ---- text ----

// Shows engine->ready, and the scores of what it is made of.
static bool show(struct engine *engine, struct sequence *sequence) {
    const struct engine_request *request = &sequence->job->request;
    size_t count = sequence->held_count ? count_shown(sequence) : 0;
    if (count && !make_shown(engine, sequence, count)) return false;
    struct engine_piece piece = {
        sequence->index, buffer_text(&engine->ready), engine->ready.length, engine->shown, count};
    if ((piece.length || count) && request->piece) request->piece(request->context, &piece);
    return true;
}

bool sequence_show_rest(struct engine *engine, struct sequence *sequence, struct error *error) {
    return text_stream_finish(&sequence->stream, &engine->ready, error) && show(engine, sequence);
}

// ---- tokens ----

static int32_t draw(struct sequence *sequence, const float *logits) {
    struct sampler_scratch *scratch = &sequence->job->loaded->scratch;
    size_t vocabulary = vocabulary_of(sequence);
    const struct logit_changes *changes = &sequence->changes;
    if (changes->bias_count || changes->count) {
        memcpy(scratch->changed, logits, vocabulary * sizeof *logits);
        logit_changes_apply(changes, scratch->changed);
        logits = scratch->changed;
    }
    return sampler_pick(
        &sequence->sampler, logits, vocabulary, (uint64_t)sequence->tokens, scratch);
}

static bool add_text(struct engine *engine, struct sequence *sequence, int32_t token,
    const float *logits, struct error *error) {
    const struct tokenizer *tokenizer = chat_format_tokenizer(sequence->job->loaded->format);
    size_t length;
    const char *bytes = sequence->begun ? tokenizer_token_bytes(tokenizer, token, &length)
                                        : tokenizer_first_bytes(tokenizer, token, &length);
    sequence->begun = sequence->begun || !tokenizer_is_special(tokenizer, token);
    return hold_score(sequence, logits, token, bytes, length, error) &&
           text_stream_add(&sequence->stream, bytes, length, &engine->ready, error) &&
           show(engine, sequence);
}

bool sequence_take_token(struct engine *engine, struct sequence *sequence, const float *logits,
    enum engine_reason *reason) {
    struct job *job = sequence->job;
    struct error *error = &job->result.error;
    int32_t token = draw(sequence, logits);
    sequence->tokens++;
    *reason = ENGINE_STOP;
    if (chat_format_ends(job->loaded->format, token)) return false;
    sequence->next_token = token;
    *reason = ENGINE_FAILED;
    if (!logit_changes_note(&sequence->changes, token, error) ||
        !add_text(engine, sequence, token, logits, error))
        return false;
    *reason = sequence->stream.stopped ? ENGINE_STOP : ENGINE_LENGTH;
    return !sequence->stream.stopped && (size_t)sequence->tokens < job->most_tokens;
}
