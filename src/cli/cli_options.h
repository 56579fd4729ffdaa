// Reading a command's words: options by a table, the rest in order. The table also writes the help,
// so that the two agree.
//
// "--name value" and "--name=value" are the same; "--" ends the options. --help and -h are always
// there.
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

enum {
    CLI_SUCCESS = 0,
    CLI_FAILURE = 1,
    CLI_USAGE = 2,
};

enum cli_type {
    CLI_FLAG,    // no value; target is a bool
    CLI_TEXT,    // target is a const char *
    CLI_INTEGER, // target is a long
    CLI_REAL,    // target is a double
    CLI_BYTES,   // "4GB", "512MiB", "65536"; target is a uint64_t
    CLI_LIST,    // may be given several times; target is a struct cli_list
};

enum { CLI_LIST_MAXIMUM = 32 };

struct cli_list {
    const char *items[CLI_LIST_MAXIMUM];
    size_t count;
};

struct cli_option {
    const char *name;  // "--data"
    const char *value; // what the help calls its value, "DIR"; NULL for flags
    enum cli_type type;
    void *target;     // written when the option is given, untouched else
    const char *help; // one line, with the default
};

struct cli_syntax {
    const char *usage;   // "temper files upload FILE [--purpose PURPOSE] [--json]"
    const char *purpose; // a sentence or two
    const char *example; // whole lines, each indented by two spaces
    const struct cli_option *options;
    int option_count;
    int least, most; // words that are no options
};

enum cli_outcome {
    CLI_RUN,  // go on
    CLI_HELP, // the help was printed: end with CLI_SUCCESS
    CLI_WRONG // what is wrong was told: end with CLI_USAGE
};

// Reads the words. Those that are no options are moved to the front, *given of them.
enum cli_outcome cli_read(const struct cli_syntax *syntax, int count, char **words, int *given);

// Writes an option's value, which must outlive the option. False where it is not what
// cli_expected() says, or a list is full.
bool cli_store(const struct cli_option *option, const char *text);

// What such an option needs: "a number", "a size such as 4GB".
const char *cli_expected(enum cli_type type);

// Prints "temper: message" to standard error. Returns CLI_FAILURE.
int cli_fail(const struct error *error);

#endif
