/* SPDX-License-Identifier: MIT */
/* For vmx/vmx_asm.h on the build host: the test provides a VMCS (tests/unit/fake_vmx.c). */
#ifndef TESTS_UNIT_VMX_HOST_H
#define TESTS_UNIT_VMX_HOST_H

uint64_t vmx_test_read(enum vmcs_field field);
void vmx_test_write(enum vmcs_field field, uint64_t value);
/* These return false when the instruction is refused. */
bool vmx_test_region(const char *name, hpa_t region);
bool vmx_test_invept(enum invept_type type, uint64_t eptp);
bool vmx_test_invvpid(enum invvpid_type type, uint16_t vpid);

bool vmx_resume(struct vcpu *vcpu);
bool vmx_launch(struct vcpu *vcpu);

static inline uint64_t vmcs_read_counted(enum vmcs_field field)
{
    return vmx_test_read(field);
}

static inline void vmcs_copy_counted(enum vmcs_field field, uint64_t *to)
{
    *to = vmx_test_read(field);
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
    cpu_count_access(1);
    vmx_test_write(field, value);
}

#define VMX_REGION_INSN(name, text)                                                                \
    static inline bool vmx_##name(hpa_t region)                                                    \
    {                                                                                              \
        return vmx_test_region(text, region);                                                      \
    }

static inline bool vmx_invept(enum invept_type type, uint64_t eptp)
{
    return vmx_test_invept(type, eptp);
}

static inline bool vmx_invvpid(enum invvpid_type type, uint16_t vpid)
{
    return vmx_test_invvpid(type, vpid);
}

#endif
