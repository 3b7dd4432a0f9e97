#!/bin/sh
# NetBSD: the packages of the README's two commands.  Run it as root.
# Several versions of Python stand side by side, and none is called python3.
set -eu
PATH="$PATH:/usr/pkg/bin:/usr/pkg/sbin:/usr/sbin"

command -v pkgin >/dev/null || pkg_add pkgin
pkgin -y update
pkgin -y install python312 git-base
