/* SPDX-License-Identifier: MIT */
/*
 * Commands of the remote serial protocol, to a VM that stands (root mode, CPU 0). Source: GDB
 * manual, "Remote Protocol: Packets".
 */
#include <errno.h>
#include <string.h>

#include "kernel/gdbstub.h"
#include "kernel/vm.h"

#define SIGINT_HEX "02"
#define SIGTRAP_HEX "05"
#define MEMORY_MAX 960u /* bytes in one packet */
#define XML_SIZE 4096u

static struct gdb_text *reply; /* of the command in hand */

static void put_thread(uint32_t vcpu)
{
    gdb_put_number(reply, vcpu + 1ull);
}

/* A thread of a packet; 0 and -1 (any, all) are the one in hand. */
static bool take_thread(const char **p, uint32_t *vcpu)
{
    uint64_t number;

    *vcpu = gdb.thread;
    if (gdb_skip(p, '-'))
        return gdb_skip(p, '1');
    if (!gdb_number(p, &number) || number > gdb.vm->vcpu_count)
        return false;
    if (number)
        *vcpu = (uint32_t)number - 1;
    return true;
}

void gdb_put_stop(struct gdb_text *out, enum gdb_stop why)
{
    reply = out;
    gdb_put(reply, why == GDB_STOP_INTERRUPT ? "T" SIGINT_HEX : "T" SIGTRAP_HEX);
    gdb_put(reply, "thread:");
    put_thread(gdb.thread);
    gdb_put(reply, why == GDB_STOP_BREAKPOINT ? ";swbreak:;" : ";");
}

static void put_result(int err)
{
    gdb_put(reply, err ? "E01" : "OK");
}

struct reg_call {
    char command;
    const char *p;
    int err;
};

/* On the vCPU's CPU, which has nothing else to do with the reply. */
static void reg_call(struct vcpu *v, void *arg)
{
    struct reg_call *call = arg;
    uint64_t number;

    if (call->command == 'g')
        gdb_regs_get(v, reply);
    else if (!gdb_number(&call->p, &number))
        call->err = -EINVAL;
    else if (call->command == 'p')
        call->err = gdb_reg_get(v, number, reply);
    else
        call->err = gdb_skip(&call->p, '=') ? gdb_reg_set(v, number, call->p) : -EINVAL;
}

static void registers(char command, const char *p)
{
    struct reg_call call = { .command = command, .p = p };

    if (gdb.thread < gdb.vm->vcpu_count)
        vcpu_call(gdb.vm->vcpus[gdb.thread], reg_call, &call);
    else
        call.err = -EINVAL;
    if (call.err || command == 'P')
        put_result(call.err);
}

static void memory(bool write, const char *p)
{
    uint8_t bytes[MEMORY_MAX];
    uint64_t gva, size;

    if (!gdb_number(&p, &gva) || !gdb_skip(&p, ',') || !gdb_number(&p, &size) ||
        size > sizeof(bytes) || (write && (!gdb_skip(&p, ':') || !gdb_bytes(&p, bytes, size))) ||
        gdb_memory(gva, bytes, size, write)) {
        put_result(-EFAULT);
        return;
    }
    if (write)
        put_result(0);
    else
        gdb_put_bytes(reply, bytes, size);
}

/* Z0,address,kind: software breakpoints only. */
static void breakpoint(bool set, const char *p)
{
    uint64_t gva;

    if (!gdb_skip(&p, '0'))
        return;
    if (!gdb_skip(&p, ',') || !gdb_number(&p, &gva))
        put_result(-EINVAL);
    else
        put_result(set ? gdb_breakpoint_set(gva) : gdb_breakpoint_clear(gva));
}

