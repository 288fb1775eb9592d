/* SPDX-License-Identifier: MIT */
/*
 * A GDB stub for guests: one session at a time, over a serial line, by the remote serial protocol
 * (GDB manual, "Remote Protocol"). It debugs a VM from outside: threads are vCPUs, addresses are
 * the guest's virtual ones. While the VM stands its vCPUs are out of their loops and time goes on.
 * All on CPU 0, in its housekeeping, unless stated. Nothing that comes over the line is trusted.
 */
#ifndef KERNEL_GDBSTUB_H
#define KERNEL_GDBSTUB_H

#include "kernel/backend.h"
#include "kernel/set.h"
#include "kernel/types.h"

struct vcpu;
struct vm;
struct vmexit;

/* A serial line that a debugger may be at. */
struct gdb_port {
    const char *name;
    bool (*present)(void); /* NULL: always */
    int (*read)(void); /* the next byte, or -1; NULL: gdbstub_typed() brings them */
    bool (*waits)(void); /* read() has one; from any CPU */
    void (*write)(const char *text, size_t length);
};
SET_DECLARE(gdb_port, struct gdb_port);

/* For housekeeping: takes what has come, tells of stops. */
void gdbstub_poll(void);
/* There is something for gdbstub_poll to do. */
bool gdbstub_waits(void);
/* A byte from the console; true: a session has the console's line, and has taken the byte. */
bool gdbstub_typed(uint8_t byte);

/* An intercepted #DB or #BP; true: it is the debugger's and the vCPU stops. On the vCPU's CPU. */
bool gdbstub_exception(struct vcpu *vcpu, const struct vmexit *exit);
/* An instruction was emulated with TF set; true: that was a step of the debugger's. Same CPU. */
bool gdbstub_stepped(struct vcpu *vcpu);

/* Between the files of the stub. */

#define GDB_PACKET_MAX 2048u
#define GDB_BREAKPOINTS 32u

enum gdb_stop { GDB_STOP_STEP = 1, GDB_STOP_BREAKPOINT, GDB_STOP_INTERRUPT };

/* kernel/gdbstub_line.c: packets, without a session. */

struct gdb_text {
    size_t length;
    char text[GDB_PACKET_MAX + 4];
};
/* Puts text, hexadecimal bytes, a number; what does not fit is left out. */
void gdb_put(struct gdb_text *out, const char *text);
void gdb_put_bytes(struct gdb_text *out, const void *bytes, size_t count);
void gdb_put_number(struct gdb_text *out, uint64_t number);
/* From *p on, which is advanced: a hexadecimal number; `count` hexadecimal bytes. False: there is
 * none, or not that many. */
bool gdb_number(const char **p, uint64_t *number);
bool gdb_bytes(const char **p, void *bytes, size_t count);
bool gdb_skip(const char **p, char c);

struct gdb_line {
    enum { LINE_IDLE = 0, LINE_DATA, LINE_SUM1, LINE_SUM2 } state;
    size_t length;
    uint8_t sum, told;
    char data[GDB_PACKET_MAX + 1];
};
enum gdb_event { GDB_NOTHING, GDB_PACKET, GDB_INTERRUPT, GDB_BAD_PACKET, GDB_REPEAT };
/* Takes a byte; with GDB_PACKET line->data is a packet, NUL-terminated. */
enum gdb_event gdb_line_take(struct gdb_line *line, uint8_t byte);
/* Makes out->text the frame around what was put from text[1] on (see gdb_begin). */
void gdb_begin(struct gdb_text *out);
void gdb_end(struct gdb_text *out);

/* kernel/gdbstub_regs.c: the vCPU is loaded on this CPU. */

void gdb_regs_get(struct vcpu *vcpu, struct gdb_text *out);
/* -EINVAL: no such register, or it can't be written. */
int gdb_reg_get(struct vcpu *vcpu, uint64_t number, struct gdb_text *out);
int gdb_reg_set(struct vcpu *vcpu, uint64_t number, const char *p);
/* The target description in XML; its length. */
size_t gdb_target_xml(char *buffer, size_t size);

/* kernel/gdbstub_command.c */

/* Carries out a packet and puts its reply; an empty one says that a command is unknown. */
void gdb_execute(const char *packet, struct gdb_text *reply);
void gdb_put_stop(struct gdb_text *out, enum gdb_stop why);

/* kernel/gdbstub_vm.c: the VM of the session. */

struct gdb_breakpoint {
    bool used;
    uint8_t saved;
    gva_t gva;
    gpa_t gpa;
};
struct gdb_session {
    struct vm *volatile vm; /* NULL: no session. Read by vCPUs, changed on CPU 0 */
    uint32_t id, launches;  /* of the VM: notice that it is another */
    uint64_t serial;
    bool stopped;
    bool long_mode;         /* layout of the registers: vCPU 0 was in it when gdb connected */
    uint32_t thread;        /* vCPU for registers and memory */
    volatile uint32_t trap; /* enum gdb_stop << 16 | vCPU: the first that stopped by itself */
    struct gdb_breakpoint breakpoints[GDB_BREAKPOINTS];
};
extern struct gdb_session gdb;

/* False: the VM has ended, or is another one by now. */
bool gdb_vm_there(void);
int gdb_attach(struct vm *vm);
/* Takes breakpoints away and lets the VM go on, if it is still there. */
void gdb_detach(void);
void gdb_stop_all(void);
/* Lets vCPUs go on: bit n of `go`, and of `step` for one instruction only. */
void gdb_resume(uint32_t go, uint32_t step);

/* kernel/gdbstub_memory.c: memory as vCPU gdb.thread sees it. 0, -EFAULT, -ENOSPC, -ENOENT. */
int gdb_memory(gva_t gva, void *bytes, size_t size, bool write);
int gdb_breakpoint_set(gva_t gva);
int gdb_breakpoint_clear(gva_t gva);
/* Is the next instruction of this vCPU a breakpoint of ours? On its CPU. */
bool gdb_at_breakpoint(struct vcpu *vcpu);

#endif
