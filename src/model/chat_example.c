// Chats as tokens. Which tokens are an answer is found from the structure of the chat, never by
// looking for texts: the template is rendered up to before an answer (with its opening) and up to
// behind it, and what lies between is the answer.
#include "base/memory.h"
#include "model/chat_internal.h"
#include <string.h>
#include <time.h>

// ---- rendering ----

int64_t chat_time_now(void) {
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    return (int64_t)now + local.tm_gmtoff;
}

static json_t *first_messages(const json_t *messages, size_t count) {
    json_t *some = json_array();
    for (size_t i = 0; some && i < count; i++)
        if (json_array_append(some, json_array_get(messages, i))) {
            json_decref(some);
            some = NULL;
        }
    return some;
}

static bool render_with(const struct chat_format *format, const struct chat_template *template,
    const struct chat *chat, const json_t *plain, size_t count, bool opening,
    struct chat_text *text, struct error *error) {
    json_t *variables = json_pack("{s:o, s:b, s:O?}", "messages", first_messages(plain, count),
        "add_generation_prompt", (int)opening, "tools", chat->tools);
    if (!variables) return memory_error(error, "a chat");
    bool ok = chat_template_render(template, format->constants, variables, chat->time, text, error);
    json_decref(variables);
    return ok;
}

static const struct chat_template *template_for(
    const struct chat_format *format, const struct chat *chat) {
    return chat->tools && format->for_tools ? format->for_tools : format->template;
}

static bool render(const struct chat_format *format, const struct chat *chat, const json_t *plain,
    size_t count, bool opening, struct chat_text *text, struct error *error) {
    const struct chat_template *template = template_for(format, chat);
    if (!template)
        return error_set(error, ERROR_UNSUPPORTED,
            "the model has no chat template, and so takes no chats; give it one with "
            "--chat-template FILE (a Jinja template as instruct models have it)");
    return render_with(format, template, chat, plain, count, opening, text, error);
}

// ---- what a template passes over ----

static bool is_role(const json_t *message, const char *role) {
    const char *own = json_string_value(json_object_get(message, "role"));
    return own && !strcmp(own, role);
}

static bool change_calls(json_t *message) {
    bool calls = json_object_get(message, "tool_calls") != NULL;
    if (calls && !json_object_get(message, "content"))
        json_object_set_new(message, "content", json_string(""));
    return calls && !json_object_del(message, "tool_calls");
}

static bool change_answer_of_tool(json_t *message) {
    return is_role(message, "tool") &&
           !json_object_set_new(message, "content", json_string("another answer"));
}

// Whether a chat looks just as `whole` once it is changed; a chat that cannot be rendered then does
// not.
static bool looks_the_same(const struct chat_format *format, const struct chat *chat,
    const json_t *plain, bool (*change)(json_t *), bool opening, const struct chat_text *whole) {
    struct chat other = *chat;
    struct chat_text text = {0};
    struct error ignored;
    json_t *messages = json_deep_copy(plain);
    bool changed = !change;
    if (!change) other.tools = NULL;
    for (size_t i = 0; change && i < json_array_size(messages); i++)
        changed |= change(json_array_get(messages, i));
    bool same = changed && messages &&
                render_with(format, template_for(format, chat), &other, messages,
                    json_array_size(messages), opening, &text, &ignored) &&
                text.length == whole->length && !memcmp(text.text, whole->text, text.length);
    chat_text_free(&text);
    json_decref(messages);
    return same;
}

static bool check_written(const struct chat_format *format, const struct chat *chat,
    const json_t *plain, bool opening, const struct chat_text *whole, struct error *error) {
    const struct {
        const char *what;
        bool unwritten;
    } rows[] = {{"tools", chat->tools && looks_the_same(format, chat, plain, NULL, opening, whole)},
        {"tool calls", looks_the_same(format, chat, plain, change_calls, opening, whole)},
        {"messages of role \"tool\"",
            looks_the_same(format, chat, plain, change_answer_of_tool, opening, whole)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].unwritten)
            return error_set(error, ERROR_UNSUPPORTED,
                "the model's chat template does not write %s, so that the model would never see "
                "them; take a model that knows tools, or a template with --chat-template FILE",
                rows[i].what);
    return true;
}

