// Reading a training file: mapped, cut into blocks of lines, each block parsed and tokenised by
// whichever thread is free, the results put together in the file's order.
#include "train/dataset.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "model/chat_example.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_LINES = 64, MAX_LINE = 64 << 20 };

struct line {
    const char *text;
    size_t length;
    uint32_t number;
};

// What one block of lines gave.
struct block {
    struct dataset part;
    size_t token_capacity;
    struct dataset_faults faults;
    struct error error; // code set: the block failed for a reason that is no line's
};

struct loading {
    const struct chat_format *format;
    const struct dataset_options *options;
    int64_t chat_time;
    struct file_map map;
    struct line *lines;
    size_t line_count;
    size_t line_capacity;
    struct block *blocks;
    size_t block_count;
};

// ---- lines ----

static bool is_blank(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (!isspace((unsigned char)text[i])) return false;
    return true;
}

static bool add_line(
    struct loading *l, const char *text, size_t length, uint32_t number, struct error *error) {
    if (l->line_count == l->line_capacity) {
        size_t capacity = l->line_capacity ? l->line_capacity * 2 : 1024;
        struct line *grown = memory_resize(l->lines, capacity, sizeof *grown);
        if (!grown) return memory_error(error, "a training file's lines");
        l->lines = grown;
        l->line_capacity = capacity;
    }
    l->lines[l->line_count++] = (struct line){text, length, number};
    return true;
}

// Lines that say something; blank ones are passed over, but counted.
static bool find_lines(struct loading *l, struct error *error) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (!l->map.size) return true;
    const char *at = (const char *)l->map.data, *end = at + l->map.size;
    if (l->map.size >= 3 && !memcmp(at, byte_order_mark, 3)) at += 3;
    for (uint32_t number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        if (!is_blank(at, length) && !add_line(l, at, length, number, error)) return false;
        at = newline ? newline + 1 : end;
    }
    return true;
}

// ---- one line ----

static bool parse_line(const struct line *line, json_t **root, struct error *error) {
    json_error_t fault;
    if (line->length > MAX_LINE)
        return error_set(error, ERROR_INVALID,
            "it is longer than %d MiB; split the chat into several examples", MAX_LINE >> 20);
    size_t wrong = utf8_valid_length(line->text, line->length);
    if (wrong < line->length)
        return error_set(error, ERROR_INVALID,
            "it is not UTF-8 (byte 0x%02X at column %zu); save the file in UTF-8",
            (unsigned char)line->text[wrong], wrong + 1);
    *root = json_loadb(line->text, line->length, JSON_REJECT_DUPLICATES, &fault);
    if (!*root)
        return error_set(error, ERROR_INVALID,
            "it is not JSON (column %d: %.200s); write one JSON object on each line, with no line "
            "breaks in it",
            fault.column, fault.text);
    return true;
}

static bool render_line(const struct loading *l, const json_t *root, struct chat_example *example,
    struct error *error) {
    const struct dataset_options *options = l->options;
    const json_t *messages = json_object_get(root, "messages"),
                 *text = json_object_get(root, "text");
    if (!json_is_object(root))
        return error_set(error, ERROR_INVALID,
            "it is not a JSON object; write {\"messages\": [{\"role\": …, \"content\": …}, …]}");
    if (!messages && text && options->text_weight > 0)
        return json_is_string(text)
                   ? chat_format_text(l->format, json_string_value(text), json_string_length(text),
                         options->text_weight, example, error)
                   : error_set(error, ERROR_INVALID, "\"text\" is not a text");
    if (!messages)
        return error_set(error, ERROR_INVALID,
            "it has no \"messages\"; write {\"messages\": [{\"role\": \"user\", \"content\": …}, "
            "{\"role\": \"assistant\", \"content\": …}]}");
    struct chat chat = {.time = l->chat_time};
    return chat_read(&chat, root, error) && chat_has_answers(&chat, error) &&
           chat_make_example(l->format, &chat, options->prompt_weight, example, error);
}

// Cuts what is longer than the context at its end.
static bool fit(struct block *block, const struct loading *l, struct chat_example *example,
    struct error *error) {
    size_t context = l->options->context_length, whole = example->tokens.count;
    if (whole <= context) return true;
    example->tokens.count = context;
    example->trained = 0;
    for (size_t i = 1; i < context; i++)
        example->trained += example->weights[i] > 0;
    block->part.truncated_count++;
    return example->trained ||
           error_set(error, ERROR_INVALID,
               "it has %zu tokens, of which the model holds %zu, and the answer only begins behind "
               "those; shorten what stands before the answer",
               whole, context);
}

