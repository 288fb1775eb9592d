/* SPDX-License-Identifier: MIT */
/* Every rule of the VM-entry checker: broken on purpose, and none broken by what vmx/setup.c
 * writes (build host). */
/* sources: vmx/check.c vmx/check_controls.c vmx/check_entry.c vmx/check_host.c vmx/check_guest.c
 * vmx/check_segments.c vmx/check_state.c vmx/regs.c vmx/ctls.c vmx/probe.c vmx/setup.c vmx/run.c
 * vmx/decode.c vmx/intercept.c vmx/apicv.c vmx/ept.c kernel/page.c tests/unit/fake_vmx.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_vmx.h"
#include "vmx/check.h"

#define RULES_MAX 128u
#define NOT_CANONICAL 0x800000000000ull
#define TOO_HIGH (1ull << 39)
#define EXCEPTION(vector) (INTR_VALID | INTR_TYPE_EXCEPTION << INTR_TYPE_SHIFT | (vector))

enum base { REAL, PROTECTED, LONG, V86, RESTRICTED };

struct change {
    uint32_t field;
    uint64_t value;
};

static const struct check_group *const groups[] = {
    &check_execution,     &check_exit,      &check_entry,       &check_host,
    &check_host_segments, &check_host_size, &check_guest,       &check_guest_segments,
    &check_guest_tables,  &check_guest_rip, &check_guest_state, &check_guest_pdptes,
};

static void put(uint32_t field, uint64_t value)
{
    fake_vmx.vmcs[field] = value;
}

static void put_segments(uint32_t code, uint32_t data, uint32_t limit)
{
    for (unsigned seg = VSEG_ES; seg <= VSEG_GS; seg++) {
        put(VMCS_SEG_ACCESS(seg), seg == VSEG_CS ? code : data);
        put(VMCS_SEG_LIMIT(seg), limit);
        put(VMCS_SEG_SELECTOR(seg), seg == VSEG_CS ? 8 : 16);
        put(VMCS_SEG_BASE(seg), 0);
    }
}

static void protected_mode(void)
{
    vmx_set(&fake_vmx.vcpu, VREG_CR0, CR0_PE | CR0_ET);
    put_segments(0xc09b, 0xc093, UINT32_MAX);
    put(VMCS_GUEST_RIP, 0x100000);
}

static void long_mode(void)
{
    vmx_set(&fake_vmx.vcpu, VREG_CR0, CR0_PG | CR0_PE | CR0_ET);
    vmx_set(&fake_vmx.vcpu, VREG_CR4, CR4_PAE | CR4_PCIDE);
    vmx_set(&fake_vmx.vcpu, VREG_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    put_segments(0xa09b, 0xc093, UINT32_MAX);
    put(VMCS_GUEST_RIP, 0xffffffff81000000);
}

static void virtual_8086(void)
{
    protected_mode();
    put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_VM | RFLAGS_IF);
    for (unsigned seg = VSEG_ES; seg <= VSEG_GS; seg++) {
        put(VMCS_SEG_ACCESS(seg), 0xf3);
        put(VMCS_SEG_LIMIT(seg), UINT16_MAX);
        put(VMCS_SEG_SELECTOR(seg), 0x1000 + seg);
        put(VMCS_SEG_BASE(seg), (0x1000 + seg) << 4);
    }
    put(VMCS_GUEST_RIP, 0x100);
}

static void build(enum base base)
{
    fake_vmx_reset();
    fake_vmx_create();
    if (base == PROTECTED || base == RESTRICTED)
        protected_mode();
    if (base == LONG)
        long_mode();
    if (base == V86)
        virtual_8086();
    if (base == RESTRICTED) {
        put(VMCS_PROC_CONTROLS2, vmx_caps.proc2 & ~PROC2_UNRESTRICTED_GUEST);
        fake_vmx.vmcs[VMCS_GUEST_CR0] |= CR0_PG;
    }
}

static const struct {
    enum base base;
    const char *text; /* a piece of the rule's */
    struct change changes[3];
} rows[] = {
    { REAL, "pin-based controls as", { { VMCS_PIN_CONTROLS, 0x28 } } },
    { REAL, "pin-based controls as", { { VMCS_PIN_CONTROLS, 0x116 } } },
    { REAL, "primary processor-based controls as", { { VMCS_PROC_CONTROLS, 0 } } },
    { REAL, "secondary processor-based controls as", { { VMCS_PROC_CONTROLS2, 1u << 27 } } },
    { REAL, "no more CR3 targets", { { VMCS_CR3_TARGET_COUNT, 5 } } },
    { REAL, "I/O bitmaps are page-aligned", { { VMCS_IO_BITMAP_B, 0x1800 } } },
    { REAL, "I/O bitmaps are page-aligned", { { VMCS_IO_BITMAP_A, TOO_HIGH } } },
    { REAL, "the MSR bitmap is page-aligned", { { VMCS_MSR_BITMAP, 1 } } },
    { REAL, "the virtual-APIC page",
      { { VMCS_PROC_CONTROLS, 0x84006172 | PROC_TPR_SHADOW }, { VMCS_VIRTUAL_APIC, 8 } } },
    { REAL, "bits 31:4 of the TPR threshold",
      { { VMCS_PROC_CONTROLS, 0x84006172 | PROC_TPR_SHADOW }, { VMCS_TPR_THRESHOLD, 16 } } },
    { REAL, "virtual NMIs need NMI exiting", { { VMCS_PIN_CONTROLS, 0x16 | PIN_VIRTUAL_NMI } } },
    { REAL, "virtual NMIs need NMI exiting",
      { { VMCS_PIN_CONTROLS, 0x16 | PIN_NMI },
        { VMCS_PROC_CONTROLS, 0x84006172 | PROC_NMI_WINDOW } } },
    { REAL, "the APIC-access page",
      { { VMCS_PROC_CONTROLS2, PROC2_APIC_ACCESSES }, { VMCS_APIC_ACCESS, TOO_HIGH } } },
    { REAL, "without TPR shadow", { { VMCS_PROC_CONTROLS2, PROC2_APIC_REGISTERS } } },
    { REAL, "virtualize x2APIC mode excludes",
      { { VMCS_PROC_CONTROLS2, PROC2_X2APIC_MODE | PROC2_APIC_ACCESSES } } },
    { REAL, "virtual-interrupt delivery needs external",
      { { VMCS_PROC_CONTROLS2, PROC2_INTERRUPT_DELIVERY }, { VMCS_PIN_CONTROLS, 0x16 } } },
    { REAL, "posted interrupts need", { { VMCS_PIN_CONTROLS, 0x97 } } },
    { REAL, "the VPID is not 0", { { VMCS_VPID, 0 } } },
    { REAL, "the EPTP's type", { { VMCS_EPTP, 0x1000 | EPTP_WALK_4 | 1 } } },
    { REAL, "the EPTP's type", { { VMCS_EPTP, 0x1000 | 2 << 3 | EPTP_WB } } },
    { REAL, "the EPTP's type", { { VMCS_EPTP, 0x1000 | EPTP_WALK_4 | EPTP_WB | 1 << 8 } } },
    { REAL, "the EPTP's type", { { VMCS_EPTP, TOO_HIGH | EPTP_WALK_4 | EPTP_WB } } },
    { REAL, "unrestricted guest needs EPT",
      { { VMCS_PROC_CONTROLS2, PROC2_UNRESTRICTED_GUEST } } },
    { REAL, "VM-exit controls as", { { VMCS_EXIT_CONTROLS, EXITC_HOST_64 } } },
    { REAL, "save VMX-preemption timer value needs", { { VMCS_PIN_CONTROLS, 0x3f } } },
    { REAL, "the MSR-store area",
      { { VMCS_EXIT_MSR_STORE_COUNT, 1 }, { VMCS_EXIT_MSR_STORE, 8 } } },
    { REAL, "the MSR-load area", { { VMCS_EXIT_MSR_LOAD_COUNT, 1 }, { VMCS_EXIT_MSR_LOAD, 8 } } },
    { REAL, "VM-entry controls as", { { VMCS_ENTRY_CONTROLS, 0 } } },
    { REAL, "entry to SMM", { { VMCS_ENTRY_CONTROLS, 0x11fb | ENTRYC_SMM } } },
    { REAL, "the MSR-load area",
      { { VMCS_ENTRY_MSR_LOAD_COUNT, 1 }, { VMCS_ENTRY_MSR_LOAD, TOO_HIGH } } },
    { REAL, "the injected event's type", { { VMCS_ENTRY_INTR_INFO, INTR_VALID | 1 << 8 } } },
    { REAL, "the injected event's vector",
      { { VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_TYPE_NMI << 8 | 3 } } },
    { REAL, "the injected event's vector", { { VMCS_ENTRY_INTR_INFO, EXCEPTION(32) } } },
    /* real mode has no error codes, #GP in protected mode must have one, #UD never */
    { REAL, "an error code is delivered",
      { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_GP) | INTR_ERROR_CODE } } },
    { PROTECTED, "an error code is delivered",
      { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_GP) } } },
    { PROTECTED, "an error code is delivered",
      { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_UD) | INTR_ERROR_CODE } } },
    { REAL, "bits 30:12 of the injected event",
      { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_UD) | 1 << 12 } } },
    { PROTECTED, "bits 31:16 of the injected error code",
      { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_GP) | INTR_ERROR_CODE },
        { VMCS_ENTRY_ERROR_CODE, 0x10000 } } },
    { REAL, "the instruction length of an injected",
      { { VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_TYPE_SOFT_INTERRUPT << 8 | 0x80 },
        { VMCS_ENTRY_INSN_LENGTH, 16 } } },
    { REAL, "the instruction length of an injected",
      { { VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_TYPE_SOFT_EXCEPTION << 8 | VECTOR_BP },
        { VMCS_ENTRY_INSN_LENGTH, 0 } } },

    { REAL, "host CR0 has the bits", { { VMCS_HOST_CR0, CR0_PE | CR0_PG } } },
    { REAL, "host CR4 has the bits", { { VMCS_HOST_CR4, CR4_PAE } } },
    { REAL, "host CR3 is within", { { VMCS_HOST_CR3, TOO_HIGH } } },
    { REAL, "host SYSENTER addresses", { { VMCS_HOST_SYSENTER_EIP, NOT_CANONICAL } } },
    { REAL, "each type in the host PAT", { { VMCS_HOST_PAT, 2 } } },
    { REAL, "reserved bits of the host EFER", { { VMCS_HOST_EFER, 0x502 } } },
    { REAL, "LMA and LME of the host EFER", { { VMCS_HOST_EFER, EFER_LME } } },
    { REAL, "RPL and TI of host selectors", { { VMCS_HOST_GS, 3 } } },
    { REAL, "RPL and TI of the host TR", { { VMCS_HOST_TR, 0x1c } } },
    { REAL, "host CS and TR are not null", { { VMCS_HOST_TR, 0 } } },
    { REAL, "host bases are canonical", { { VMCS_HOST_IDTR_BASE, NOT_CANONICAL } } },
    { REAL, "host address-space size is 1", { { VMCS_EXIT_CONTROLS, 0x36dfb } } },
    { REAL, "host CR4.PAE", { { VMCS_HOST_CR4, CR4_VMXE } } },
    { REAL, "host RIP is canonical", { { VMCS_HOST_RIP, NOT_CANONICAL } } },

    { REAL, ": CR0 has the bits", { { VMCS_GUEST_CR0, 0 } } },
    { RESTRICTED, ": CR0 has the bits", { { VMCS_GUEST_CR0, CR0_NE | CR0_PE } } },
    { REAL, "CR0.PG needs CR0.PE", { { VMCS_GUEST_CR0, CR0_NE | CR0_PG } } },
    { REAL, ": CR4 has the bits", { { VMCS_GUEST_CR4, 0 } } },
    { REAL, ": CR4 has the bits", { { VMCS_GUEST_CR4, CR4_VMXE | CR4_LA57 } } },
    { REAL, "CR4.CET needs", { { VMCS_GUEST_CR4, CR4_VMXE | CR4_CET } } },
    { REAL, "reserved bits of DEBUGCTL", { { VMCS_GUEST_DEBUGCTL, 8 } } },
    { LONG, "IA-32e mode guest needs", { { VMCS_GUEST_CR4, CR4_VMXE } } },
    { LONG, "IA-32e mode guest needs", { { VMCS_GUEST_CR0, CR0_NE | CR0_PE } } },
    { REAL, "CR4.PCIDE needs", { { VMCS_GUEST_CR4, CR4_VMXE | CR4_PCIDE } } },
    { REAL, ": CR3 is within", { { VMCS_GUEST_CR3, TOO_HIGH } } },
    { REAL, "bits 63:32 of DR7", { { VMCS_GUEST_DR7, 1ull << 32 } } },
    { REAL, ": SYSENTER addresses", { { VMCS_GUEST_SYSENTER_ESP, NOT_CANONICAL } } },
    { REAL, "each type in the PAT", { { VMCS_GUEST_PAT, 8ull << 56 } } },
    { REAL, "reserved bits of EFER", { { VMCS_GUEST_EFER, EFER_SVME } } },
    { REAL, "EFER.LMA is as", { { VMCS_GUEST_EFER, EFER_LMA | EFER_LME } } },
    { LONG, "EFER.LMA equals EFER.LME", { { VMCS_GUEST_EFER, EFER_LMA } } },

    { REAL, "TI of TR", { { VMCS_GUEST_TR, 4 } } },
    { REAL, "TI of TR", { { VMCS_GUEST_LDTR, 4 } } },
    { RESTRICTED, "RPL of SS equals RPL of CS", { { VMCS_GUEST_SS, 19 } } },
    { V86, "a base is the selector", { { VMCS_GUEST_FS_BASE, 0 } } },
    { LONG, "bases of TR, and", { { VMCS_GUEST_TR_BASE, NOT_CANONICAL } } },
    { LONG, "bases of FS and GS", { { VMCS_GUEST_GS_BASE, NOT_CANONICAL } } },
    { LONG, "bits 63:32 of the bases", { { VMCS_GUEST_SS_BASE, 1ull << 32 } } },
    { V86, "a limit is FFFFh", { { VMCS_GUEST_DS_LIMIT, 0xfffff } } },
    { V86, "access rights are F3h", { { VMCS_GUEST_CS_ACCESS, 0x9b } } },
    { REAL, "CS is an accessed code", { { VMCS_GUEST_CS_ACCESS, 0x9a } } },
    { RESTRICTED, "CS is an accessed code", { { VMCS_GUEST_CS_ACCESS, 0xc093 } } },
    { REAL, "SS is a writable", { { VMCS_GUEST_SS_ACCESS, 0x91 } } },
    { REAL, "DS, ES, FS, GS are accessed", { { VMCS_GUEST_GS_ACCESS, 0x99 } } },
    { REAL, "DS, ES, FS, GS are accessed", { { VMCS_GUEST_ES_ACCESS, 0x92 } } },
    { REAL, "S of code and data", { { VMCS_GUEST_DS_ACCESS, 0x83 } } },
    { REAL, "DPL of CS fits", { { VMCS_GUEST_CS_ACCESS, 0xfb } } },
    { REAL, "DPL of CS fits", { { VMCS_GUEST_CS_ACCESS, 0xf3 } } },
    { PROTECTED, "DPL of CS fits", { { VMCS_GUEST_CS_ACCESS, 0xc0ff } } },
    { RESTRICTED, "DPL of SS equals its RPL", { { VMCS_GUEST_SS_ACCESS, 0xc0f3 } } },
    { REAL, "DPL of SS is 0", { { VMCS_GUEST_SS_ACCESS, 0xf3 } } },
    { RESTRICTED, "is not below their RPL", { { VMCS_GUEST_DS, 19 } } },
    { REAL, "code and data segments are present", { { VMCS_GUEST_FS_ACCESS, 0x13 } } },
    { REAL, "reserved bits of access rights", { { VMCS_GUEST_CS_ACCESS, 0x19b } } },
    { LONG, "CS is not both L and D", { { VMCS_GUEST_CS_ACCESS, 0xe09b } } },
    { REAL, "granularity fits the limit", { { VMCS_GUEST_ES_LIMIT, 0x100000 } } },
    { PROTECTED, "granularity fits the limit", { { VMCS_GUEST_CS_LIMIT, 0xffffff00 } } },
    { LONG, "TR is a busy TSS", { { VMCS_GUEST_TR_ACCESS, 0x83 } } },
    { REAL, "TR is a busy TSS", { { VMCS_GUEST_TR_ACCESS, 0x89 } } },
    { REAL, "LDTR is of the LDT type", { { VMCS_GUEST_LDTR_ACCESS, 0x83 } } },
    { REAL, "S of TR and LDTR", { { VMCS_GUEST_TR_ACCESS, 0x9b } } },
    { REAL, "TR and LDTR are present", { { VMCS_GUEST_LDTR_ACCESS, 0x02 } } },
    { REAL, "access rights of TR and LDTR", { { VMCS_GUEST_TR_ACCESS, 0x18b } } },
    { REAL, "granularity of TR and LDTR", { { VMCS_GUEST_TR_LIMIT, 0x100000 } } },
    { REAL, "TR is usable", { { VMCS_GUEST_TR_ACCESS, 0x1008b } } },
    { REAL, "bases of GDTR and IDTR", { { VMCS_GUEST_IDTR_BASE, NOT_CANONICAL } } },
    { REAL, "limits of GDTR and IDTR", { { VMCS_GUEST_GDTR_LIMIT, 0x10000 } } },

    { REAL, "bits 63:32 of RIP", { { VMCS_GUEST_RIP, 1ull << 32 } } },
    { LONG, "above the linear-address width", { { VMCS_GUEST_RIP, 1ull << 48 } } },
    { REAL, "RFLAGS bit 1 is 1", { { VMCS_GUEST_RFLAGS, 0 } } },
    { REAL, "RFLAGS bit 1 is 1", { { VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | 1 << 15 } } },
    { REAL, "RFLAGS.VM is 0", { { VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_VM } } },
    { LONG, "RFLAGS.VM is 0", { { VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_VM } } },
    { REAL, "RFLAGS.IF is 1", { { VMCS_ENTRY_INTR_INFO, INTR_VALID | 0x20 } } },
    { REAL, "the activity state is one", { { VMCS_GUEST_ACTIVITY, 4 } } },
    { PROTECTED, "is not HLT outside CPL 0",
      { { VMCS_GUEST_ACTIVITY, ACTIVITY_HLT }, { VMCS_GUEST_SS_ACCESS, 0xc0f3 } } },
    { REAL, "is active while STI",
      { { VMCS_GUEST_ACTIVITY, ACTIVITY_HLT }, { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS } } },
    { REAL, "that the activity state takes",
      { { VMCS_GUEST_ACTIVITY, ACTIVITY_WAIT_SIPI },
        { VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_TYPE_NMI << 8 | VECTOR_NMI } } },
    { REAL, "that the activity state takes",
      { { VMCS_GUEST_ACTIVITY, ACTIVITY_HLT }, { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_UD) } } },
    { REAL, "reserved bits of the interruptibility", { { VMCS_GUEST_INTERRUPTIBILITY, 32 } } },
    { REAL, "do not block together", { { VMCS_GUEST_INTERRUPTIBILITY, 3 } } },
    { REAL, "STI blocks only with", { { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI } } },
    { REAL, "nothing blocks the external",
      { { VMCS_ENTRY_INTR_INFO, INTR_VALID | 0x20 },
        { VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF },
        { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI } } },
    { REAL, "neither MOV SS nor STI blocks the NMI",
      { { VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_TYPE_NMI << 8 | VECTOR_NMI },
        { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS } } },
    { REAL, "blocking by SMI", { { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_SMI } } },
    { REAL, "no NMI blocks the one",
      { { VMCS_ENTRY_INTR_INFO, INTR_VALID | INTR_TYPE_NMI << 8 | VECTOR_NMI },
        { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI } } },
    { REAL, "reserved bits of the pending debug", { { VMCS_GUEST_PENDING_DEBUG, 0x10 } } },
    { REAL, "BS is pending exactly",
      { { VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_TF },
        { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS } } },
    { REAL, "BS is pending exactly",
      { { VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS }, { VMCS_GUEST_ACTIVITY, ACTIVITY_HLT } } },
    { REAL, "the link pointer is", { { VMCS_LINK_POINTER, 0x800 } } },
    { PROTECTED, "reserved bits of PDPTEs",
      { { VMCS_GUEST_CR0, CR0_NE | CR0_PE | CR0_PG }, { VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE },
        { VMCS_GUEST_PDPTE2, 3 } } },
};