static bool encode_part(const struct chat_format *format, const struct chat_text *text, size_t from,
    size_t to, struct token_ids *ids, struct error *error) {
    return tokenizer_encode_marked(
        format->tokenizer, text->text + from, text->from_data + from, to - from, ids, error);
}

static bool calls_tools(const json_t *messages) {
    for (size_t i = 0; i < json_array_size(messages); i++)
        if (json_array_size(json_object_get(json_array_get(messages, i), "tool_calls")))
            return true;
    return false;
}

// All of a chat, and its messages as the template takes them: the first way in which it can be
// rendered, and nothing is passed over. The error is that of the way that transformers goes, or
// says what is passed over.
static bool render_whole(const struct chat_format *format, const struct chat *chat, bool opening,
    json_t **plain, struct chat_text *text, struct error *error) {
    int ways = calls_tools(chat->messages) ? CHAT_CALLS_COUNT : 1;
    for (int way = 0; way < ways; way++) {
        struct error fault = {0};
        *plain = chat_plain_messages(chat->messages, way, &fault);
        bool rendered =
            *plain && render(format, chat, *plain, json_array_size(*plain), opening, text, &fault);
        if (rendered && check_written(format, chat, *plain, opening, text, &fault)) return true;
        if (rendered || !way) *error = fault;
        chat_text_free(text);
        json_decref(*plain);
        *plain = NULL;
    }
    return false;
}

bool chat_prompt(const struct chat_format *format, const struct chat *chat, struct token_ids *ids,
    struct error *error) {
    struct chat_text text = {0};
    json_t *plain;
    bool ok = render_whole(format, chat, true, &plain, &text, error) &&
              encode_part(format, &text, 0, text.length, ids, error);
    chat_text_free(&text);
    json_decref(plain);
    return ok;
}

bool chat_format_prompt(const struct chat_format *format, const json_t *messages,
    struct token_ids *ids, struct error *error) {
    struct chat chat = {.messages = messages, .time = chat_time_now()};
    return chat_prompt(format, &chat, ids, error);
}

// ---- examples ----

void chat_example_free(struct chat_example *example) {
    token_ids_free(&example->tokens);
    memory_free(example->weights);
    memset(example, 0, sizeof *example);
}

// Weights for the tokens from `from` on.
static bool weigh(struct chat_example *example, size_t from, float weight, struct error *error) {
    size_t count = example->tokens.count;
    if (count > example->weight_capacity) {
        float *grown = memory_resize(example->weights, count * 2, sizeof *grown);
        if (!grown) return memory_error(error, "an example");
        example->weights = grown;
        example->weight_capacity = count * 2;
    }
    for (size_t i = from; i < count; i++)
        example->weights[i] = weight;
    return true;
}

static void finish(struct chat_example *example) {
    example->trained = 0;
    if (example->tokens.count) example->weights[0] = 0;
    for (size_t i = 0; i < example->tokens.count; i++)
        example->trained += example->weights[i] > 0;
}

// One run of making an example.
struct making {
    const struct chat_format *format;
    const struct chat *chat;
    json_t *messages; // plain
    struct chat_text whole;
    size_t done; // bytes of it that are tokens already
    float prompt_weight;
    struct chat_example *example;
    struct error *error;
};

static bool starts_with(const struct token_ids *ids, const struct token_ids *first) {
    return first->count <= ids->count &&
           (!first->count || !memcmp(ids->ids, first->ids, first->count * sizeof *ids->ids));
}

