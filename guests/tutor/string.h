/* SPDX-License-Identifier: MIT */
/* The few functions of the C library that the kernel has; same meaning as in the standard. */
#ifndef TUTOR_STRING_H
#define TUTOR_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);

#endif
