/* SPDX-License-Identifier: MIT */
/*
 * The manifest's table of CPUID leaves for coursework. Pure: runs in the UEFI loader and on the
 * build host.
 */
#include <inttypes.h>

#include "boot/manifest_reader.h"
#include "boot/manifest_value.h"

/* Clear of the leaves that the hypervisor itself answers. */
#define COURSE_LEAF_FIRST 0x40000200u
#define COURSE_LEAF_LAST 0x4fffffffu

static int read_course_leaf(struct reader *r, const struct key *key, const yaml_node_t *value,
                            const uint32_t *others, size_t count, uint32_t *out)
{
    const char *text = reader_plain(value);

    if (text == NULL || !value_hex(text, out) || *out < COURSE_LEAF_FIRST ||
        *out > COURSE_LEAF_LAST)
        return reader_refuse_plain(r, value, key);
    for (size_t i = 0; i < count; i++) {
        if (others[i] == *out)
            return reader_refuse(r, value, "%s: leaf %#" PRIx32 " is used twice", key->name, *out);
    }
    return 0;
}

int manifest_read_course_leaves(struct reader *r, struct manifest_vm *entry, const struct key *key,
                              const yaml_node_t *value)
{
#define LEAF "a CPUID leaf from 0x40000200 to 0x4fffffff"
    static const struct key keys[] = {
        {"total_exits", false, 0, LEAF, NULL},
        {"total_cycles", false, 0, LEAF, NULL},
        {"exits_by_reason", false, 0, LEAF, NULL},
        {"cycles_by_reason", false, 0, LEAF, NULL},
    };
#undef LEAF
    struct pair found[ARRAY_SIZE(keys)];
    uint32_t leaves[ARRAY_SIZE(keys)] = {0};
    int result = reader_mapping(r, value, key->name, keys, ARRAY_SIZE(keys), found);

    for (size_t i = 0; i < ARRAY_SIZE(keys) && result == 0; i++) {
        if (found[i].value != NULL)
            result = read_course_leaf(r, &keys[i], found[i].value, leaves, i, &leaves[i]);
    }
    entry->vm.course = (struct boot_course_leaves){leaves[0], leaves[1], leaves[2], leaves[3]};
    return result;
}
