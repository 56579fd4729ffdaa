// temper: the table of its subcommands.
#include "cli/cli_options.h"
#include "cli/commands.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int count, char **words);
    const char *help;
} commands[] = {
    {"serve", command_serve, "answer OpenAI's API: files, fine-tuning jobs, models, chats"},
    {"train", command_train, "fine-tune a model on a JSONL file, without a server"},
    {"validate", command_validate, "check a training file: faults by line, or its counts"},
    {"chat", command_chat, "talk to a model in the terminal"},
    {"eval", command_eval, "the loss of a model on a file, and how many answers are right"},
    {"tokenize", command_tokenize, "token ids of a text or a chat"},
    {"bench", command_bench, "measure this machine, and training on it"},
    {"models", command_models, "list, add, pull and remove models"},
    {"export", command_export, "take a fine-tuned model to peft, transformers, llama.cpp"},
    {"accounts", command_accounts, "who uses a server, and by which plan"},
    {"keys", command_keys, "make, list and revoke API keys"},
    {"sign-in", command_sign_in, "print an address that signs a browser in to the server's pages"},
    {"files", command_files, "upload, list and fetch files of a running server"},
    {"jobs", command_jobs, "create, watch, list and cancel fine-tuning jobs of a running server"},
    {"openapi", command_openapi, "print the description of the HTTP API"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *output) {
    fprintf(output,
        "temper " TEMPER_VERSION ": fine-tune a chat model on a JSONL file, and chat with "
        "it\n\nusage: temper COMMAND ...\n\ncommands:\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(output, "  %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(output, "\n`temper COMMAND --help` says more.\n");
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN); // a peer that goes away is an error of its write, not our end
    if (count < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(words[1], commands[i].name) == 0) return commands[i].run(count - 2, words + 2);
    if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0 ||
        strcmp(words[1], "help") == 0) {
        print_help(stdout);
        return CLI_SUCCESS;
    }
    if (strcmp(words[1], "--version") == 0) {
        printf("temper " TEMPER_VERSION "\n");
        return CLI_SUCCESS;
    }
    fprintf(stderr, "temper: there is no command '%s'; `temper --help` lists them\n", words[1]);
    return CLI_USAGE;
}
