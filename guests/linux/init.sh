#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Process 1 of the Linux guest, after mark.S. Words on the kernel's command line that it knows:
#
#   mullion.run=CMD   run CMD instead of an interactive shell, print its status and power off.
#                     A comma stands for a space, the rest is shell: mullion.run=echo,a;uname,-r
#
# Lines that tests may wait for: "mullion-linux: init", "mullion-linux: status N",
# "mullion-linux: power button", "mullion-linux: poweroff". The prompt is "debian# ".

echo "mullion-linux: init"
export PATH=/bin HOME=/root TERM=linux PS1='debian# '

# The reboot system call drops what the serial port has not sent yet; stty waits until it is sent.
end() {
    echo "mullion-linux: $1"
    sync
    stty sane
    busybox "$1" -f
    # Reached only where the machine offers no way to do it, and process 1 must not end.
    sleep 5
    echo "mullion-linux: $1 had no effect"
    while :; do sleep 3600; done
}

# Busybox' poweroff, halt and reboot (without -f) signal process 1, and so does power.sh.
trap 'end poweroff' USR1 USR2
trap 'end reboot' TERM

mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /tmp
hostname debian

while read -r module; do
    modprobe "$module" || echo "mullion-linux: module $module did not load"
done </etc/modules
acpid -l /dev/null

command=
read -r cmdline </proc/cmdline
for word in $cmdline; do
    case $word in
    mullion.run=*) command=$(echo "${word#mullion.run=}" | tr , ' ') ;;
    esac
done

# In the background: traps wait for a foreground child, but not for "wait".
cd /root || :
if [ -n "$command" ]; then
    setsid sh -c "$command" </dev/console &
    wait $!
    echo "mullion-linux: status $?"
else
    # The shell gives a background child an ignored SIGINT; login makes Ctrl-C work again.
    setsid cttyhack login -pf root </dev/console &
    wait $!
fi
end poweroff
