/* SPDX-License-Identifier: MIT */
/* Registers of a CPU after INIT (root mode). Source: SDM 3A, "Processor State After Reset". */
#include "kernel/vcpu_reset.h"

#include "kernel/vcpu.h"

/* Descriptor types of SDM 3A, "Segment Descriptors", with P (80h) and S (10h). */
#define ACCESS_DATA_RW_ACCESSED 0x93u
#define ACCESS_CODE_RX_ACCESSED 0x9bu
#define ACCESS_LDT 0x82u
#define ACCESS_TSS_BUSY 0x8bu

static const struct vsegment reset_segments[VSEG_COUNT] = {
    [VSEG_ES] = { 0, 0xffff, ACCESS_DATA_RW_ACCESSED, 0 },
    [VSEG_CS] = { 0xf000, 0xffff, ACCESS_CODE_RX_ACCESSED, 0xffff0000 },
    [VSEG_SS] = { 0, 0xffff, ACCESS_DATA_RW_ACCESSED, 0 },
    [VSEG_DS] = { 0, 0xffff, ACCESS_DATA_RW_ACCESSED, 0 },
    [VSEG_FS] = { 0, 0xffff, ACCESS_DATA_RW_ACCESSED, 0 },
    [VSEG_GS] = { 0, 0xffff, ACCESS_DATA_RW_ACCESSED, 0 },
    [VSEG_LDTR] = { 0, 0xffff, ACCESS_LDT, 0 },
    [VSEG_TR] = { 0, 0xffff, ACCESS_TSS_BUSY, 0 },
    [VSEG_GDTR] = { 0, 0xffff, 0, 0 },
    [VSEG_IDTR] = { 0, 0xffff, 0, 0 },
};

#define RESET_RIP 0xfff0
#define RESET_CR0 (CR0_CD | CR0_NW | CR0_ET)

static const struct {
    enum vreg reg;
    uint64_t value;
} reset_registers[] = {
    { VREG_EFER, 0 },
    { VREG_CR0, RESET_CR0 },
    { VREG_CR2, 0 },
    { VREG_CR3, 0 },
    { VREG_CR4, 0 },
    { VREG_DR6, DR6_INIT },
    { VREG_DR7, DR7_INIT },
    { VREG_RSP, 0 },
    { VREG_RIP, RESET_RIP },
    { VREG_RFLAGS, RFLAGS_FIXED1 },
    { VREG_PENDING_DEBUG, 0 },
    { VREG_SYSENTER_CS, 0 },
    { VREG_SYSENTER_ESP, 0 },
    { VREG_SYSENTER_EIP, 0 },
    { VREG_PAT, PAT_RESET },
};

void vcpu_reset_registers(struct vcpu *v)
{
    for (unsigned seg = 0; seg < VSEG_COUNT; seg++)
        backend->set_segment(v, (enum vseg)seg, &reset_segments[seg]);
    for (size_t i = 0; i < ARRAY_SIZE(reset_registers); i++)
        backend->set(v, reset_registers[i].reg, reset_registers[i].value);
}
