/* SPDX-License-Identifier: MIT */
/* See tests/unit/fake_svm.h (build host). Link with -Wl,--wrap=log_printf. */
#include "tests/unit/fake_svm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/gmem.h"
#include "kernel/guest_state.h"
#include "kernel/log.h"
#include "tests/unit/host_stubs.h"

#define MEMORY (8ull << 20)
#define HOST_CR3 0x7000u
#define LINEAR_BITS 48u
#define PHYSICAL_BITS 40u

struct fake_svm fake_svm;
const struct backend *backend;
static struct {
    uint32_t number;
    uint64_t value;
} msrs[FAKE_MSRS];

uint64_t *fake_svm_msr(uint32_t msr)
{
    unsigned i = 0;

    while (i < FAKE_MSRS && msrs[i].number && msrs[i].number != msr)
        i++;
    assert_true(i < FAKE_MSRS);
    msrs[i].number = msr;
    return &msrs[i].value;
}

uint64_t x86_test_rdmsr(uint32_t msr)
{
    return *fake_svm_msr(msr);
}

void x86_test_wrmsr(uint32_t msr, uint64_t value)
{
    *fake_svm_msr(msr) = value;
}

uint64_t x86_test_read_reg(const char *name)
{
    return strcmp(name, "cr3") == 0 ? HOST_CR3 : 0;
}

struct cpuid_regs x86_test_cpuid(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case CPUID_VENDOR:
        return (struct cpuid_regs){ .ebx = fake_svm.vendor_ebx };
    case CPUID_EXT_MAX:
        return (struct cpuid_regs){ .eax = fake_svm.ext_max };
    case CPUID_EXT_FEATURES_AMD:
        return fake_svm.ext;
    case CPUID_SVM:
        return fake_svm.svm;
    case CPUID_EXT_FEATURES:
        return fake_svm.leaf7;
    case CPUID_XSTATE:
        return subleaf == 1 ? fake_svm.xstate : (struct cpuid_regs){ 0 };
    case CPUID_ADDRESS_SIZES:
        return (struct cpuid_regs){ .eax = LINEAR_BITS << 8 | PHYSICAL_BITS };
    default:
        return (struct cpuid_regs){ 0 };
    }
}

void svm_test_vmsave(hpa_t vmcb)
{
    fake_svm.saved = vmcb;
}

/* Leaves event_inject as it is, as VMRUN does where it refuses the guest. */
void svm_enter(struct vcpu *v, hpa_t vmcb, hpa_t host)
{
    const struct svm_cpu *cpu = this_cpu()->backend;

    assert_ptr_equal(v, &fake_svm.vcpu);
    assert_ptr_equal(page_ptr(vmcb), vmcb_of(v));
    assert_ptr_equal(page_ptr(host), &cpu->host);
    fake_svm.entered = *vmcb_of(v);
    fake_svm.entries++;
    if (fake_svm.entry)
        fake_svm.entry();
}

/* kernel/exit.c without requests. */
bool exit_prepare(struct vcpu *v)
{
    if (v->requests)
        return false;
    backend->inject(v);
    v->event = (struct vevent){ .type = VEVENT_NONE };
    return true;
}

static enum verdict handle(struct vcpu *v, struct vmexit *exit)
{
    fake_svm.last = *exit;
    v->requests |= VCPU_REQ_YIELD;
    return VERDICT_RETRY;
}

void fake_svm_run(void)
{
    fake_svm.vcpu.requests = 0;
    backend->loop(&fake_svm.vcpu);
}

bool vcpu_64bit(struct vcpu *v)
{
    return (svm_get(v, VREG_CS_ACCESS) & SEGMENT_ACCESS_L) && (svm_get(v, VREG_EFER) & EFER_LMA);
}

void vcpu_inject_error(struct vcpu *v, uint8_t vector, uint32_t error_code)
{
    v->event = (struct vevent){ .type = VEVENT_EXCEPTION, .vector = vector,
                                .has_error_code = true, .error_code = error_code };
}

void vcpu_request(struct vcpu *v, uint32_t requests)
{
    v->requests |= requests;
}

void guest_state_see_xcr0(struct vcpu *v)
{
    assert_ptr_equal(v, &fake_svm.vcpu);
}

