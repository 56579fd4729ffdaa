// Writing chat completions and their chunks.
#include "service/chat_answer.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/utf8.h"
#include "service/shapes.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TOKEN_TEXT_MAXIMUM = 1 << 20 };

// What OpenAI's API says of the least likely tokens; JSON has no infinity.
#define LEAST_LOGPROB (-9999.0)

static const struct field chat_score_fields[] = {
    SHAPE_TEXT("token"),
    {"logprob", FIELD_NUMBER, FIELD_REQUIRED},
    {"bytes", FIELD_ARRAY, FIELD_REQUIRED, .items = FIELD_INTEGER, .nullable = true,
        .about = "null for special tokens."},
};
static const struct shape chat_score_shape = SHAPE("ChatCompletionTopLogprob", chat_score_fields);

static const struct field chat_token_fields[] = {
    SHAPE_TEXT("token"),
    {"logprob", FIELD_NUMBER, FIELD_REQUIRED,
        .about = "Of the model's own distribution, before temperature, bias and penalties."},
    {"bytes", FIELD_ARRAY, FIELD_REQUIRED, .items = FIELD_INTEGER, .nullable = true},
    {"top_logprobs", FIELD_ARRAY, FIELD_REQUIRED, .shape = &chat_score_shape},
};
static const struct shape chat_token_shape = SHAPE("ChatCompletionTokenLogprob", chat_token_fields);

static const struct field chat_logprobs_fields[] = {
    {"content", FIELD_ARRAY, FIELD_REQUIRED, .shape = &chat_token_shape},
    {"refusal", FIELD_ARRAY, FIELD_REQUIRED, .nullable = true, .items = FIELD_ANY},
};
static const struct shape chat_logprobs_shape =
    SHAPE("ChatCompletionLogprobs", chat_logprobs_fields);

static const struct field chat_message_fields[] = {
    SHAPE_TEXT("role"),
    SHAPE_TEXT("content"),
    SHAPE_TEXT_OR_NULL("refusal"),
};
static const struct shape chat_message_shape = SHAPE("ChatCompletionMessage", chat_message_fields);

static const struct field chat_choice_fields[] = {
    SHAPE_COUNT("index"),
    {"message", FIELD_OBJECT, FIELD_REQUIRED, .shape = &chat_message_shape},
    {"logprobs", FIELD_OBJECT, FIELD_REQUIRED, .shape = &chat_logprobs_shape, .nullable = true},
    SHAPE_TEXT("finish_reason"),
};
static const struct shape chat_choice_shape = SHAPE("ChatCompletionChoice", chat_choice_fields);

static const struct field chat_usage_fields[] = {
    SHAPE_COUNT("prompt_tokens"),
    SHAPE_COUNT("completion_tokens"),
    SHAPE_COUNT("total_tokens"),
    {"prompt_tokens_details", FIELD_OBJECT},
    {"completion_tokens_details", FIELD_OBJECT},
};
static const struct shape chat_usage_shape = SHAPE("ChatCompletionUsage", chat_usage_fields);

static const struct field chat_fields[] = {
    SHAPE_TEXT("id"),
    SHAPE_TEXT("object"),
    SHAPE_COUNT("created"),
    SHAPE_TEXT("model"),
    {"choices", FIELD_ARRAY, FIELD_REQUIRED, .shape = &chat_choice_shape},
    SHAPE_TEXT("system_fingerprint"),
    {"usage", FIELD_OBJECT, FIELD_REQUIRED, .shape = &chat_usage_shape},
};
const struct shape chat_shape = SHAPE("ChatCompletion", chat_fields);

// What made the answer: OpenAI's clients may compare it to see that a model's server has changed.
#define FINGERPRINT "fp_temper_" TEMPER_VERSION

bool chat_answer_init(
    struct chat_answer *answer, const char *model, bool include_usage, struct error *error) {
    *answer = (struct chat_answer){
        .id = "chatcmpl-",
        .created = time(NULL),
        .model = memory_copy_string(model),
        .include_usage = include_usage,
    };
    if (!answer->model) return memory_error(error, "an answer");
    return random_secret(answer->id + strlen(answer->id), 24, error);
}

void chat_answer_free(struct chat_answer *answer) {
    memory_free(answer->model);
    answer->model = NULL;
}

// ---- scores ----

// A token's text as JSON can hold it: bytes that are no UTF-8 are written as OpenAI does, "\\xf0".
static json_t *token_text(const struct engine_token *token) {
    struct buffer text;
    const char *bytes = token->text;
    size_t left = token->length;
    buffer_init(&text, TOKEN_TEXT_MAXIMUM);
    while (left) {
        size_t valid = utf8_valid_length(bytes, left);
        buffer_append(&text, bytes, valid);
        if (valid < left) buffer_append_format(&text, "\\x%02x", (unsigned char)bytes[valid++]);
        bytes += valid;
        left -= valid;
    }
    json_t *string = json_stringn(buffer_text(&text), text.length);
    buffer_free(&text);
    return string;
}

