/* SPDX-License-Identifier: MIT */
/*
 * Rules that a VMCB must keep for VMRUN to enter the guest (root mode after a refusal, and build
 * host): one function for all sections of APM 2, one RULE() for each rule.
 */
#ifndef SVM_CHECK_H
#define SVM_CHECK_H

#include "svm/vmcb.h"

struct svm_check {
    const char *vm;      /* under this name it is logged */
    const char *section; /* of APM 2, "Secure Virtual Machine" */
    unsigned broken;     /* rules so far */
};

struct svm_value {
    const char *name; /* NULL ends a list */
    uint64_t value;
};

/* Logs each broken rule with its values; all values where no rule is broken. `host_cr3` shows
 * whether the guest's state is still there to be judged. Returns how many rules are broken. */
unsigned svm_check(const char *vm, const struct vmcb *vmcb, uint64_t host_cr3);

void svm_check_rules(struct svm_check *c, const struct vmcb *vmcb); /* svm/check_rules.c */
void svm_rule(struct svm_check *c, bool holds, const char *text, const struct svm_value *values);

#endif
