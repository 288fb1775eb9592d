/* SPDX-License-Identifier: MIT */
/* For svm/svm_asm.h on the build host: the test provides a processor (tests/unit/fake_svm.c). */
#ifndef TESTS_UNIT_SVM_HOST_H
#define TESTS_UNIT_SVM_HOST_H

void svm_test_vmsave(hpa_t vmcb);

static inline void svm_vmsave(hpa_t vmcb)
{
    svm_test_vmsave(vmcb);
}

#endif
