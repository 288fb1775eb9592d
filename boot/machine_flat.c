/* SPDX-License-Identifier: MIT */
/* Flat test guests: the contract is in guests/abi.h. Pure. */
#include <stddef.h>
#include <string.h>

#include "boot/machine_build.h"
#include "guests/abi.h"

#define CMDLINE_OFFSET 0x100u

int machine_flat(struct machine_build *build)
{
    struct boot_vm *vm = build->vm;
    uint8_t *page = machine_table(build, MULLION_FLAT_INFO_ADDRESS,
                                  CMDLINE_OFFSET + sizeof(build->parts->cmdline));
    struct mullion_flat_info info = {
        .version = MULLION_ABI_VERSION,
        .vcpus = vm->vcpu_count,
        .memory = vm->memory,
        .cmdline = MULLION_FLAT_INFO_ADDRESS + CMDLINE_OFFSET,
    };

    _Static_assert(sizeof(info) <= CMDLINE_OFFSET, "the command line follows");
    memcpy(page, &info, sizeof(info));
    memcpy(page + CMDLINE_OFFSET, build->parts->cmdline, sizeof(build->parts->cmdline));
    vm->tsc_hz_gpa = MULLION_FLAT_INFO_ADDRESS + offsetof(struct mullion_flat_info, tsc_hz);
    machine_enter_32(build, MULLION_FLAT_MAGIC, MULLION_FLAT_INFO_ADDRESS);
    return 0;
}
