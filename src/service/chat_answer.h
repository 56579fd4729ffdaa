// The shapes of a chat completion's answer: the whole object, and the chunks of a stream.
#ifndef SERVICE_CHAT_ANSWER_H
#define SERVICE_CHAT_ANSWER_H

#include "base/error.h"
#include "generate/engine.h"
#include <jansson.h>
#include <stdint.h>

enum { CHAT_ANSWER_ID_SIZE = 40 };

// What every object of one answer has in common.
struct chat_answer {
    char id[CHAT_ANSWER_ID_SIZE]; // "chatcmpl-…"
    int64_t created;
    char *model; // as the client called it; owned
    bool include_usage;
    int64_t prompt_tokens, completion_tokens; // of all choices; known at the end
};

bool chat_answer_init(struct chat_answer *answer, const char *model, bool include_usage,
    struct error *error) WARN_UNUSED;
void chat_answer_free(struct chat_answer *answer);

// The members of logprobs.content for these tokens.
json_t *chat_answer_scores(const struct engine_scored *scored, size_t count);

// One member of "choices" of the whole object. `scores` (NULL where they were not asked for) is
// taken over.
json_t *chat_answer_choice(int index, const char *text, json_t *scores, const char *finish_reason);

// The whole object; takes `choices` over.
json_t *chat_answer_whole(const struct chat_answer *answer, json_t *choices);

// The chunks, as JSON text (memory_free), NULL where memory is short: a choice's beginning, its
// pieces of text (`scores` is taken over), its end; and the usage that closes a stream that asked
// for it.
char *chat_answer_begin(const struct chat_answer *answer, int index);
char *chat_answer_piece(
    const struct chat_answer *answer, const struct engine_piece *piece, json_t *scores);
char *chat_answer_end(const struct chat_answer *answer, int index, const char *finish_reason);
char *chat_answer_usage(const struct chat_answer *answer);

#endif
