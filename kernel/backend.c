/* SPDX-License-Identifier: MIT */
/* Chooses the processor vendor's backend and switches it on everywhere (root mode). */
#include "kernel/backend.h"

#include <errno.h>

#include "kernel/cpu.h"
#include "kernel/log.h"
#include "kernel/vcpu.h"

const struct backend *backend;

int backend_select(void)
{
    int err = -ENODEV;

    SET_FOREACH(p, backend) {
        err = (*p)->probe();
        if (!err) {
            assert_bug((*p)->exit_codes <= VCPU_EXIT_CODES);
            backend = *p;
            log_printf("backend: %s\n", backend->name);
            return 0;
        }
    }
    return err;
}

static void cpu_on(void *arg)
{
    *(int *)arg = backend->cpu_on(this_cpu());
}

int backend_start(void)
{
    int err = 0;

    for (uint32_t i = 0; i < cpu_count() && !err; i++) {
        if (cpu_get(i)->state == CPU_ONLINE)
            work_call(cpu_get(i), cpu_on, &err);
        if (err)
            log_printf("backend: %s can't be switched on on CPU %u: error %d\n", backend->name, i,
                       err);
    }
    if (err)
        backend = NULL;
    return err;
}
