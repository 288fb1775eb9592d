/* SPDX-License-Identifier: MIT */
/*
 * The test of a real machine (boot option hwtest): the hypervisor runs it, leaves its report in the
 * log and resets the machine; the loader, here, then writes the log to the ESP and stops. Where the
 * log does not survive the reset, a mark on the ESP keeps the test from going round for ever.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "boot/loader.h"

#define REPORT "\\mullion\\hwtest.txt"
#define RUNNING "\\mullion\\hwtest.run"
#define HEAD_MAX 512
#define CPUID_BRAND 0x80000002u
#define BRAND_LEAVES 3u
#define MSR_BIOS_SIGN_ID 0x8b /* AMD: PATCH_LEVEL */

static bool has_word(const char *options, const char *word)
{
    size_t length = strlen(word);

    for (const char *p = options; *p != '\0'; p += strspn(p, " ")) {
        size_t here = strcspn(p, " ");

        if (here == length && memcmp(p, word, length) == 0)
            return true;
        p += here;
    }
    return false;
}

/* The next line of a text, or NULL; *text moves past it. */
static const char *find_line(const char **text, const char *end, const char *what, size_t *length)
{
    while (*text < end) {
        const char *line = *text, *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = strlen(what);

        stop = stop != NULL ? stop : end;
        *text = stop < end ? stop + 1 : end;
        for (const char *p = line; p + n <= stop; p++) {
            if (memcmp(p, what, n) == 0) {
                *length = (size_t)(stop - p);
                return p;
            }
        }
    }
    return NULL;
}

static void brand(char *name)
{
    struct cpuid_result r;

    for (uint32_t i = 0; i < BRAND_LEAVES; i++) {
        cpu_id(CPUID_BRAND + i, 0, &r);
        memcpy(name + i * sizeof(r), &r, sizeof(r));
    }
    name[BRAND_LEAVES * sizeof(r)] = '\0';
}

/* Intel has its revision in the upper half, which CPUID 1 brings up to date (SDM 3A, "Determining
 * the Signature"), AMD in the lower (APM 2, "Microcode Patch Level"); the other half is 0. */
static uint32_t microcode(void)
{
    uint64_t value = cpu_msr(MSR_BIOS_SIGN_ID);

    return (uint32_t)(value >> 32 != 0 ? value >> 32 : value);
}

/* What the log does not say: when and on which machine. */
static int head(const struct bootinfo *info, char *text, size_t size)
{
    char cpu[BRAND_LEAVES * sizeof(struct cpuid_result) + 1], firmware[64] = "";
    const CHAR16 *vendor = loader_system->FirmwareVendor;
    struct cpuid_result one;
    EFI_TIME t = {0};
    uint64_t end;

    loader_system->RuntimeServices->GetTime(&t, NULL);
    for (size_t i = 0; vendor != NULL && vendor[i] != 0 && i + 1 < sizeof(firmware); i++)
        firmware[i] = vendor[i] < 0x7f ? (char)vendor[i] : '?';
    brand(cpu);
    cpu_id(1, 0, &one);
    return snprintf(text, size,
                    "Mullion: test of a machine, %04u-%02u-%02u %02u:%02u:%02u by its clock\n"
                    "CPU: %s, signature 0x%" PRIx32 ", microcode 0x%" PRIx32
                    ", %" PRIu32 " CPUs%s\n"
                    "memory: %" PRIu64 " MiB\nfirmware: %s 0x%" PRIx32 ", ACPI %s\n\n",
                    t.Year, t.Month, t.Day, t.Hour, t.Minute, t.Second, cpu, one.eax,
                    microcode(), info->cpu_count,
                    info->cpus_from_madt ? "" : " (by the MP Services)",
                    memory_usable(&end) >> 20, firmware, loader_system->FirmwareRevision,
                    firmware_rsdp() != 0 ? "there" : "missing");
}

static void write_report(const struct bootinfo *info, const char *log, size_t size)
{
    char *report = memory_borrow(HEAD_MAX + size, "the report");
    int used = head(info, report, HEAD_MAX);

    used = used < 0 ? 0 : used >= HEAD_MAX ? HEAD_MAX - 1 : used;
    memcpy(report + used, log, size);
    file_write(REPORT, report, (size_t)used + size);
    say("%.*s", used, report);
}

/* False: the log is of a run that was no test. */
static bool show_report(const struct bootinfo *info, const char *log, size_t size)
{
    const char *at = log, *line;
    size_t length;
    bool ended = false;

    if (find_line(&at, log + size, BOOT_HWTEST_PREFIX, &length) == NULL)
        return false;
    write_report(info, log, size);
    for (at = log; (line = find_line(&at, log + size, BOOT_HWTEST_PREFIX, &length)) != NULL;) {
        say("%.*s\n", (int)length, line);
        ended = length >= strlen(BOOT_HWTEST_PREFIX BOOT_HWTEST_END) &&
                memcmp(line, BOOT_HWTEST_PREFIX BOOT_HWTEST_END,
                       strlen(BOOT_HWTEST_PREFIX BOOT_HWTEST_END)) == 0;
    }
    say("mullion: the test %s; the whole report is in %s\n",
        ended ? "has ended" : "DID NOT COME TO ITS END", REPORT);
    return true;
}

void hwtest_gate(const struct bootinfo *info)
{
    size_t size;
    const char *log = ramlog_last(&size);

    if (!has_word(info->options, "hwtest"))
        return;
    if (log == NULL || !show_report(info, log, size)) {
        if (!file_exists(RUNNING)) {
            file_write(RUNNING, "running\n", strlen("running\n"));
            return;
        }
        say("mullion: the report did not survive the reset: it was on the screen only.\n"
            "mullion: the next start makes the test again\n");
    }
    file_remove(RUNNING);
    say("mullion: remove the stick; a key returns to the firmware\n");
    say_end(EFI_SUCCESS);
}