static json_t *token_bytes(const struct engine_token *token) {
    if (token->special) return json_null();
    json_t *bytes = json_array();
    for (size_t i = 0; i < token->length; i++)
        json_array_append_new(bytes, json_integer((unsigned char)token->text[i]));
    return bytes;
}

static json_t *token_object(const struct engine_token *token) {
    double least = token->log_probability > LEAST_LOGPROB ? token->log_probability : LEAST_LOGPROB;
    return json_pack("{s:o, s:f, s:o}", "token", token_text(token), "logprob", least, "bytes",
        token_bytes(token));
}

json_t *chat_answer_scores(const struct engine_scored *scored, size_t count) {
    json_t *scores = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *likeliest = json_array(), *one = token_object(&scored[i].token);
        for (size_t j = 0; j < scored[i].likeliest_count; j++)
            json_array_append_new(likeliest, token_object(&scored[i].likeliest[j]));
        json_object_set_new(one, "top_logprobs", likeliest);
        json_array_append_new(scores, one);
    }
    return scores;
}

// The object "logprobs"; takes `scores` over.
static json_t *logprobs(json_t *scores) {
    return scores ? json_pack("{s:o, s:n}", "content", scores, "refusal") : json_null();
}

// ---- whole answers ----

json_t *chat_answer_choice(int index, const char *text, json_t *scores, const char *finish_reason) {
    return json_pack("{s:i, s:{s:s, s:s, s:n}, s:o, s:s}", "index", index, "message", "role",
        "assistant", "content", text, "refusal", "logprobs", logprobs(scores), "finish_reason",
        finish_reason);
}

static json_t *usage_object(const struct chat_answer *answer) {
    return json_pack("{s:I, s:I, s:I, s:{s:i, s:i}, s:{s:i, s:i, s:i, s:i}}",            //
        "prompt_tokens", (json_int_t)answer->prompt_tokens,                              //
        "completion_tokens", (json_int_t)answer->completion_tokens,                      //
        "total_tokens", (json_int_t)(answer->prompt_tokens + answer->completion_tokens), //
        "prompt_tokens_details", "cached_tokens", 0, "audio_tokens", 0,                  //
        "completion_tokens_details", "reasoning_tokens", 0, "audio_tokens", 0,           //
        "accepted_prediction_tokens", 0, "rejected_prediction_tokens", 0);
}

// The object that both the whole and the chunks are; takes `choices` over.
static json_t *envelope(const struct chat_answer *answer, const char *kind, json_t *choices) {
    return json_pack("{s:s, s:s, s:I, s:s, s:o, s:s}", "id", answer->id, "object", kind, "created",
        (json_int_t)answer->created, "model", answer->model, "choices", choices,
        "system_fingerprint", FINGERPRINT);
}

json_t *chat_answer_whole(const struct chat_answer *answer, json_t *choices) {
    json_t *whole = envelope(answer, "chat.completion", choices);
    if (whole) json_object_set_new(whole, "usage", usage_object(answer));
    return whole;
}

static char *chunk_text(const struct chat_answer *answer, json_t *choices, json_t *usage) {
    json_t *chunk = envelope(answer, "chat.completion.chunk", choices);
    if (chunk && answer->include_usage) json_object_set(chunk, "usage", usage);
    char *text = chunk ? json_dumps(chunk, JSON_COMPACT) : NULL;
    char *copy = text ? memory_copy_string(text) : NULL;
    free(text);
    json_decref(chunk);
    return copy;
}

// ---- chunks ----

// Takes `delta` and `scores` over.
static char *choice_chunk(const struct chat_answer *answer, int index, json_t *delta,
    json_t *scores, const char *finish_reason) {
    json_t *choices = json_pack("[{s:i, s:o, s:o, s:s?}]", "index", index, "delta", delta,
        "logprobs", logprobs(scores), "finish_reason", finish_reason);
    return choices ? chunk_text(answer, choices, json_null()) : NULL;
}

char *chat_answer_begin(const struct chat_answer *answer, int index) {
    json_t *delta = json_pack("{s:s, s:s, s:n}", "role", "assistant", "content", "", "refusal");
    return choice_chunk(answer, index, delta, NULL, NULL);
}

char *chat_answer_piece(
    const struct chat_answer *answer, const struct engine_piece *piece, json_t *scores) {
    json_t *delta = json_pack("{s:s%}", "content", piece->text, piece->length);
    return choice_chunk(answer, piece->choice, delta, scores, NULL);
}

char *chat_answer_end(const struct chat_answer *answer, int index, const char *finish_reason) {
    return choice_chunk(answer, index, json_object(), NULL, finish_reason);
}

char *chat_answer_usage(const struct chat_answer *answer) {
    json_t *usage = usage_object(answer);
    char *text = chunk_text(answer, json_array(), usage);
    json_decref(usage);
    return text;
}