static const char *explain(uint32_t reason)
{
    fake_vmx.log[0] = '\0';
    vmx_explain_entry_failure(&fake_vmx.vcpu, reason);
    return fake_vmx.log;
}

static bool seen[ARRAY_SIZE(groups)][RULES_MAX];

static void note_broken(const char *log)
{
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
        for (size_t i = 0; i < groups[g]->count; i++) {
            char line[400];

            snprintf(line, sizeof(line), "broken: %s (SDM 3C, \"%s\")\n", groups[g]->rules[i].text,
                     groups[g]->section);
            seen[g][i] |= strstr(log, line) != NULL;
        }
}

static void good_states_break_nothing(void **state)
{
    (void)state;
    for (enum base base = REAL; base <= RESTRICTED; base++) {
        build(base);
        const char *log = explain(VMX_EXIT_ENTRY_GUEST_STATE);

        if (strstr(log, "broken: "))
            fail_msg("base %d: %s", base, log);
        assert_non_null(strstr(log, "no rule that is known here is broken"));
        assert_non_null(strstr(log, "GUEST_RIP = 0x"));
    }
}

static void rules_find_what_is_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        build(rows[i].base);
        for (unsigned c = 0; c < 3 && rows[i].changes[c].field; c++)
            put(rows[i].changes[c].field, rows[i].changes[c].value);
        if (strcmp(rows[i].text, "the VPID is not 0") == 0)
            put(VMCS_VPID, 0);
        const char *log = explain(VMX_EXIT_ENTRY_GUEST_STATE);

        if (!strstr(log, rows[i].text))
            fail_msg("not found: %s\n%s", rows[i].text, log);
        note_broken(log);
    }
    for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
        for (size_t i = 0; i < groups[g]->count; i++)
            if (!seen[g][i])
                fail_msg("no test breaks: %s", groups[g]->rules[i].text);
}

