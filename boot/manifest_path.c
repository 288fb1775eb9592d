/* SPDX-License-Identifier: MIT */
/*
 * Where a path of the manifest lies on the ESP. Pure: runs in the UEFI loader and on the build
 * host, which copies the files, so that both sides agree.
 */
#include <errno.h>
#include <string.h>

#include "boot/manifest.h"

#define ESP_FOLDER "\\mullion"

/* Takes the last component off; the folder itself stays: ".." can't lead out of it. */
static size_t drop_component(char *out, size_t length)
{
    while (length > strlen(ESP_FOLDER) && out[length] != '\\')
        length--;
    out[length] = '\0';
    return length;
}

int manifest_esp_path(const char *path, char *out, size_t size)
{
    size_t length = strlen(ESP_FOLDER);

    if (size <= length)
        return -ENAMETOOLONG;
    memcpy(out, ESP_FOLDER, length + 1);
    while (*path != '\0') {
        size_t part = strcspn(path, "/");

        if (part == 2 && path[0] == '.' && path[1] == '.') {
            length = drop_component(out, length);
        } else if (part > 1 || (part == 1 && path[0] != '.')) {
            if (part >= size - length - 1)
                return -ENAMETOOLONG;
            out[length++] = '\\';
            memcpy(out + length, path, part);
            length += part;
            out[length] = '\0';
        }
        path += part;
        path += strspn(path, "/");
    }
    return length > strlen(ESP_FOLDER) ? 0 : -EINVAL;
}
