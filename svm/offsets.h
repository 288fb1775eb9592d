/* SPDX-License-Identifier: MIT */
/* Offsets in struct vcpu for svm/enter.S; svm/run.c asserts them. */
#ifndef SVM_OFFSETS_H
#define SVM_OFFSETS_H

#define VCPU_GPR(number) (8 * (number))

#endif