static void values_are_shown(void **state)
{
    const char *log;

    (void)state;
    build(REAL);
    put(VMCS_GUEST_RFLAGS, 0x8002);
    put(VMCS_GUEST_FS_ACCESS, 0x13);
    put(VMCS_GUEST_FS, 0x1234);
    log = explain(VMX_EXIT_ENTRY_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE);
    assert_non_null(strstr(log, "invalid guest state"));
    assert_non_null(strstr(log, "GUEST_RFLAGS = 0x8002\n"));
    assert_non_null(strstr(log, "GUEST_FS = 0x1234\n"));
    assert_non_null(strstr(log, "GUEST_FS_ACCESS = 0x13\n"));
    assert_null(strstr(log, "GUEST_GS"));
    put(VMCS_INSN_ERROR, 8);
    assert_non_null(strstr(explain(0), "invalid host-state field"));
}

/* Unusable segments and what else the manual leaves alone. */
static void exceptions_from_rules(void **state)
{
    static const struct {
        enum base base;
        struct change changes[3];
    } fine[] = {
        { LONG, { { VMCS_GUEST_DS_ACCESS, 0x10000 }, { VMCS_GUEST_ES_ACCESS, 0x10000 } } },
        { LONG, { { VMCS_GUEST_SS_ACCESS, 0x10000 }, { VMCS_GUEST_SS, 0 } } },
        { LONG, { { VMCS_GUEST_LDTR_ACCESS, 0x10000 }, { VMCS_GUEST_LDTR, 4 } } },
        { LONG, { { VMCS_GUEST_RIP, NOT_CANONICAL } } }, /* bit 47 may differ */
        { REAL, { { VMCS_GUEST_CS_ACCESS, 0x93 } } },    /* real mode after protected mode */
        { REAL, { { VMCS_GUEST_PDPTE0, 3 } } },
        { REAL, { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_GP) } } },
        { PROTECTED, { { VMCS_ENTRY_INTR_INFO, EXCEPTION(VECTOR_PF) | INTR_ERROR_CODE } } },
        { PROTECTED, { { VMCS_GUEST_CS_ACCESS, 0xc09f } } }, /* conforming */
        { PROTECTED, { { VMCS_GUEST_DS, 3 } } }, /* RPL is free with unrestricted guest */
        { REAL, { { VMCS_GUEST_ACTIVITY, ACTIVITY_HLT },
                  { VMCS_ENTRY_INTR_INFO, INTR_VALID | 0x20 },
                  { VMCS_GUEST_RFLAGS, RFLAGS_FIXED1 | RFLAGS_IF } } },
        { REAL, { { VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI } } },
        { REAL, { { VMCS_LINK_POINTER, 0x1000 } } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
        build(fine[i].base);
        for (unsigned c = 0; c < 3 && fine[i].changes[c].field; c++)
            put(fine[i].changes[c].field, fine[i].changes[c].value);
        const char *log = explain(VMX_EXIT_ENTRY_GUEST_STATE);

        if (strstr(log, "broken: "))
            fail_msg("row %zu: %s", i, log);
    }
}

