/* SPDX-License-Identifier: MIT */
/* Flat test guests: the contract is in guests/abi.h (root mode). */
#include "guests/abi.h"
#include "kernel/machine_priv.h"
#include "kernel/time.h"

#define CMDLINE_OFFSET 0x100u

int machine_flat_load(struct vm *vm)
{
    const struct boot_vm *config = vm->config;
    struct mullion_flat_info info = {
        .version = MULLION_ABI_VERSION,
        .vcpus = vm->vcpu_count,
        .memory = vm->memory,
        .cmdline = MULLION_FLAT_INFO_ADDRESS + CMDLINE_OFFSET,
        .tsc_hz = time_tsc_hz(),
    };
    int error = machine_write(vm, MULLION_FLAT_INFO_ADDRESS, &info, sizeof(info));

    _Static_assert(sizeof(info) <= CMDLINE_OFFSET, "the command line follows");
    if (!error)
        error = machine_write(vm, info.cmdline, config->cmdline, sizeof(config->cmdline));
    if (!error)
        error = machine_enter_32(vm->vcpus[0], MULLION_FLAT_MAGIC, MULLION_FLAT_INFO_ADDRESS,
                                 config->entry);
    return error;
}
