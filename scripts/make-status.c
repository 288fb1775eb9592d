/* SPDX-License-Identifier: MIT */
/*
 * A function for the Makefile that ends make with a given status: $(exit-with 124). Runs on the
 * build host, inside make (GNU Make manual, "Loading Dynamic Objects"). Without it every failure
 * is a 2, and headless runs promise to tell a failure (1) from a time-out (124).
 */
#include <stdlib.h>

#include <gnumake.h>

int plugin_is_GPL_compatible;

static char *exit_with(const char *name, unsigned int argc, char **argv)
{
    (void)name;
    (void)argc;
    exit(atoi(argv[0]));
}

int make_status_setup(const gmk_floc *where);

int make_status_setup(const gmk_floc *where)
{
    (void)where;
    gmk_add_function("exit-with", exit_with, 1, 1, GMK_FUNC_DEFAULT);
    return 1;
}
