// The subcommands of `temper models`, one file each. Each gets the words behind its own name.
#ifndef CLI_MODELS_H
#define CLI_MODELS_H

int models_list_all(int count, char **words);
int models_add(int count, char **words);
int models_pull(int count, char **words);
int models_add_adapter(int count, char **words);
int models_remove(int count, char **words);

#endif
