#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the Linux guest's acpid runs for the power button.

echo "mullion-linux: power button" >/dev/console
kill -USR2 1
