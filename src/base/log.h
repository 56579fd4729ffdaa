// Log lines for operators, on standard error: "2026-01-31T12:00:00Z info  text". One call, one
// line, one write, so that lines of several threads and processes do not mix. Control characters in
// the text are shown escaped: a client's words cannot forge a line.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

void log_set_level(enum log_level least); // LOG_INFO at first
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
