/* SPDX-License-Identifier: MIT */
/* sources: kernel/insn.c */
/*
 * The decoder on any bytes (build host): it reads no further than it may, what it accepts is within
 * the limits that its users rely on, and bytes behind an instruction change nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/insn.h"
#include "kernel/vcpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static bool is_size(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static void check_accepted(const struct insn *in, size_t count)
{
    require(in->length > 0 && in->length <= INSN_MAX && in->length <= count);
    require(in->op > INSN_NONE && in->op < INSN_OPS);
    require(is_size(in->size) && is_size(in->address_size) && in->address_size != 1);
    require((in->gpr & ~INSN_HIGH_BYTE) < GPRS);
    require(!(in->gpr & INSN_HIGH_BYTE) || (in->size == 1 && in->gpr < (INSN_HIGH_BYTE | 4)));
    require(in->op != INSN_LOAD || (is_size(in->extend) && in->extend >= in->size));
    require((in->op != INSN_PORT_IN && in->op != INSN_PORT_OUT) || in->size <= 4);
    require(in->base < GPRS || in->base == INSN_NO_GPR || in->base == INSN_RIP);
    require(in->index < GPRS ? in->index != RSP || in->op != INSN_SYSTEM
                             : in->index == INSN_NO_GPR);
    require(in->segment <= VSEG_GS + 1);
}

static int decode(const uint8_t *bytes, size_t count, enum insn_mode mode, uint8_t rest,
                  struct insn *out)
{
    struct insn_code *code = malloc(sizeof(*code)); /* the sanitizer sees one byte too far */
    int err;

    require(code);
    memset(code->bytes, rest, sizeof(code->bytes));
    memcpy(code->bytes, bytes, count);
    code->count = count;
    err = insn_decode(code, mode, out);
    free(code);
    return err;
}

static void check_mode(const uint8_t *bytes, size_t count, enum insn_mode mode)
{
    struct insn in, again;
    int err = decode(bytes, count, mode, 0, &in);

    require(err == 0 || err == -EINVAL || err == -ENODATA);
    require(decode(bytes, count, mode, 0xcc, &again) == err);
    if (err)
        return;
    check_accepted(&in, count);
    require(decode(bytes, in.length - 1u, mode, 0x66, &again) == -ENODATA);
    require(decode(bytes, in.length, mode, 0xcc, &again) == 0);
    require(memcmp(&in, &again, sizeof(in)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (enum insn_mode mode = INSN_16; mode <= INSN_64; mode++)
        check_mode(data, MIN(size, (size_t)INSN_BUFFER), mode);
    return 0;
}
