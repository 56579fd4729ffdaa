// The settings file of `temper serve`: the command's options by their names without the dashes, and
// the plans of accounts. Lines "name = value"; sections [plan NAME]; comments begin with ; or #.
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "base/plan.h"
#include "cli/cli_options.h"

// Reads the file into the options' targets and the table of plans. What is unknown or wrong is an
// error by its line. Texts that targets point at live as long as the process.
bool settings_read(const char *path, const struct cli_syntax *syntax, struct plan_table *plans,
    struct error *error) WARN_UNUSED;

#endif
