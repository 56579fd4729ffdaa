// Log lines for operators, on standard error, as text
//
//   2026-01-31T12:00:00Z info  [req_…] text
//
// or as JSON, {"time", "level", "request_id", "message"}. One call, one line, one write, so that
// lines of several threads and processes do not mix. Control characters in the text are shown
// escaped: a client's words cannot forge a line.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_form { LOG_TEXT, LOG_JSON };

enum { LOG_TIME_SIZE = 32 };

void log_set_level(enum log_level least); // LOG_INFO at first
void log_set_form(enum log_form form);    // LOG_TEXT at first
enum log_form log_form(void);

// What this thread works on from here on: the request's id stands in its lines. Borrowed; NULL for
// nothing.
void log_set_request(const char *id);
const char *log_request(void);

void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);

// ---- for other lines of the same form (service/access_log)

// Writes the present time, "2026-01-31T12:00:00Z".
void log_time(char time[LOG_TIME_SIZE]);

// Writes `text` as the inside of a JSON string, which is also how it can stand in a line of text;
// what does not fit is left out, what is no UTF-8 becomes '?'. Returns the length.
size_t log_escape(char *escaped, size_t size, const char *text);

#endif
