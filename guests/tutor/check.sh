#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the teaching kernel natively under QEMU (no hypervisor of ours below) on the build host and
# judges it: a scripted run, then typed input on the serial line and on the keyboard.
# Usage: check.sh build/guests/tutor.elf
set -u

elf=$1
dir=$(mktemp -d)
failed=0
readers=()
trap 'kill "${readers[@]}" 2>/dev/null; rm -rf "$dir"' EXIT

if ! command -v qemu-system-x86_64 >/dev/null; then
    echo "SKIP tutor-check: qemu-system-x86_64 is not installed"
    exit 0
fi

tutor() {
    timeout 40 qemu-system-x86_64 -m 64M -kernel "$elf" -display none -no-reboot \
        -device isa-debug-exit,iobase=0xf4,iosize=4 "$@"
}

expect() { # file, what it has to contain
    if ! tr -d '\r' <"$1" | grep -qF -- "$2"; then
        echo "FAIL: \"$2\" not found"
        failed=1
    fi
}

wait_for() { # file, a whole line, for at most 20 s
    for _ in $(seq 100); do
        tr -d '\r' <"$1" | grep -qxF -- "$2" && return
        sleep 0.2
    done
    echo "FAIL: waited in vain for \"$2\""
    failed=1
}

scripted_run() {
    local log=$dir/script.log status script
    printf 'colour=blue\n' >"$dir/env.txt"
    script="help;mem;modules;cat env.txt;peek 0;poke 0x100000 1;poke 0x300000 0x1234"
    script+=";peek 0x300000;fault;divide;race;tasks;cpu;time;nonsense;exit 300;exit 5"
    tutor -serial "file:$log" -initrd "$dir/env.txt" -append "run=\"$script\""
    status=$?
    [ "$status" -eq 11 ] || { echo "FAIL: status $status, expected 2 * 5 + 1"; failed=1; }
    expect "$log" "tutor: hello from a Multiboot kernel, "
    expect "$log" "ends the virtual machine with a status"
    expect "$log" "colour=blue"
    expect "$log" "0x00000000 can't be read"
    expect "$log" "0x00100000 can't be written"
    expect "$log" "0x00300000: 0x00001234"
    expect "$log" "exception 14: page fault, error code 0x2"
    expect "$log" "writing to address 0xdeadb000: the page is not present"
    expect "$log" "exception 0: divide error"
    expect "$log" "nonsense: no such command"
    expect "$log" "usage: exit <status>"
    for racer in ping pong; do
        tr -d '\r' <"$log" | grep -qE "^$racer: [1-9][0-9]* laps" ||
            { echo "FAIL: $racer made no progress"; failed=1; }
    done
}

screen_text() { # every second byte of the text page is a colour
    tr -d '\007' <"$dir/screen" | tr '\000' ' '
}

typed_run() {
    local log=$dir/typed.log status pid
    mkfifo "$dir/serial.in" "$dir/serial.out" "$dir/monitor.in" "$dir/monitor.out"
    : >"$log"
    cat "$dir/serial.out" >"$log" &
    readers+=($!)
    cat "$dir/monitor.out" >/dev/null &
    readers+=($!)
    tutor -serial "pipe:$dir/serial" -monitor "pipe:$dir/monitor" &
    pid=$!
    exec 3<>"$dir/serial.in" 4<>"$dir/monitor.in" # both ways: opening never blocks
    wait_for "$log" "tutor> "
    printf 'echo from the liXY\b\bne\r' >&3
    wait_for "$log" "from the line"
    for key in e c h o spc shift-k e y s ret; do
        echo "sendkey $key 20" >&4
        sleep 0.1
    done
    wait_for "$log" "Keys"
    echo "pmemsave 0xb8000 4000 \"$dir/screen\"" >&4
    sleep 1
    screen_text >"$dir/screen.txt"
    expect "$dir/screen.txt" "tutor> echo Keys"
    expect "$dir/screen.txt" "from the line "
    printf 'halfway\003reboot\r' >&3
    wait "$pid"
    status=$?
    [ "$status" -eq 0 ] || { echo "FAIL: status $status after reboot, expected 0"; failed=1; }
    exec 3>&- 4>&-
}

scripted_run
typed_run
if [ "$failed" -ne 0 ]; then
    tail -n 40 "$dir"/*.log
    echo "tutor-check: FAILED"
    exit 1
fi
echo "tutor-check: passed"