static bool keep(
    struct block *block, const struct chat_example *example, uint32_t line, struct error *error) {
    struct dataset *part = &block->part;
    size_t count = example->tokens.count, total = part->token_count + count;
    if (total > block->token_capacity) {
        size_t capacity = total * 2;
        int32_t *tokens = memory_resize(part->tokens, capacity, sizeof *tokens);
        part->tokens = tokens ? tokens : part->tokens;
        float *weights = memory_resize(part->weights, capacity, sizeof *weights);
        part->weights = weights ? weights : part->weights;
        if (!tokens || !weights) return memory_error(error, "a training file's tokens");
        block->token_capacity = capacity;
    }
    memcpy(part->tokens + part->token_count, example->tokens.ids, count * sizeof *part->tokens);
    memcpy(part->weights + part->token_count, example->weights, count * sizeof *part->weights);
    part->examples[part->example_count++] = (struct dataset_example){
        part->token_count, (uint32_t)count, (uint32_t)example->trained, line};
    part->token_count = total;
    part->trained_count += example->trained;
    part->endless_count += example->endless;
    if (count > part->longest) part->longest = count;
    return true;
}

static void add_fault(struct dataset_faults *faults, size_t line, const char *message) {
    if (faults->count == DATASET_MAX_FAULTS) {
        faults->more = true;
        return;
    }
    struct dataset_fault *fault = &faults->items[faults->count++];
    fault->line = line;
    snprintf(
        fault->message, sizeof fault->message, "%.*s", (int)sizeof fault->message - 1, message);
    utf8_repair(fault->message);
}

// False ends the block; a line's own fault does not.
static bool load_line(const struct loading *l, struct block *block, const struct line *line,
    struct chat_example *example) {
    struct error error = {0};
    json_t *root = NULL;
    bool ok = parse_line(line, &root, &error) && render_line(l, root, example, &error) &&
              fit(block, l, example, &error) && keep(block, example, line->number, &error);
    json_decref(root);
    if (!ok && error.code == ERROR_MEMORY) {
        block->error = error;
        return false;
    }
    if (!ok) add_fault(&block->faults, line->number, error.message);
    return true;
}

static void load_block(void *context, size_t index, int worker) {
    const struct loading *l = context;
    struct block *block = &l->blocks[index];
    struct chat_example example = {0};
    size_t first = index * BLOCK_LINES;
    size_t end = first + BLOCK_LINES < l->line_count ? first + BLOCK_LINES : l->line_count;
    (void)worker;
    block->part.examples = memory_alloc_array(BLOCK_LINES, sizeof *block->part.examples);
    if (!block->part.examples) {
        memory_error(&block->error, "a training file's examples");
        return;
    }
    for (size_t i = first; i < end; i++)
        if (!load_line(l, block, &l->lines[i], &example)) break;
    chat_example_free(&example);
}

// ---- the whole file ----

static bool collect_faults(struct loading *l, struct dataset_faults *faults, struct error *error) {
    char message[256];
    size_t least = l->options->minimum_examples;
    for (size_t b = 0; b < l->block_count; b++) {
        if (l->blocks[b].error.code) {
            *error = l->blocks[b].error;
            faults->count = 0;
            return false;
        }
        const struct dataset_faults *own = &l->blocks[b].faults;
        for (size_t i = 0; i < own->count; i++)
            add_fault(faults, own->items[i].line, own->items[i].message);
        faults->more |= own->more;
    }
    if (l->line_count < least) {
        snprintf(message, sizeof message,
            "it has %zu example%s, and at least %zu are needed; add %zu more", l->line_count,
            l->line_count == 1 ? "" : "s", least, least - l->line_count);
        add_fault(faults, 0, message);
    }
    return true;
}

void dataset_faults_write(
    const struct dataset_faults *faults, const char *file_name, struct buffer *text) {
    buffer_append_text(text, file_name);
    if (faults->count > 1)
        buffer_append_format(
            text, " has %s%zu faults", faults->more ? "more than " : "", faults->count);
    for (size_t i = 0; i < faults->count; i++) {
        const struct dataset_fault *fault = &faults->items[i];
        buffer_append_text(text, faults->count > 1 ? "\n" : ", ");
        if (fault->line)
            buffer_append_format(text, "line %zu: %s", fault->line, fault->message);
        else
            buffer_append_format(text, "the file as a whole: %s", fault->message);
    }
}