/* The fake fails the test when a field is read that this CPU does not have. */
static void plain_cpu_has_fewer_fields(void **state)
{
    (void)state;
    fake_vmx_reset();
    fake_vmx_forbid(MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
                    PROC_TPR_SHADOW);
    fake_vmx_forbid(MSR_IA32_VMX_PROCBASED_CTLS2, 0,
                    PROC2_APIC_ACCESSES | PROC2_VPID | PROC2_XSAVES | PROC2_INTERRUPT_DELIVERY);
    fake_vmx_forbid(MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS,
                    PIN_POSTED_INTERRUPTS);
    fake_vmx_create();
    assert_null(strstr(explain(VMX_EXIT_ENTRY_GUEST_STATE), "broken: "));
}

/* Through the run loop: a refused instruction, and an exit that says so. */
static void guest_state_refused(void)
{
    fake_vmx.vmcs[VMCS_EXIT_REASON] = VMX_EXIT_ENTRY_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE;
}

static void run_explains(void **state)
{
    struct vmexit exit;

    (void)state;
    build(REAL);
    put(VMCS_GUEST_CR3, TOO_HIGH);
    fake_vmx.entry = guest_state_refused;
    vmx_run(&fake_vmx.vcpu, &exit);
    assert_int_equal(exit.kind, EXIT_ENTRY_FAILED);
    assert_non_null(strstr(fake_vmx.log, "CR3 is within the physical-address width"));
    build(REAL);
    put(VMCS_EXIT_CONTROLS, 0);
    put(VMCS_INSN_ERROR, 7);
    fake_vmx.refuse_entry = true;
    vmx_run(&fake_vmx.vcpu, &exit);
    assert_int_equal(exit.kind, EXIT_ENTRY_FAILED);
    assert_non_null(strstr(fake_vmx.log, "invalid control field"));
    assert_non_null(strstr(fake_vmx.log, "VM-exit controls as IA32_VMX_EXIT_CTLS allows"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_states_break_nothing), cmocka_unit_test(rules_find_what_is_broken),
        cmocka_unit_test(values_are_shown),          cmocka_unit_test(exceptions_from_rules),
        cmocka_unit_test(plain_cpu_has_fewer_fields), cmocka_unit_test(run_explains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