/* Code is read the long way, through gwalk_read. */
void *gmem_page(struct vm *vm, gpa_t gpa)
{
    (void)vm;
    (void)gpa;
    return NULL;
}

int gwalk_read(struct vcpu *v, gva_t gva, void *to, size_t size, unsigned access, gva_t *fault,
               uint32_t *error_code)
{
    bool wide = vcpu_64bit(v);
    gva_t at = wide ? gva - fake_svm.code_gva : (uint32_t)(gva - fake_svm.code_gva);

    assert_ptr_equal(v, &fake_svm.vcpu);
    assert_true(wide || gva <= UINT32_MAX);
    *error_code = 0;
    *fault = gva;
    fake_svm.access = access;
    if (at >= fake_svm.code_pages * PAGE_SIZE || at + size > fake_svm.code_pages * PAGE_SIZE)
        return -EFAULT;
    memcpy(to, &fake_svm.code[at], size);
    return 0;
}

void fake_svm_code(const uint8_t *bytes, size_t count)
{
    const struct vmcb_save *save = &vmcb_of(&fake_svm.vcpu)->save;
    bool wide = vcpu_64bit(&fake_svm.vcpu);
    gva_t gva = wide ? save->rip : (uint32_t)(save->cs.base + save->rip);

    memset(fake_svm.code, 0xcc, sizeof(fake_svm.code));
    fake_svm.code_gva = gva & ~(PAGE_SIZE - 1);
    assert_true(gva % PAGE_SIZE + count <= sizeof(fake_svm.code));
    memcpy(&fake_svm.code[gva % PAGE_SIZE], bytes, count);
}

void *vm_alloc(struct vm *vm, size_t size)
{
    assert_ptr_equal(vm, &fake_svm.vm);
    assert_true(size <= PAGE_SIZE);
    return page_zalloc();
}

uint64_t time_tsc(void)
{
    return fake_svm.tsc;
}

void time_set_wakeup(uint64_t tsc)
{
    fake_svm.wakeup = tsc;
}

void __wrap_log_printf(const char *format, ...);
void __wrap_log_printf(const char *format, ...)
{
    size_t used = strlen(fake_svm.log);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fake_svm.log + used, FAKE_LOG_SIZE - used, format, arguments);
    va_end(arguments);
}

void fake_svm_reset(void)
{
    memset(&fake_svm, 0, sizeof(fake_svm));
    memset(&svm_caps, 0, sizeof(svm_caps));
    memset(msrs, 0, sizeof(msrs));
    host_pages_init(MEMORY, MEMORY);
    backend = __start_set_backend[0];
    for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
        exit_handlers[kind] = handle;
    fake_svm.vendor_ebx = CPUID_VENDOR_EBX_AMD;
    fake_svm.ext_max = CPUID_SVM;
    fake_svm.ext = (struct cpuid_regs){ .ecx = CPUID_80000001_ECX_SVM,
                                        .edx = CPUID_80000001_EDX_PAGE1GB };
    fake_svm.svm = (struct cpuid_regs){
        .ebx = FAKE_ASIDS,
        .edx = FAKE_NP | FAKE_NEXT_RIP | FAKE_FLUSH_BY_ASID | FAKE_DECODE_ASSISTS |
               FAKE_PAUSE_FILTER | FAKE_PAUSE_THRESHOLD,
    };
    fake_svm.code_pages = 2;
    fake_svm.wakeup = VTIMER_OFF;
}

void fake_svm_create(void)
{
    assert_int_equal(svm_probe(), 0);
    assert_int_equal(svm_cpu_on(this_cpu()), 0);
    strcpy(fake_svm.vm.name, "test");
    fake_svm.vm.nested.root = PAGE_SIZE;
    fake_svm.vm.vcpu_count = 1;
    fake_svm.vm.vcpus[0] = &fake_svm.vcpu;
    fake_svm.vcpu.vm = &fake_svm.vm;
    fake_svm.vcpu.cpu = this_cpu();
    assert_int_equal(svm_vm_init(&fake_svm.vm), 0);
    assert_int_equal(svm_vcpu_init(&fake_svm.vcpu), 0);
    fake_svm.log[0] = '\0';
}
