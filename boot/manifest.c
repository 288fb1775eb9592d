/* SPDX-License-Identifier: MIT */
/*
 * Reads the manifest's YAML text with libyaml into struct manifest: the document and its top level.
 * Pure: runs in the UEFI loader and on the build host.
 */
#include "boot/manifest.h"

#include <errno.h>
#include <string.h>

#include "boot/manifest_reader.h"

static int read_vms(struct reader *r, const yaml_node_t *list)
{
    if (list->type != YAML_SEQUENCE_NODE ||
        list->data.sequence.items.start == list->data.sequence.items.top)
        return reader_refuse(r, list,
                             "vms: expected a list of VMs, each one starting with \"- name: ...\"");
    for (const yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = yaml_document_get_node(r->document, *item);
        int result;

        if (r->manifest->count == BOOT_VMS_MAX)
            return reader_refuse(r, node, "vms: there are at most %d VMs", BOOT_VMS_MAX);
        result = manifest_read_vm(r, &r->manifest->vms[r->manifest->count], node);
        if (result != 0)
            return result;
        r->manifest->count++;
    }
    return 0;
}

static int read_top(struct reader *r, const yaml_node_t *root)
{
    static const struct key keys[] = {
        {"version", true, 0, "1, the version of this format", NULL},
        {"vms", true, 0, "a list of VMs", NULL},
    };
    struct pair found[ARRAY_SIZE(keys)];
    const char *text;
    int result = reader_mapping(r, root, "manifest", keys, ARRAY_SIZE(keys), found);

    if (result != 0)
        return result;
    text = reader_plain(found[0].value);
    if (text == NULL || strcmp(text, "1") != 0)
        return reader_refuse_plain(r, found[0].value, &keys[0]);
    return read_vms(r, found[1].value);
}

/* libyaml's own error: where it was, and what it was doing. */
static int refuse_syntax(struct reader *r, const yaml_parser_t *parser)
{
    const char *problem = parser->problem != NULL ? parser->problem : "not enough memory";

    if (parser->error == YAML_READER_ERROR)
        return reader_refuse(r, NULL, "byte %lu: %s", (unsigned long)parser->problem_offset,
                             problem);
    if (parser->error == YAML_MEMORY_ERROR)
        return reader_refuse(r, NULL, "%s", problem);
    reader_refuse(r, NULL, "%s%s%s", parser->context != NULL ? parser->context : "",
                  parser->context != NULL ? ": " : "", problem);
    r->error->at = (struct manifest_mark){(unsigned)parser->problem_mark.line + 1,
                                          (unsigned)parser->problem_mark.column + 1};
    return -EINVAL;
}

static int read_document(struct reader *r, yaml_parser_t *parser)
{
    yaml_document_t document, next;
    const yaml_node_t *root;
    int result;

    if (!yaml_parser_load(parser, &document))
        return refuse_syntax(r, parser);
    r->document = &document;
    root = yaml_document_get_root_node(&document);
    result = root != NULL ? read_top(r, root) : reader_refuse(r, NULL, "the manifest is empty");
    yaml_document_delete(&document);
    if (result != 0)
        return result;
    if (!yaml_parser_load(parser, &next))
        return refuse_syntax(r, parser);
    root = yaml_document_get_root_node(&next);
    if (root != NULL)
        result = reader_refuse(r, root, "expected the end of the file: a manifest is one document");
    yaml_document_delete(&next);
    return result;
}

int manifest_parse(const char *text, size_t size, struct manifest *manifest,
                   struct manifest_error *error)
{
    struct reader r = {NULL, manifest, error};
    yaml_parser_t parser;
    int result;

    memset(manifest, 0, sizeof(*manifest));
    memset(error, 0, sizeof(*error));
    if (size > MANIFEST_SIZE_MAX)
        return reader_refuse(&r, NULL, "the manifest has %lu bytes; the limit is %u",
                             (unsigned long)size, MANIFEST_SIZE_MAX);
    if (!yaml_parser_initialize(&parser))
        return reader_refuse(&r, NULL, "not enough memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    result = read_document(&r, &parser);
    yaml_parser_delete(&parser);
    return result;
}
