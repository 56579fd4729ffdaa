// Writing chat completions and their chunks.
#include "service/chat_answer.h"
#include "base/memory.h"
#include "base/random.h"
#include "service/shapes.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct field chat_choice_fields[] = {
    SHAPE_COUNT("index"),
    {"message", FIELD_OBJECT, FIELD_REQUIRED},
    {"logprobs", FIELD_OBJECT, FIELD_REQUIRED, .nullable = true},
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

json_t *chat_answer_choice(int index, const char *text, const char *finish_reason) {
    return json_pack("{s:i, s:{s:s, s:s, s:n}, s:n, s:s}", "index", index, "message", "role",
        "assistant", "content", text, "refusal", "logprobs", "finish_reason", finish_reason);
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

// Takes `delta` over.
static char *choice_chunk(
    const struct chat_answer *answer, int index, json_t *delta, const char *finish_reason) {
    json_t *choices = json_pack("[{s:i, s:o, s:n, s:s?}]", "index", index, "delta", delta,
        "logprobs", "finish_reason", finish_reason);
    return choices ? chunk_text(answer, choices, json_null()) : NULL;
}

char *chat_answer_begin(const struct chat_answer *answer, int index) {
    json_t *delta = json_pack("{s:s, s:s, s:n}", "role", "assistant", "content", "", "refusal");
    return choice_chunk(answer, index, delta, NULL);
}

char *chat_answer_piece(
    const struct chat_answer *answer, int index, const char *text, size_t length) {
    return choice_chunk(answer, index, json_pack("{s:s%}", "content", text, length), NULL);
}

char *chat_answer_end(const struct chat_answer *answer, int index, const char *finish_reason) {
    return choice_chunk(answer, index, json_object(), finish_reason);
}

char *chat_answer_usage(const struct chat_answer *answer) {
    json_t *usage = usage_object(answer);
    char *text = chunk_text(answer, json_array(), usage);
    json_decref(usage);
    return text;
}
