// Chat templates: the text up to a NUL is the template, a JSON behind it the variables. What is
// rendered has a mark for every byte, 0 or 1.
#include "model/chat_template.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char standard[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"x é\"}, {\"role\": \"assistant\", "
        "\"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": {\"a\": [1, 2.5, "
        "null]}}}]}, "
        "{\"role\": \"tool\", \"content\": \"<b>\"}], \"tools\": [{\"type\": \"function\", "
        "\"function\": {\"name\": \"f\", \"parameters\": {\"properties\": {\"a\": {}}}}}], \"n\": "
        "3}";
    const uint8_t *end = memchr(data, 0, size);
    size_t length = end ? (size_t)(end - data) : size;
    struct chat_template *parsed;
    struct chat_text text;
    struct error error;
    json_t *variables = end ? json_loadb((const char *)end + 1, size - length - 1, 0, NULL) : NULL;
    if (!json_is_object(variables)) {
        json_decref(variables);
        variables = json_loads(standard, 0, NULL);
    }
    if (chat_template_parse(&parsed, (const char *)data, length, &error)) {
        if (chat_template_render(parsed, NULL, variables, 1752148800, &text, &error)) {
            for (size_t i = 0; i < text.length; i++)
                if (text.from_data[i] > 1) abort();
            chat_text_free(&text);
        }
        chat_template_free(parsed);
    }
    json_decref(variables);
    return 0;
}