// Tokens for a text that stands behind a line's end.
static bool encode_behind_newline(struct making *m, size_t to, struct error *error) {
    struct token_ids newline = {0}, whole = {0};
    size_t length = to - m->done;
    char *text = memory_alloc(length + 1);
    uint8_t *from_data = memory_alloc_zeroed(length + 1, 1);
    bool ok = (text && from_data) || memory_error(error, "a chat");
    if (ok) {
        *text = '\n';
        memcpy(text + 1, m->whole.text + m->done, length);
        memcpy(from_data + 1, m->whole.from_data + m->done, length);
    }
    ok = ok && tokenizer_encode(m->format->tokenizer, "\n", 1, false, &newline, error) &&
         tokenizer_encode_marked(m->format->tokenizer, text, from_data, length + 1, &whole, error);
    size_t first = ok && starts_with(&whole, &newline) ? newline.count : 0;
    ok = ok && (first || !newline.count ? token_ids_append(&m->example->tokens, whole.ids + first,
                                              whole.count - first, error)
                                        : encode_part(m->format, &m->whole, m->done, to,
                                              &m->example->tokens, error));
    token_ids_free(&newline);
    token_ids_free(&whole);
    memory_free(text);
    memory_free(from_data);
    return ok;
}

// A tokenizer that puts a space before every text must not do so before a part of one. So the
// tokens of the part are those that the text up to its end has more than the text before it.
static bool encode_joined(struct making *m, size_t to) {
    struct token_ids joined = {0}, *tokens = &m->example->tokens;
    bool ok = encode_part(m->format, &m->whole, 0, to, &joined, m->error);
    if (ok)
        ok = starts_with(&joined, tokens) ? token_ids_append(tokens, joined.ids + tokens->count,
                                                joined.count - tokens->count, m->error)
                                          : encode_behind_newline(m, to, m->error);
    token_ids_free(&joined);
    return ok;
}

static bool encode_up_to(struct making *m, size_t to) {
    bool ok = m->format->adds_space && m->done > 0
                  ? encode_joined(m, to)
                  : encode_part(m->format, &m->whole, m->done, to, &m->example->tokens, m->error);
    m->done = to;
    return ok;
}

static size_t common_length(const struct chat_text *left, const struct chat_text *right) {
    size_t shorter = left->length < right->length ? left->length : right->length, at = 0;
    while (at < shorter && left->text[at] == right->text[at])
        at++;
    return at;
}

// What stands at a place of a rendered chat, for a message.
static int excerpt(const struct chat_text *text, size_t at, const char **from) {
    while (at > 0 && (text->text[at] & 0xc0) == 0x80)
        at--;
    size_t length = text->length - at < 30 ? text->length - at : 30;
    while (at + length < text->length && length && (text->text[at + length] & 0xc0) == 0x80)
        length--;
    *from = text->text + at;
    return (int)length;
}

static bool parts_ways(struct making *m, const struct chat_text *part, size_t at, size_t number,
    const char *what, const char *when) {
    const char *here, *there;
    int here_length = excerpt(part, at, &here), there_length = excerpt(&m->whole, at, &there);
    return error_set(m->error, ERROR_UNSUPPORTED,
        "the model's chat template does not let the answer in message %zu be told apart: %s it "
        "writes \"%.*s\" %s, and \"%.*s\" in the whole chat; end the example with that message, "
        "give it \"weight\": 0, or pass a template that writes both alike (--chat-template FILE)",
        number, what, here_length, here, when, there_length, there);
}

// Where message `index`, an answer, begins in the whole text: behind what is there when the model
// is asked for it.
static bool find_beginning(struct making *m, size_t index, size_t *at) {
    struct chat_text part;
    if (!render(m->format, m->chat, m->messages, index, true, &part, m->error))
        return error_prefix(m->error,
            "the model's chat template makes nothing %s message %zu, so that the answer in it "
            "cannot be told apart",
            index ? "of what stands before" : "where nothing stands before", index + 1);
    *at = common_length(&part, &m->whole);
    bool ok = (*at == part.length && *at >= m->done) ||
              parts_ways(m, &part, *at, index + 1, "before it,", "when it asks for the answer");
    chat_text_free(&part);
    return ok;
}

