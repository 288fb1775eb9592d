/* SPDX-License-Identifier: MIT */
/*
 * The session of the GDB stub: its line, when it stops and ends, the monitor's command `gdb` (root
 * mode, CPU 0).
 */
#include "kernel/gdbstub.h"

#include <string.h>

#include "kernel/console.h"
#include "kernel/monitor.h"
#include "kernel/vm.h"

#define INPUT_MOST 4096u

static const struct gdb_port *port;
static struct gdb_line line;
static struct gdb_text reply;

static const struct gdb_port console_port = { .name = "com1", .write = console_print_text };
SET_ADD(gdb_port, console_port);

static void send(void)
{
    gdb_end(&reply);
    port->write(reply.text, reply.length);
}

static void end_session(void)
{
    gdb_detach();
    console_print("gdb: the session has ended\n");
}

static void serve_packet(const char *packet)
{
    gdb_stop_all(); /* whoever asks something expects that the VM stands */
    gdb_begin(&reply);
    gdb_execute(packet, &reply);
    if (gdb.stopped && packet[0] != 'k')
        send();
    if (packet[0] == 'D' || packet[0] == 'k')
        end_session();
}

static void tell_stop(enum gdb_stop why)
{
    gdb_begin(&reply);
    gdb_put_stop(&reply, why);
    send();
}

static void take(uint8_t byte)
{
    switch (gdb_line_take(&line, byte)) {
    case GDB_PACKET:
        port->write("+", 1);
        serve_packet(line.data);
        break;
    case GDB_BAD_PACKET:
        port->write("-", 1);
        break;
    case GDB_REPEAT:
        port->write(reply.text, reply.length);
        break;
    case GDB_INTERRUPT:
        if (!gdb.stopped) {
            gdb_stop_all();
            tell_stop(GDB_STOP_INTERRUPT);
        }
        break;
    case GDB_NOTHING:
        break;
    }
}

/* The VM has ended or is not the one that it was. */
static bool lost(void)
{
    if (gdb_vm_there())
        return false;
    gdb_begin(&reply);
    gdb_put(&reply, "W00");
    send();
    end_session();
    return true;
}

void gdbstub_poll(void)
{
    int byte;

    if (!gdb.vm || lost())
        return;
    if (gdb.trap && !gdb.stopped) {
        gdb_stop_all();
        gdb.thread = gdb.trap & 0xffff;
        tell_stop((enum gdb_stop)(gdb.trap >> 16));
    }
    for (unsigned i = 0; i < INPUT_MOST && gdb.vm && port->read && (byte = port->read()) >= 0; i++)
        take((uint8_t)byte);
}

bool gdbstub_waits(void)
{
    return gdb.vm && ((gdb.trap && !gdb.stopped) || (port->waits && port->waits()));
}

bool gdbstub_typed(uint8_t byte)
{
    if (!gdb.vm || port->read || lost())
        return false;
    take(byte);
    return true;
}

static const struct gdb_port *find_port(const char *name)
{
    SET_FOREACH(p, gdb_port) {
        if ((name ? strcmp((*p)->name, name) == 0 : (*p)->read != NULL) &&
            (!(*p)->present || (*p)->present()))
            return *p;
    }
    return NULL;
}

static void gdb_command(int count, char **words)
{
    const struct gdb_port *wanted = find_port(count > 2 ? words[2] : NULL);
    struct vm *vm;
    int err;

    if (count > 1 && strcmp(words[1], "off") == 0) {
        if (gdb.vm)
            end_session();
        else
            console_print("gdb: there is no session\n");
        return;
    }
    vm = monitor_vm(count > 1 ? words[1] : NULL);
    if (!vm)
        return;
    if (!wanted) {
        console_print("there is no second serial port; 'gdb %s com1' takes this line\n", vm->name);
        return;
    }
    err = gdb_attach(vm);
    if (!err) {
        port = wanted;
        memset(&line, 0, sizeof(line));
        gdb_begin(&reply);
        console_print("%s: gdb may connect to %s: target remote ...\n", vm->name, port->name);
    } else {
        monitor_result(vm->name, "debugged", err);
    }
}
MONITOR_COMMAND(gdb, "VM [com1] | off", "a debugger on a serial line may stop it and look inside",
                gdb_command);
