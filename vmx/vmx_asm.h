/* SPDX-License-Identifier: MIT */
/* VMX instructions (root mode). Each access to the VMCS is counted: nested, it may be an exit. */
#ifndef VMX_VMX_ASM_H
#define VMX_VMX_ASM_H

#include "kernel/cpu.h"
#include "kernel/types.h"
#include "kernel/vcpu.h"
#include "vmx/vmcs.h"

/* Reports a refused instruction by its field or operand and panics. */
void vmx_refused(const char *instruction, uint64_t operand) __attribute__((noreturn, cold));

enum invept_type { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
enum invvpid_type { INVVPID_SINGLE = 1, INVVPID_ALL = 2 };

#ifdef MULLION_HOST_TEST
#include "tests/unit/vmx_host.h"
#else

/* Into the guest of the current VMCS until its next exit. False: the instruction itself was
 * refused. What lies in vmx/enter.S keeps RBX and no other register. */
#define VMX_ENTER_INSN(name)                                                                       \
    static inline bool vmx_##name(struct vcpu *vcpu)                                               \
    {                                                                                              \
        bool refused;                                                                              \
        __asm__ volatile("call vmx_enter_" #name                                                   \
                         : "=@ccbe"(refused)                                                       \
                         : "b"(vcpu)                                                               \
                         : "rax", "rcx", "rdx", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",     \
                           "r12", "r13", "r14", "r15", "memory");                                  \
        return likely(!refused);                                                                   \
    }
VMX_ENTER_INSN(resume)
VMX_ENTER_INSN(launch)

/* Reads that cpu_count_access() has counted. */
static inline uint64_t vmcs_read_counted(enum vmcs_field field)
{
    uint64_t value;
    bool failed;

    __asm__ volatile("vmread %2, %0" : "=r"(value), "=@ccbe"(failed) : "r"((uint64_t)field));
    if (unlikely(failed))
        vmx_refused("VMREAD", field);
    return value;
}

static inline void vmcs_copy_counted(enum vmcs_field field, uint64_t *to)
{
    bool failed;

    __asm__ volatile("vmread %2, %0" : "=m"(*to), "=@ccbe"(failed) : "r"((uint64_t)field));
    if (unlikely(failed))
        vmx_refused("VMREAD", field);
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
    bool failed;

    __asm__ volatile("vmwrite %1, %2"
                     : "=@ccbe"(failed)
                     : "rm"(value), "r"((uint64_t)field)
                     : "memory");
    if (unlikely(failed))
        vmx_refused("VMWRITE", field);
    cpu_count_access(1);
}

/* The operand of these is the physical address of a 4 KiB region. */
#define VMX_REGION_INSN(name, text)                                                                \
    static inline bool vmx_##name(hpa_t region)                                                    \
    {                                                                                              \
        bool failed;                                                                               \
        __asm__ volatile(text " %1" : "=@ccbe"(failed) : "m"(region) : "memory");                  \
        return !failed;                                                                            \
    }

/* Of the descriptor only the first half counts: EPTP or VPID. */
#define VMX_INVALIDATE_INSN(name)                                                                  \
    static inline bool vmx_##name(enum name##_type type, uint64_t of)                              \
    {                                                                                              \
        const uint64_t descriptor[2] = { of, 0 };                                                  \
        bool failed;                                                                               \
        __asm__ volatile(#name " %1, %2"                                                           \
                         : "=@ccbe"(failed)                                                        \
                         : "m"(descriptor), "r"((uint64_t)type)                                    \
                         : "memory");                                                              \
        return !failed;                                                                            \
    }
VMX_INVALIDATE_INSN(invept)
VMX_INVALIDATE_INSN(invvpid)

#endif

static inline uint64_t vmcs_read(enum vmcs_field field)
{
    cpu_count_access(1);
    return vmcs_read_counted(field);
}

/* All three neutral copies, where the guest has executed something and so is not in a HLT (see
 * vmx_shadow()); cpu_count_access() has counted. */
static inline void vmx_read_copies(struct vcpu *v)
{
    vmcs_copy_counted(VMCS_GUEST_RIP, &v->rip);
    vmcs_copy_counted(VMCS_GUEST_RFLAGS, &v->rflags);
    vmcs_copy_counted(VMCS_GUEST_INTERRUPTIBILITY, &v->shadow);
    v->valid = VCPU_COPIES;
    v->dirty = 0;
}

VMX_REGION_INSN(on, "vmxon")
VMX_REGION_INSN(clear, "vmclear")
VMX_REGION_INSN(load_region, "vmptrld")

#endif
