/* SPDX-License-Identifier: MIT */
/* The error numbers in use; functions return 0 or one of these, negated. */
#ifndef TUTOR_ERRNO_H
#define TUTOR_ERRNO_H

#define ENOENT 2
#define EIO 5
#define E2BIG 7
#define ENOMEM 12
#define EFAULT 14
#define EINVAL 22
#define ERANGE 34

#endif
