/* SPDX-License-Identifier: MIT */
/*
 * Text on the EFI console. Firmware shows it on the screen and, where it has one, sends it to the
 * serial line: nothing here writes to the UART itself. Runs in the UEFI loader.
 */
#include <stdarg.h>
#include <stdio.h>

#include "boot/loader.h"

#define TEXT_MAX 640

/* UTF-16 with CR LF, in pieces: some firmware has a small limit for one string. */
static void put(const char *text)
{
    SIMPLE_TEXT_OUTPUT_INTERFACE *console = loader_system->ConOut;
    CHAR16 wide[82];
    size_t used = 0;

    for (; *text != '\0'; text++) {
        if (*text == '\n')
            wide[used++] = u'\r';
        wide[used++] = (CHAR16)(unsigned char)*text;
        if (used >= 80 || text[1] == '\0') {
            wide[used] = 0;
            console->OutputString(console, wide);
            used = 0;
        }
    }
}

static void say_list(const char *format, va_list args)
{
    char text[TEXT_MAX];

    vsnprintf(text, sizeof(text), format, args);
    put(text);
}

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_list(format, args);
    va_end(args);
}

static void wait_for_key(void)
{
    SIMPLE_INPUT_INTERFACE *keyboard = loader_system->ConIn;
    EFI_INPUT_KEY key;
    UINTN index;

    /* What was typed before the message does not count. */
    while (keyboard->ReadKeyStroke(keyboard, &key) == EFI_SUCCESS)
        continue;
    BOOT_SERVICES->WaitForEvent(1, &keyboard->WaitForKey, &index);
}

void say_end(EFI_STATUS status)
{
    wait_for_key();
    BOOT_SERVICES->Exit(loader_image, status, 0, NULL);
    for (;;) /* Exit does not come back; the compiler can't know */
        continue;
}

void say_fatal(const char *format, ...)
{
    va_list args;

    put("mullion: loader error: ");
    va_start(args, format);
    say_list(format, args);
    va_end(args);
    put("\nmullion: nothing was started; a key returns to the firmware\n");
    say_end(EFI_LOAD_ERROR);
}

const char *say_status(EFI_STATUS status)
{
    static const struct {
        EFI_STATUS status;
        const char *text;
    } texts[] = {
        {EFI_NOT_FOUND, "not found"},
        {EFI_OUT_OF_RESOURCES, "out of memory"},
        {EFI_DEVICE_ERROR, "device error"},
        {EFI_NO_MEDIA, "no medium"},
        {EFI_MEDIA_CHANGED, "the medium was changed"},
        {EFI_VOLUME_CORRUPTED, "the file system is damaged"},
        {EFI_VOLUME_FULL, "the file system is full"},
        {EFI_WRITE_PROTECTED, "write protected"},
        {EFI_ACCESS_DENIED, "access denied"},
        {EFI_UNSUPPORTED, "unsupported"},
        {EFI_INVALID_PARAMETER, "invalid parameter"},
        {EFI_SECURITY_VIOLATION, "security violation"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status)
            return texts[i].text;
    }
    return "firmware error";
}
