/* SPDX-License-Identifier: MIT */
/*
 * Tables of manifest keys against YAML nodes: an unknown, doubled or missing key is an error with
 * its place. Pure: runs in the UEFI loader and on the build host.
 */
#include "boot/manifest_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct manifest_mark reader_mark(const yaml_node_t *node)
{
    return (struct manifest_mark){(unsigned)node->start_mark.line + 1,
                                  (unsigned)node->start_mark.column + 1};
}

int reader_refuse(struct reader *r, const yaml_node_t *at, const char *format, ...)
{
    va_list args;

    r->error->at = at != NULL ? reader_mark(at) : (struct manifest_mark){0, 0};
    va_start(args, format);
    vsnprintf(r->error->text, sizeof(r->error->text), format, args);
    va_end(args);
    return -EINVAL;
}

int reader_refuse_value(struct reader *r, const yaml_node_t *at, const struct key *key)
{
    return reader_refuse(r, at, "%s: expected %s", key->name, key->expected);
}

int reader_refuse_plain(struct reader *r, const yaml_node_t *at, const struct key *key)
{
    bool quoted = at->type == YAML_SCALAR_NODE && reader_plain(at) == NULL;

    return reader_refuse(r, at, "%s: expected %s%s", key->name, key->expected,
                         quoted ? ", without quotes" : "");
}

const char *reader_scalar(const yaml_node_t *node)
{
    const char *text;

    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

const char *reader_plain(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return NULL;
    return reader_scalar(node);
}

const char *reader_string(const yaml_node_t *node)
{
    const char *text = reader_scalar(node);

    return text != NULL && *text == '\0' && reader_plain(node) != NULL ? NULL : text;
}

int reader_mapping(struct reader *r, const yaml_node_t *node, const char *what,
                   const struct key *keys, size_t count, struct pair *found)
{
    if (node->type != YAML_MAPPING_NODE)
        return reader_refuse(r, node, "%s: expected keys and values, such as \"%s: ...\"", what,
                             keys[0].name);
    memset(found, 0, count * sizeof(*found));
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(r->document, pair->key);
        const char *text = reader_scalar(name);
        size_t i = 0;

        while (i < count && (text == NULL || strcmp(keys[i].name, text) != 0))
            i++;
        if (i == count)
            return reader_refuse(r, name,
                                 "%s: unknown key \"%.40s\"; docs/manifest.md has the list", what,
                                 text != NULL ? text : "?");
        if (found[i].key != NULL)
            return reader_refuse(r, name, "%s: key \"%s\" is given twice (first in line %u)", what,
                                 keys[i].name, reader_mark(found[i].key).line);
        found[i].key = name;
        found[i].value = yaml_document_get_node(r->document, pair->value);
    }
    for (size_t i = 0; i < count; i++) {
        if (keys[i].required && found[i].key == NULL)
            return reader_refuse(r, node, "%s: key \"%s\" is missing: expected %s", what,
                                 keys[i].name, keys[i].expected);
    }
    return 0;
}
