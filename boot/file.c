/* SPDX-License-Identifier: MIT */
/* Files of the ESP that this program was started from. Runs in the UEFI loader. */
#include <inttypes.h>
#include <string.h>

#include "boot/loader.h"
#include "boot/manifest.h"

#define REQUEST_MAX  (16ull << 20) /* firmware is quick with large requests; a few fail beyond */
#define SLOW_SIZE    (1ull << 20)  /* worth a line on the screen */
#define ESP_PATH_MAX (MANIFEST_PATH_MAX + 16)

static EFI_FILE_HANDLE volume;

void file_open_volume(void)
{
    EFI_GUID image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_GUID volume_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    EFI_LOADED_IMAGE *image;
    EFI_FILE_IO_INTERFACE *system;
    EFI_STATUS status = BOOT_SERVICES->HandleProtocol(loader_image, &image_guid, (VOID **)&image);

    if (!EFI_ERROR(status))
        status = BOOT_SERVICES->HandleProtocol(image->DeviceHandle, &volume_guid, (VOID **)&system);
    if (!EFI_ERROR(status))
        status = system->OpenVolume(system, &volume);
    if (EFI_ERROR(status))
        say_fatal("the volume that this loader came from can't be opened: %s", say_status(status));
}

static EFI_STATUS open_file(const char *path, UINT64 mode, EFI_FILE_HANDLE *handle)
{
    CHAR16 wide[ESP_PATH_MAX];
    size_t i = 0;

    for (; path[i] != '\0' && i + 1 < ESP_PATH_MAX; i++)
        wide[i] = (CHAR16)(unsigned char)path[i];
    wide[i] = 0;
    return volume->Open(volume, handle, wide, mode, 0);
}

/* The end of a file is where the largest position leads (EFI_FILE_PROTOCOL.SetPosition). */
static EFI_STATUS file_size(EFI_FILE_HANDLE handle, uint64_t *size)
{
    EFI_STATUS status = handle->SetPosition(handle, UINT64_MAX);

    if (!EFI_ERROR(status))
        status = handle->GetPosition(handle, size);
    if (!EFI_ERROR(status))
        status = handle->SetPosition(handle, 0);
    return status;
}

static EFI_STATUS read_all(EFI_FILE_HANDLE handle, struct file *file)
{
    uint64_t done = 0;

    while (done < file->size) {
        UINTN part = file->size - done < REQUEST_MAX ? file->size - done : REQUEST_MAX;
        EFI_STATUS status = handle->Read(handle, &part, file->data + done);

        if (EFI_ERROR(status))
            return status;
        if (part == 0)
            return EFI_VOLUME_CORRUPTED;
        done += part;
    }
    return EFI_SUCCESS;
}

static void place(const char *path, bool keep, struct file *file)
{
    uint64_t align = file->size >= PAGE_2M ? PAGE_2M : PAGE;
    uint64_t size = file->size > 0 ? file->size : 1; /* firmware has no allocation of 0 pages */

    file->data = keep ? memory_keep_raw(size, align, path) : memory_borrow(size, path);
}

bool file_read(const char *path, bool keep, struct file *file)
{
    EFI_FILE_HANDLE handle;
    EFI_STATUS status = open_file(path, EFI_FILE_MODE_READ, &handle);

    if (status == EFI_NOT_FOUND)
        return false;
    if (!EFI_ERROR(status))
        status = file_size(handle, &file->size);
    if (EFI_ERROR(status))
        say_fatal("%s: can't be opened: %s", path, say_status(status));
    place(path, keep, file);
    if (file->size >= SLOW_SIZE)
        say("mullion: reading %s, %" PRIu64 " KiB\n", path, file->size >> 10);
    status = read_all(handle, file);
    if (EFI_ERROR(status))
        say_fatal("%s: can't be read: %s", path, say_status(status));
    handle->Close(handle);
    return true;
}

bool file_exists(const char *path)
{
    EFI_FILE_HANDLE handle;

    if (EFI_ERROR(open_file(path, EFI_FILE_MODE_READ, &handle)))
        return false;
    handle->Close(handle);
    return true;
}

void file_remove(const char *path)
{
    EFI_FILE_HANDLE handle;

    if (!EFI_ERROR(open_file(path, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE, &handle)))
        handle->Delete(handle);
}

void file_write(const char *path, const void *data, size_t size)
{
    const UINT64 mode = EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE;
    EFI_FILE_HANDLE handle;
    UINTN done = size;
    EFI_STATUS status;

    file_remove(path); /* writing does not shorten a file */
    status = open_file(path, mode | EFI_FILE_MODE_CREATE, &handle);
    if (!EFI_ERROR(status)) {
        status = handle->Write(handle, &done, (void *)(uintptr_t)data);
        handle->Close(handle);
    }
    if (EFI_ERROR(status))
        say("mullion: %s can't be written: %s\n", path, say_status(status));
}
