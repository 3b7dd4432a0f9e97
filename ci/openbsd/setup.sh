#!/bin/sh
# OpenBSD: the packages of the README's two commands.  Run it as root.
# -I: it asks no question where a name has several versions.
set -eu

pkg_add -I python3 git
