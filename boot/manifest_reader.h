/* SPDX-License-Identifier: MIT */
/*
 * What the readers of manifest keys share: tables of keys, text of scalars, errors with a place.
 * Private to boot/manifest*.c; pure.
 */
#ifndef BOOT_MANIFEST_READER_H
#define BOOT_MANIFEST_READER_H

#include <stdbool.h>
#include <yaml.h>

#include "boot/manifest.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct reader {
    yaml_document_t *document;
    struct manifest *manifest;
    struct manifest_error *error;
};

struct key {
    const char *name;
    bool required;
    unsigned kinds; /* bits by enum boot_vm_kind: who may have it; 0: all */
    const char *expected;
    int (*read)(struct reader *r, struct manifest_vm *entry, const struct key *key,
                const yaml_node_t *value);
};

struct pair {
    const yaml_node_t *key, *value;
};

struct manifest_mark reader_mark(const yaml_node_t *node);

/* Both fill the error and return -EINVAL; a NULL place means the file as a whole. */
int reader_refuse(struct reader *r, const yaml_node_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int reader_refuse_value(struct reader *r, const yaml_node_t *at, const struct key *key);

/* The same for numbers and words, where quotes may be what is wrong. */
int reader_refuse_plain(struct reader *r, const yaml_node_t *at, const struct key *key);

/* A scalar's text; NULL if the node is none or if a NUL hides in it. */
const char *reader_scalar(const yaml_node_t *node);

/* The text of a number, word or truth value: in quotes it would be a string. */
const char *reader_plain(const yaml_node_t *node);

/* The text of a string: quoted, or plain and not empty (an empty plain scalar is YAML's null). */
const char *reader_string(const yaml_node_t *node);

/* Sorts a mapping's pairs into found[], one for each key of the table. */
int reader_mapping(struct reader *r, const yaml_node_t *node, const char *what,
                   const struct key *keys, size_t count, struct pair *found);

/* Reads one VM into a zeroed entry, the one after the VMs that are read already. */
int manifest_read_vm(struct reader *r, struct manifest_vm *entry, const yaml_node_t *node);

/* The reader of the key course_leaves. */
int manifest_read_course_leaves(struct reader *r, struct manifest_vm *entry, const struct key *key,
                                const yaml_node_t *value);

#endif
