// What the engine's files share: engine.c (requests in, opening, closing), engine_job.c (a request
// and its choices), engine_prepare.c (models and prompts), engine_token.c (what becomes of a
// token), engine_schedule.c (the scheduler).
//
//   submitted ──▶ waiting ──▶ a preparer's hands ──▶ prepared ──▶ running ──▶ finished
//                    └───────── cancelled ─────────────┴────────────┘
#ifndef GENERATE_ENGINE_INTERNAL_H
#define GENERATE_ENGINE_INTERNAL_H

#include "base/buffer.h"
#include "generate/engine.h"
#include "generate/kv_cache.h"
#include "generate/logit_changes.h"
#include "generate/model_cache.h"
#include "generate/text_stream.h"
#include <pthread.h>
#include <stdatomic.h>

enum {
    PREFILL_ROWS = 256,
    MAX_RUNNING = 32,           // choices of each lane
    MAX_TOGETHER = 16,          // choices of one request, so that others find places
    MAX_WAITING = 4096,         // requests of each lane
    MAX_AHEAD = 16,             // requests of each lane that are prepared before they have a place
    PREPARERS = 3,              // threads, the last one for the background
    MAX_ANSWER_BYTES = 1 << 20, // of one piece
};

// Background requests take part in a pass only where no live one does.
enum lane { LIVE, BACKGROUND, LANES };

// A token whose text is held back; `end` counts the bytes of the choice's answer up to behind it.
struct held_token {
    size_t end;
    struct engine_scored scored;
};

// One choice in the making. The scheduler's alone.
struct sequence {
    struct job *job;
    int index;
    struct kv_sequence kv;
    struct text_stream stream;
    struct sampler sampler;
    struct logit_changes changes;
    struct held_token *held; // where scores were asked for
    size_t held_count, held_capacity, bytes;
    int32_t next_token;           // not run yet; -1 during the prompt
    struct inference_pause pause; // of the piece of the prompt that was put aside
    bool begun;                   // a token of the answer's text was taken
    int64_t tokens;
};

struct job {
    struct job *previous, *next; // of all that have not finished; under the engine's lock
    struct job *behind;          // of those waiting, prepared, or with choices to begin
    uint64_t ticket;
    struct engine_request request; // a copy: what it points to belongs to the job
    char *model, *adapter;
    json_t *messages, *tools;
    char **stops;
    struct engine_bias *biases;
    atomic_bool cancelled; // or failed: its choices end

    bool taken; // by a preparer; under the engine's lock

    // From here on a preparer's, and once it is prepared the scheduler's.
    bool failed; // result.error says why
    struct loaded_model *loaded;
    struct loaded_adapter *with;
    struct token_ids prompt;
    size_t most_tokens;
    int choices, begun, running; // how many there are to be, were begun, and run
    // With several choices, from the end of the prompt until the last is begun: the logits behind
    // it, and its keys and values, which are the first choice's while that runs.
    bool is_forking;
    float *logits;
    struct sequence *first;
    struct kv_sequence kv;
    struct engine_result result;
};

struct job_queue {
    struct job *first, *last; // oldest first
};

struct preparer {
    struct engine *engine;
    enum lane lane;
    bool loads; // else it takes only requests whose models are there
    pthread_t thread;
};

struct engine {
    pthread_t thread;
    struct preparer preparers[PREPARERS];
    size_t preparer_count;
    pthread_mutex_t lock; // guards what follows, up to `counts`
    pthread_cond_t wake;  // the scheduler
    pthread_cond_t work;  // the preparers
    bool closing, some_cancelled;
    bool ending; // closing, and no preparer is left
    uint64_t tickets;
    struct job *jobs;
    struct job_queue waiting[LANES], prepared[LANES];
    size_t ahead[LANES];     // requests prepared, or in a preparer's hands
    size_t background_taken; // background requests that were taken and have not finished
    char *background_model;  // which is theirs
    struct engine_counts counts;
    atomic_bool live_arrived; // a pass in the background is put aside

    // The scheduler's alone.
    struct sequence *running[LANES * MAX_RUNNING];
    size_t running_count, lane_count[LANES];
    size_t turn;          // whose base model is next
    bool prompt_was_last; // of the background's passes
    struct job *forking;  // whose prompt is done, and that have choices to begin
    struct compute *compute;
    struct model_cache cache;
    struct buffer ready;         // the piece at hand
    struct engine_scored *shown; // its tokens
    size_t shown_capacity;
};

// ---- engine_job.c ----

static inline enum lane engine_job_lane(const struct job *job) {
    return job->request.background ? BACKGROUND : LIVE;
}

bool engine_job_create(struct job **job, const struct engine_request *request, struct error *error);
void engine_job_free(struct job *job); // its models must have been released

// With its base model there: loads the adapter, makes the prompt, and checks against them what
// could not be checked before.
bool engine_job_prepare(struct job *job, struct model_cache *cache, struct error *error);

void job_queue_append(struct job_queue *queue, struct job *job);
struct job *job_queue_take(struct job_queue *queue); // the oldest; NULL where there is none

// The next choice, with room for the prompt, and, but for the first, the prompt in it.
bool sequence_create(struct sequence **sequence, struct job *job, struct error *error);
void sequence_free(struct sequence *sequence);

// ---- engine_token.c ----

// Takes the next token of a choice from the model's logits, and shows its text. Returns whether the
// choice goes on; else *reason says why not, and job->result.error what failed.
bool sequence_take_token(struct engine *engine, struct sequence *sequence, const float *logits,
    enum engine_reason *reason);

// Shows what was held back, at the end of an answer.
bool sequence_show_rest(struct engine *engine, struct sequence *sequence, struct error *error);

// ---- engine_prepare.c ----

void *engine_prepare(void *preparer); // a preparer's thread

// ---- engine_schedule.c ----

void *engine_schedule(void *engine); // the scheduler's thread

#endif
