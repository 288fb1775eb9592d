/* SPDX-License-Identifier: MIT */
/* AMD-V for tests/unit/decode_case.h: exits through the loop on the fake processor (build host). */
#ifndef TESTS_UNIT_SVM_CASE_H
#define TESTS_UNIT_SVM_CASE_H

#include "tests/unit/decode_case.h"
#include "tests/unit/fake_svm.h"
#include "tests/unit/host_stubs.h"

#define EVENT(type, vector) (EVENT_VALID | (uint64_t)(type) << EVENT_TYPE_SHIFT | (vector))
#define ATTRIBUTES_CODE 0x9bu /* present, readable, accessed */

static struct vcpu *const v = &fake_svm.vcpu;

static inline struct vmcb_control *control(void)
{
    return &vmcb_of(v)->control;
}

static inline struct vmcb_save *save(void)
{
    return &vmcb_of(v)->save;
}

/* A processor that says where the next instruction is, at an instruction of CASE_LENGTH. */
static int setup(void **state)
{
    (void)state;
    fake_svm_reset();
    fake_svm_create();
    memset(&last, 0xee, sizeof(last));
    svm_set(v, VREG_RIP, CASE_RIP);
    svm_write_back(v);
    v->valid = 0;
    control()->next_rip = CASE_RIP + CASE_LENGTH;
    control()->exit_info2 = CASE_RIP + CASE_LENGTH;
    return 0;
}

/* `info` is EXITINFO1. */
static const struct vmexit *exit_with(uint64_t code, uint64_t info)
{
    control()->exit_code = code;
    control()->exit_info1 = info;
    fake_svm_run();
    last = fake_svm.last;
    return &last;
}

static inline void code_64(void)
{
    save()->efer |= EFER_LME | EFER_LMA;
    save()->cs.attributes = ATTRIBUTES_CODE | ATTRIBUTES_L;
    save()->cs.base = 0;
}

static inline void code_32(void)
{
    save()->cs.attributes = ATTRIBUTES_CODE | ATTRIBUTES_DB;
    save()->cs.base = 0;
}

#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ })
#define CODE(...) fake_svm_code(BYTES(__VA_ARGS__), sizeof(BYTES(__VA_ARGS__)))

#endif
