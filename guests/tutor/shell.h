/* SPDX-License-Identifier: MIT */
/*
 * The prompt, and how to add a command: in any .c file of this folder (a new one is compiled
 * without further ado) write
 *
 *     COMMAND(hello, "[name]", "greets")
 *     {
 *         kprintf("hello, %s\n", argc > 1 ? argv[1] : "world");
 *         return 0;
 *     }
 */
#ifndef TUTOR_SHELL_H
#define TUTOR_SHELL_H

struct command {
    const char *name;
    const char *arguments;
    const char *help;
    int (*run)(int argc, char **argv); /* 0; -EINVAL makes the shell print the usage */
};

/*
 * Puts a pointer to the command into the linker set "set_command", which is an array of all such
 * pointers, from __start_set_command to __stop_set_command, whichever file they come from.
 */
#define COMMAND(command_name, command_arguments, command_help)                               \
    static int command_name##_run(int argc, char **argv);                                    \
    static const struct command command_name##_command = {#command_name, command_arguments,  \
                                                          command_help, command_name##_run}; \
    static const struct command *const command_name##_entry                                  \
        __attribute__((used, section("set_command"))) = &command_name##_command;             \
    static int command_name##_run(int argc __attribute__((unused)),                          \
                                  char **argv __attribute__((unused)))

extern const struct command *const __start_set_command[], *const __stop_set_command[];

/* Task: runs the commands of the boot option run=, then prompts for ever. */
void shell_run(void *argument);

#endif