/* vCont;action[:thread]...: the first action that names a thread counts for it. */
static void resume_each(const char *p)
{
    uint32_t all = (uint32_t)((1ull << gdb.vm->vcpu_count) - 1), go = 0, step = 0;

    while (gdb_skip(&p, ';')) {
        char action = *p ? *p++ : '\0';
        uint32_t mask = all & ~(go | step), vcpu;
        uint64_t signal;

        if (action == 'C' || action == 'S') /* with a signal, which a machine does not have */
            (void)gdb_number(&p, &signal);
        if (gdb_skip(&p, ':')) {
            if (!take_thread(&p, &vcpu)) {
                put_result(-EINVAL);
                return;
            }
            mask &= 1u << vcpu;
        }
        if (action == 'c' || action == 'C')
            go |= mask;
        else if (action == 's' || action == 'S')
            step |= mask;
    }
    gdb_resume(go, step);
}

static void describe(const char *p)
{
    static char xml[XML_SIZE];
    size_t size = gdb_target_xml(xml, sizeof(xml));
    uint64_t offset, length;

    if (!gdb_number(&p, &offset) || !gdb_skip(&p, ',') || !gdb_number(&p, &length)) {
        put_result(-EINVAL);
        return;
    }
    offset = MIN(offset, size);
    length = MIN(length, MIN(size - offset, MEMORY_MAX));
    gdb_put(reply, offset + length < size ? "m" : "l");
    for (size_t i = 0; i < length; i++)
        gdb_put(reply, (char[]){ xml[offset + i], '\0' });
}

static void threads(void)
{
    for (uint32_t i = 0; i < gdb.vm->vcpu_count; i++) {
        gdb_put(reply, i ? "," : "m");
        put_thread(i);
    }
}

static bool starts(const char **p, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(*p, word, length) != 0)
        return false;
    *p += length;
    return true;
}

static void choose_layout(struct vcpu *v, void *arg)
{
    (void)arg;
    gdb.long_mode = vcpu_get(v, VREG_EFER) & EFER_LMA;
}

static void query(const char *p)
{
    if (starts(&p, "Supported")) { /* a debugger's first packet */
        vcpu_call(gdb.vm->vcpus[0], choose_layout, NULL);
        gdb_put(reply, "PacketSize=");
        gdb_put_number(reply, GDB_PACKET_MAX);
        gdb_put(reply, ";qXfer:features:read+;swbreak+;vContSupported+");
    } else if (starts(&p, "Xfer:features:read:target.xml:")) {
        describe(p);
    } else if (starts(&p, "fThreadInfo")) {
        threads();
    } else if (starts(&p, "sThreadInfo")) {
        gdb_put(reply, "l");
    } else if (starts(&p, "Attached")) {
        gdb_put(reply, "1");
    } else if (strcmp(p, "C") == 0) {
        gdb_put(reply, "QC");
        put_thread(gdb.thread);
    }
}

static void thread_command(char command, const char *p)
{
    uint32_t vcpu = gdb.thread;
    bool good = command == 'T' ? take_thread(&p, &vcpu) : *p && (p++, take_thread(&p, &vcpu));

    if (good && command == 'H')
        gdb.thread = vcpu;
    put_result(good ? 0 : -EINVAL);
}

/* An empty reply says that a command is unknown; to go on has no reply until the next stop. */
void gdb_execute(const char *p, struct gdb_text *out)
{
    char command = *p ? *p++ : '\0';

    reply = out;
    switch (command) {
    case '?':
        gdb_put_stop(reply, GDB_STOP_STEP);
        break;
    case 'g':
    case 'p':
    case 'P':
        registers(command, p);
        break;
    case 'm':
    case 'M':
        memory(command == 'M', p);
        break;
    case 'z':
    case 'Z':
        breakpoint(command == 'Z', p);
        break;
    case 'H':
    case 'T':
        thread_command(command, p);
        break;
    case 'q':
        query(p);
        break;
    case 'v':
        if (strcmp(p, "Cont?") == 0)
            gdb_put(reply, "vCont;c;C;s;S");
        else if (starts(&p, "Cont"))
            resume_each(p);
        break;
    case 'D':
        put_result(0);
        break;
    case 'k':
        (void)vm_kill(gdb.vm);
        break;
    }
}
