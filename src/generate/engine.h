// The engine: all that `service` sees of a model. Requests go in, text comes out through callbacks;
// which requests share a pass through which weights is the engine's own affair.
//
// Callbacks come from the engine's threads, never from inside a call of this header, and none comes
// after `finished`. They must not block. Any function may be called from any thread.
#ifndef GENERATE_ENGINE_H
#define GENERATE_ENGINE_H

#include "base/error.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct engine;

enum {
    ENGINE_CHOICES = 128, // most of one request
    ENGINE_LIKELIEST = 20,
};

struct engine_options {
    int threads;               // 0 for all cores
    const char *chat_template; // a file in place of every model's own template, or NULL; borrowed
};

bool engine_open(
    struct engine **engine, const struct engine_options *options, struct error *error) WARN_UNUSED;

// Cancels what still runs, and waits for its callbacks.
void engine_close(struct engine *engine);

enum engine_reason {
    ENGINE_STOP,   // the model ended its turn, or a stop text came
    ENGINE_LENGTH, // the most tokens were reached, or the context was full
    ENGINE_CANCELLED,
    ENGINE_FAILED, // `error` says why; ERROR_INVALID: the request is at fault
};

// What of a request is at fault, where it failed as ERROR_INVALID.
enum engine_fault {
    ENGINE_FAULT_MESSAGES, // the template refuses them
    ENGINE_FAULT_LENGTH,   // they do not fit the context
    ENGINE_FAULT_BIAS,     // a biased token is outside the vocabulary
};

struct engine_result {
    enum engine_reason reason; // ENGINE_STOP or _LENGTH: all choices ended, the last one so
    enum engine_fault fault;
    int64_t prompt_tokens, completion_tokens; // the latter of all choices
    struct error error;
};

// A token, and the natural logarithm of the probability that the model gave it.
struct engine_token {
    const char *text; // its bytes, no string; special tokens: as the vocabulary spells them
    size_t length;
    bool special; // it stands for no bytes
    double log_probability;
};

struct engine_scored {
    struct engine_token token;
    struct engine_token likeliest[ENGINE_LIKELIEST]; // the first is the likeliest of all
    size_t likeliest_count;
};

// A piece of a choice's answer: whole UTF-8 characters only; what may become a stop text is held
// back. All is the engine's, for the time of the call.
struct engine_piece {
    int choice;
    const char *text;
    size_t length;                      // 0 only where there are tokens
    const struct engine_scored *scored; // the tokens that it is made of, where they were asked for
    size_t scored_count;
};

struct engine_bias {
    int32_t token;
    float amount; // added to its logit
};

struct engine_request {
    const char *model;      // directory of the base model
    const char *adapter;    // directory of the adapter, NULL for none
    const json_t *messages; // [{"role", "content"}], checked
    const json_t *tools;    // that the model is told of, or NULL
    double temperature, top_p;
    // Of the logit of each token that stands c > 0 times in the answer so far,
    // c · frequency + presence is taken away (OpenAI, "Frequency and presence penalties").
    double frequency_penalty, presence_penalty;
    const struct engine_bias *biases;
    size_t bias_count;
    int choices;         // 0 for 1; each samples for itself, after one and the same prompt
    long maximum_tokens; // of a choice; 0: as many as the context holds
    int64_t
        context_tokens; // the most that prompt and answer may have; 0: as many as the model takes
    bool has_seed;
    uint64_t seed;
    const char *const *stops;
    size_t stop_count;
    bool scores;      // say how likely each token was
    size_t likeliest; // and which were the likeliest, at most ENGINE_LIKELIEST
    bool background;  // waits while any other request is there, and never delays one
    void *context;    // of the callbacks
    void (*piece)(void *context, const struct engine_piece *piece);
    // A choice has ended, with ENGINE_STOP or ENGINE_LENGTH; may be NULL.
    void (*ended)(void *context, int choice, enum engine_reason reason);
    void (*finished)(void *context, const struct engine_result *result);
};

// Queues a request, of which a copy is taken. *ticket, never 0, names it for engine_cancel. Too
// many waiting: ERROR_CONFLICT.
bool engine_submit(struct engine *engine, const struct engine_request *request, uint64_t *ticket,
    struct error *error) WARN_UNUSED;

// Ends a request: no token is taken after this. One that has ended, or never was, is none of a
// fault.
void engine_cancel(struct engine *engine, uint64_t ticket);

// What the engine has done since it was opened, and does now.
struct engine_counts {
    size_t waiting, running;                       // requests; choices
    size_t background_waiting, background_running; // the same of those in the background
    uint64_t prompt_tokens, completion_tokens;     // computed, whatever became of them
    uint64_t finished, cancelled;                  // requests; the former are all
};

void engine_count(struct engine *engine, struct engine_counts *counts);

#endif
