/* SPDX-License-Identifier: MIT */
/*
 * Linker sets: a table that grows by adding a file. A set holds pointers in a section whose name
 * is a C identifier, so that the linker provides its bounds, in the kernel and in host builds.
 */
#ifndef KERNEL_SET_H
#define KERNEL_SET_H

/* AddressSanitizer pads objects, which would put gaps into a set (clang; gcc leaves out variables
 * that have a section, and knows no such attribute for them). */
#ifdef __clang__
#define SET_NO_SANITIZE __attribute__((no_sanitize("address")))
#endif
#ifndef SET_NO_SANITIZE
#define SET_NO_SANITIZE
#endif

/* Puts a pointer to `object` into set `set`. */
#define SET_ADD(set, object)                                                                       \
    static const __typeof__(object) *const set_##set##_##object                                    \
        __attribute__((used, section("set_" #set))) SET_NO_SANITIZE = &(object)

/* Declares a set of `type`, so that SET_FOREACH can walk it. */
#define SET_DECLARE(set, type)                                                                     \
    extern const type *const __start_set_##set[] __attribute__((weak));                            \
    extern const type *const __stop_set_##set[] __attribute__((weak))

#define SET_FOREACH(p, set)                                                                        \
    for (__typeof__(&__start_set_##set[0]) p = __start_set_##set; p < __stop_set_##set; p++)

#endif
