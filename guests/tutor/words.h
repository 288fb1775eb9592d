/* SPDX-License-Identifier: MIT */
/* Taking text apart: a line into words, a word into a number, an option out of a command line. */
#ifndef TUTOR_WORDS_H
#define TUTOR_WORDS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Cuts line at blanks, in place; "double quotes" keep blanks in a word. Returns the number of
 * words, -E2BIG when there are more than max, -EINVAL when a quote stays open.
 */
int words_split(char *line, char **words, int max);

/* Decimal, or hexadecimal with 0x. -EINVAL when it is no number, -ERANGE past 32 bits. */
int words_number(const char *word, uint32_t *value);

/*
 * Finds name=value among the words of a command line. A value in double quotes ends at the second
 * quote, any other at the end of the line. -ENOENT, or -E2BIG when it does not fit.
 */
int words_option(const char *cmdline, const char *name, char *value, size_t size);

#endif
