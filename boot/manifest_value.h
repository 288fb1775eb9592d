/* SPDX-License-Identifier: MIT */
/* Single values of the manifest, as text. Pure; false means that the text is no such value. */
#ifndef BOOT_MANIFEST_VALUE_H
#define BOOT_MANIFEST_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only, at most max. */
bool value_number(const char *text, uint64_t max, uint64_t *out);

/* 0x and hexadecimal digits, at most 32 bits. */
bool value_hex(const char *text, uint32_t *out);

/* A number with K, M or G (powers of 1024): bytes. */
bool value_size(const char *text, uint64_t *out);

/* Small letters, digits and inner hyphens; shorter than size. */
bool value_name(const char *text, size_t size);

/* A relative path with forward slashes, of characters that FAT and the build host can hold. */
bool value_path(const char *text, size_t size);

/* Printable ASCII, shorter than size. */
bool value_line(const char *text, size_t size);

/* The text's index in a list that NULL ends; -1: not in it. */
int value_word(const char *text, const char *const *words);

#endif