// Whether a text of an end-of-turn token, made by the template, ends at `end` of the whole text.
static bool ends_turn(const struct making *m, size_t from, size_t end) {
    for (size_t i = 0; i < m->format->end_count; i++) {
        const char *text = tokenizer_token_text(m->format->tokenizer, m->format->ends[i]);
        size_t length = text ? strlen(text) : 0;
        if (length && end - from >= length && !memcmp(m->whole.text + end - length, text, length) &&
            !memchr(m->whole.from_data + end - length, 1, length))
            return true;
    }
    return false;
}

// Where message `index` ends. What a template puts behind the end of the last turn, and only there,
// does not count.
static bool find_end(struct making *m, size_t index, size_t *at) {
    struct chat_text part;
    *at = m->whole.length;
    if (index + 1 == json_array_size(m->messages)) return true;
    if (!render(m->format, m->chat, m->messages, index + 1, false, &part, m->error)) return false;
    size_t common = common_length(&part, &m->whole), end = common;
    if (common < part.length)
        while (end > m->done && !ends_turn(m, m->done, end))
            end--;
    bool ok = end > m->done || (common == part.length && end >= m->done) ||
              parts_ways(m, &part, common, index + 1, "for it,", "while it is the last");
    *at = end;
    chat_text_free(&part);
    return ok;
}

static bool add_prompt(struct making *m, size_t to) {
    size_t from = m->example->tokens.count;
    return encode_up_to(m, to) && weigh(m->example, from, m->prompt_weight, m->error);
}

// An answer counts up to its end-of-turn token; what a template puts behind that is prompt again.
static bool add_answer(struct making *m, size_t to) {
    const struct token_ids *tokens = &m->example->tokens;
    size_t from = tokens->count, end = from;
    if (!encode_up_to(m, to) || !weigh(m->example, from, 1, m->error)) return false;
    while (end < tokens->count && !chat_format_ends(m->format, tokens->ids[end]))
        end++;
    m->example->endless |= end == tokens->count;
    for (size_t i = end + 1; i < tokens->count; i++)
        m->example->weights[i] = m->prompt_weight;
    return true;
}

static bool counts(const json_t *message) {
    const json_t *weight = json_object_get(message, "weight");
    return is_role(message, "assistant") &&
           !(json_is_integer(weight) && !json_integer_value(weight));
}

static bool add_turns(struct making *m) {
    for (size_t i = 0; i < json_array_size(m->messages); i++) {
        size_t at = 0;
        if (!counts(json_array_get(m->chat->messages, i))) continue;
        if (!find_beginning(m, i, &at) || !add_prompt(m, at) || !find_end(m, i, &at) ||
            !add_answer(m, at))
            return false;
    }
    return add_prompt(m, m->whole.length);
}

bool chat_make_example(const struct chat_format *format, const struct chat *chat,
    float prompt_weight, struct chat_example *example, struct error *error) {
    struct making making = {.format = format,
        .chat = chat,
        .prompt_weight = prompt_weight,
        .example = example,
        .error = error};
    example->tokens.count = 0;
    example->endless = false;
    bool ok = render_whole(format, chat, false, &making.messages, &making.whole, error) &&
              add_turns(&making);
    if (ok) finish(example);
    chat_text_free(&making.whole);
    json_decref(making.messages);
    return ok;
}

bool chat_format_text(const struct chat_format *format, const char *text, size_t length,
    float weight, struct chat_example *example, struct error *error) {
    struct token_ids *tokens = &example->tokens;
    tokens->count = 0;
    if ((format->text_begin >= 0 && !token_ids_append(tokens, &format->text_begin, 1, error)) ||
        !tokenizer_encode(format->tokenizer, text, length, false, tokens, error) ||
        (format->text_end >= 0 && !token_ids_append(tokens, &format->text_end, 1, error)) ||
        !weigh(example, 0, weight, error))
        return false;
    finish(example);
    return true;
}
