/* SPDX-License-Identifier: MIT */
/* Is this CPU able? Each missing feature is named, and SVM goes on (build host). */
/* sources: svm/check.c svm/check_rules.c svm/ctls.c svm/decode.c svm/event.c svm/insn.c
 * svm/intercept.c svm/npt.c svm/probe.c svm/regs.c svm/run.c svm/setup.c kernel/pt_host.c
 * kernel/page.c kernel/vcpu_reset.c kernel/fetch.c kernel/insn.c tests/unit/fake_svm.c
 * tests/unit/host_stubs.c */
/* flags: -Wl,--wrap=log_printf */
#include <errno.h>

#include "tests/unit/svm_case.h"

static int bare(void **state)
{
    (void)state;
    fake_svm_reset();
    return 0;
}

static void assert_said(const char *text)
{
    if (!strstr(fake_svm.log, text))
        fail_msg("not said: %s\n%s", text, fake_svm.log);
}

static void good_cpu(void **state)
{
    (void)state;
    assert_int_equal(backend->probe(), 0);
    assert_string_equal(backend->name, "AMD-V");
    assert_int_equal(svm_caps.asids, FAKE_ASIDS);
    assert_true(svm_caps.next_rip && svm_caps.decode_assists);
    assert_true(svm_caps.pause_filter && svm_caps.pause_threshold && svm_caps.pages_1g);
    assert_said("16 ASIDs, next RIP, decode assists, pause filter");
}

static void comforts_may_be_missing(void **state)
{
    (void)state;
    fake_svm.svm.edx = FAKE_NP;
    fake_svm.ext.edx = 0;
    fake_svm_create();
    assert_false(svm_caps.next_rip || svm_caps.decode_assists);
    assert_false(svm_caps.pause_filter || svm_caps.pause_threshold || svm_caps.pages_1g);
    assert_int_equal(control()->pause_filter_count, 0);
    assert_int_equal(control()->pause_filter_threshold, 0);
}

static void each_comfort(void **state)
{
    (void)state;
    fake_svm.svm.edx = FAKE_NP | FAKE_NEXT_RIP;
    assert_int_equal(svm_probe(), 0);
    assert_true(svm_caps.next_rip && !svm_caps.decode_assists);
    fake_svm.svm.edx = FAKE_NP | FAKE_DECODE_ASSISTS;
    assert_int_equal(svm_probe(), 0);
    assert_true(!svm_caps.next_rip && svm_caps.decode_assists);
    fake_svm.svm.edx = FAKE_NP | FAKE_PAUSE_FILTER;
    fake_svm_create();
    assert_true(svm_caps.pause_filter && !svm_caps.pause_threshold);
    assert_int_not_equal(control()->pause_filter_count, 0);
    assert_int_equal(control()->pause_filter_threshold, 0);
}

static void missing(void **state)
{
    (void)state;
    fake_svm.vendor_ebx = 0; /* another vendor's: its own backend says what is missing */
    assert_int_equal(svm_probe(), -ENODEV);
    assert_string_equal(fake_svm.log, "");
    bare(state);
    fake_svm.ext.ecx = ~(uint32_t)CPUID_80000001_ECX_SVM;
    assert_int_equal(svm_probe(), -ENODEV);
    assert_said("AMD-V missing: CPUID leaf 80000001h ECX bit 2");
    bare(state);
    fake_svm.ext_max = CPUID_SVM - 1;
    assert_int_equal(svm_probe(), -ENODEV);
    assert_said("AMD-V missing");
    bare(state);
    *fake_svm_msr(MSR_AMD_VM_CR) = VM_CR_SVMDIS;
    assert_int_equal(svm_probe(), -ENOTSUP);
    assert_said("switched off: VM_CR (MSR C0010114h) bit 4");
    assert_said("firmware");
    bare(state);
    fake_svm.svm.edx &= ~(uint32_t)FAKE_NP;
    assert_int_equal(svm_probe(), -ENOTSUP);
    assert_said("nested paging missing: CPUID leaf 8000000Ah EDX bit 0");
    bare(state);
    fake_svm.svm.ebx = 1; /* the host's own */
    assert_int_equal(svm_probe(), -ENOTSUP);
    assert_said("address space identifiers missing: CPUID leaf 8000000Ah EBX is 1");
    bare(state);
    fake_svm.svm.ebx = 2;
    assert_int_equal(svm_probe(), 0);
}

