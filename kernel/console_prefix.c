/* SPDX-License-Identifier: MIT */
/* The keys after Ctrl-A (root mode, CPU 0). */
#include "kernel/console_prefix.h"

#include "kernel/console.h"
#include "kernel/vm.h"

static void show_number(unsigned number)
{
    struct vm *vm = vm_get(number - 1);

    if (vm)
        console_show_vm(vm);
    else
        console_print("\n--- there is no VM %u ---\n", number);
}

/* The next console in the order of numbers, around the end. */
static void show_next(void)
{
    const struct vm *now = console_on_screen();
    uint32_t start = now ? now->id + 1 : 0;

    for (uint32_t i = 0; i < VM_MAX; i++) {
        struct vm *vm = vm_get((start + i) % VM_MAX);
        if (vm) {
            console_show_vm(vm);
            return;
        }
    }
    console_print("\n--- there is no VM ---\n");
}

static void show_help(void)
{
    console_print("\n--- Ctrl-A and:  1 ... 9  the console of a VM     n  the next one\n"
                  "                 '        a console by name       m or 0  the monitor\n");
    console_print("                 l        the log                 Ctrl-A   send Ctrl-A ---\n");
}

static void ask_name(struct console_prefix *p)
{
    p->state = PREFIX_NAME;
    p->length = 0;
    console_print("\n--- console: ");
}

/* True: the byte that was typed is Ctrl-A itself. */
static bool take_key(struct console_prefix *p, uint8_t key)
{
    p->state = PREFIX_NONE;
    switch (key) {
    case CONSOLE_PREFIX:
        return true;
    case '0':
    case 'm':
        console_show_monitor();
        return false;
    case 'l':
        console_show_log();
        return false;
    case 'n':
        show_next();
        return false;
    case '\'':
        ask_name(p);
        return false;
    default:
        if (key >= '1' && key <= '9')
            show_number((unsigned)(key - '0'));
        else
            show_help();
        return false;
    }
}

static void finish_name(struct console_prefix *p)
{
    struct vm *vm;

    p->state = PREFIX_NONE;
    p->name[p->length] = '\0';
    vm = vm_find(p->name);
    if (vm)
        console_show_vm(vm);
    else
        console_print("\n--- there is no VM '%s' ---\n", p->name);
}

static void take_name(struct console_prefix *p, uint8_t byte)
{
    if (byte == '\r' || byte == '\n') {
        finish_name(p);
    } else if ((byte == '\b' || byte == 0x7f) && p->length) {
        p->length--;
        console_print("\b \b");
    } else if (byte > ' ' && byte < 0x7f && p->length < sizeof(p->name) - 1) {
        p->name[p->length++] = (char)byte;
        console_print("%c", byte);
    } else if (byte < ' ') {
        p->state = PREFIX_NONE;
        console_print(" ---\n");
    }
}

bool console_prefix_take(struct console_prefix *p, uint8_t byte)
{
    switch (p->state) {
    case PREFIX_KEY:
        return take_key(p, byte);
    case PREFIX_NAME:
        take_name(p, byte);
        return false;
    case PREFIX_NONE:
        break;
    }
    if (byte != CONSOLE_PREFIX)
        return true;
    p->state = PREFIX_KEY;
    return false;
}