static bool report_faults(
    const struct dataset_faults *faults, const char *file_name, struct error *error) {
    struct buffer text;
    if (!faults->count) return true;
    buffer_init(&text, 1 << 20);
    dataset_faults_write(faults, file_name, &text);
    error_set(error, ERROR_INVALID, "%s", buffer_text(&text));
    buffer_free(&text);
    return false;
}

static void add_totals(struct dataset *whole, const struct dataset *part) {
    whole->example_count += part->example_count;
    whole->token_count += part->token_count;
    whole->trained_count += part->trained_count;
    whole->truncated_count += part->truncated_count;
    whole->endless_count += part->endless_count;
    if (part->longest > whole->longest) whole->longest = part->longest;
}

static void free_part(struct dataset *part) {
    memory_free(part->examples);
    memory_free(part->tokens);
    memory_free(part->weights);
    memset(part, 0, sizeof *part);
}

// Copies the blocks' parts one behind another, and frees each once it is copied.
static bool join(struct loading *l, struct dataset **dataset, struct error *error) {
    struct dataset *whole = memory_alloc_zeroed(1, sizeof *whole);
    if (!whole) return memory_error(error, "a training file");
    for (size_t b = 0; b < l->block_count; b++)
        add_totals(whole, &l->blocks[b].part);
    whole->examples = memory_alloc_array(whole->example_count + 1, sizeof *whole->examples);
    whole->tokens = memory_alloc_array(whole->token_count + 1, sizeof *whole->tokens);
    whole->weights = memory_alloc_array(whole->token_count + 1, sizeof *whole->weights);
    if (!whole->examples || !whole->tokens || !whole->weights) {
        dataset_free(whole);
        return memory_error(error, "a training file's tokens");
    }
    size_t example = 0, token = 0;
    for (size_t b = 0; b < l->block_count; b++) {
        struct dataset *part = &l->blocks[b].part;
        for (size_t i = 0; i < part->example_count; i++, example++) {
            whole->examples[example] = part->examples[i];
            whole->examples[example].offset += token;
        }
        if (part->token_count) {
            memcpy(whole->tokens + token, part->tokens, part->token_count * sizeof *whole->tokens);
            memcpy(
                whole->weights + token, part->weights, part->token_count * sizeof *whole->weights);
        }
        token += part->token_count;
        free_part(part);
    }
    *dataset = whole;
    return true;
}

static bool load(struct loading *l, struct dataset **dataset, struct thread_pool *pool,
    const char *file_name, struct dataset_faults *faults, struct error *error) {
    if (!find_lines(l, error)) return false;
    l->block_count = (l->line_count + BLOCK_LINES - 1) / BLOCK_LINES;
    l->blocks = memory_alloc_zeroed(l->block_count + 1, sizeof *l->blocks);
    if (!l->blocks) return memory_error(error, "a training file");
    thread_pool_run(pool, l->block_count, load_block, l);
    return collect_faults(l, faults, error) && report_faults(faults, file_name, error) &&
           join(l, dataset, error);
}

bool dataset_load(struct dataset **dataset, const char *path, const struct chat_format *format,
    const struct dataset_options *options, struct thread_pool *pool, struct dataset_faults *faults,
    struct error *error) {
    struct loading loading = {.format = format, .options = options};
    loading.chat_time = options->chat_time ? options->chat_time : chat_time_now();
    const char *file_name = options->file_name ? options->file_name : path;
    *dataset = NULL;
    memset(faults, 0, sizeof *faults);
    if (!file_map_open(&loading.map, path, error)) return false;
    bool ok = load(&loading, dataset, pool, file_name, faults, error);
    for (size_t b = 0; loading.blocks && b < loading.block_count; b++)
        free_part(&loading.blocks[b].part);
    memory_free(loading.blocks);
    memory_free(loading.lines);
    file_map_close(&loading.map);
    return ok;
}

void dataset_free(struct dataset *dataset) {
    if (!dataset) return;
    free_part(dataset);
    memory_free(dataset);
}
