// The subcommands, one file each, and the table of them in main.c. A command gets the words after
// its own name and returns the process's exit status: 0, 1 for a failure that it has told, 2 for
// wrong usage.
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int command_accounts(int count, char **words);
int command_bench(int count, char **words);
int command_chat(int count, char **words);
int command_eval(int count, char **words);
int command_export(int count, char **words);
int command_files(int count, char **words);
int command_jobs(int count, char **words);
int command_keys(int count, char **words);
int command_models(int count, char **words);
int command_openapi(int count, char **words);
int command_serve(int count, char **words);
int command_sign_in(int count, char **words);
int command_tokenize(int count, char **words);
int command_train(int count, char **words);
int command_validate(int count, char **words);

#endif