static void switched_on(void **state)
{
    struct cpu *cpu = this_cpu();
    const struct svm_cpu *own;
    uint64_t before = page_get_stats().free_pages;

    (void)state;
    *fake_svm_msr(MSR_IA32_EFER) = EFER_LME | EFER_LMA;
    assert_int_equal(backend->cpu_on(cpu), 0);
    own = cpu->backend;
    assert_int_equal(*fake_svm_msr(MSR_IA32_EFER), EFER_LME | EFER_LMA | EFER_SVME);
    assert_int_equal(*fake_svm_msr(MSR_AMD_VM_CR), VM_CR_R_INIT);
    assert_ptr_equal(page_ptr(*fake_svm_msr(MSR_AMD_VM_HSAVE_PA)), own->save_area);
    assert_ptr_equal(page_ptr(fake_svm.saved), &own->host);
    assert_int_equal(*fake_svm_msr(MSR_AMD_VM_HSAVE_PA) % PAGE_SIZE, 0);
    assert_int_equal(fake_svm.saved % PAGE_SIZE, 0);
    assert_int_equal(page_get_stats().free_pages, before - (1u << SVM_CPU_ORDER));
}

/* As found on the boot CPU, but not on this one: EFER.SVME would raise #GP. */
static void locked_off_on_another_cpu(void **state)
{
    uint64_t before;

    (void)state;
    assert_int_equal(backend->probe(), 0);
    before = page_get_stats().free_pages;
    *fake_svm_msr(MSR_AMD_VM_CR) = VM_CR_SVMDIS;
    assert_int_equal(backend->cpu_on(this_cpu()), -ENOTSUP);
    assert_said("switched off: VM_CR (MSR C0010114h) bit 4");
    assert_int_equal(*fake_svm_msr(MSR_IA32_EFER), 0);
    assert_int_equal(*fake_svm_msr(MSR_AMD_VM_CR), VM_CR_SVMDIS);
    assert_int_equal(page_get_stats().free_pages, before);
}

/* Nothing is kept, nothing is switched on. */
static void memory_runs_out(void **state)
{
    hpa_t some[2], page;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(some); i++)
        some[i] = page_alloc(PAGE_ORDER_4K);
    while ((page = page_alloc(PAGE_ORDER_4K)) != PAGE_NONE)
        ;
    for (size_t i = 0; i <= ARRAY_SIZE(some); i++) {
        assert_int_equal(svm_cpu_on(this_cpu()), -ENOMEM);
        assert_int_equal(page_get_stats().free_pages, i);
        assert_int_equal(*fake_svm_msr(MSR_IA32_EFER), 0);
        if (i < ARRAY_SIZE(some))
            page_free(some[i], PAGE_ORDER_4K);
    }
}

static void vcpu_without_memory(void **state)
{
    hpa_t one, page;

    (void)state;
    fake_svm_create();
    svm_vcpu_fini(v);
    assert_null(v->backend);
    svm_vcpu_fini(v); /* one that was never initialised */
    one = page_alloc(PAGE_ORDER_4K);
    while ((page = page_alloc(PAGE_ORDER_4K)) != PAGE_NONE)
        ;
    assert_int_equal(svm_vcpu_init(v), -ENOMEM);
    page_free(one, PAGE_ORDER_4K);
    assert_int_equal(svm_vcpu_init(v), -ENOMEM);
    assert_null(v->backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good_cpu, bare),
        cmocka_unit_test_setup(comforts_may_be_missing, bare),
        cmocka_unit_test_setup(each_comfort, bare),
        cmocka_unit_test_setup(missing, bare),
        cmocka_unit_test_setup(switched_on, bare),
        cmocka_unit_test_setup(locked_off_on_another_cpu, bare),
        cmocka_unit_test_setup(memory_runs_out, bare),
        cmocka_unit_test_setup(vcpu_without_memory, bare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
