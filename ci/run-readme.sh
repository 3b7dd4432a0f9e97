#!/bin/sh
# Runs the README's two commands in this checkout, each step by itself so that
# the first one that fails ends the script with its status.
#
# usage: run-readme.sh [PYTHON]
# Without an argument it takes the newest Python in PATH or where a BSD puts it.
set -eu
cd "$(dirname "$0")/.."

# NetBSD has only python3.12 and the like, in a folder that may not be in PATH.
PATH="$PATH:/usr/local/bin:/usr/pkg/bin:/opt/homebrew/bin"

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            echo "$name"
            return
        fi
    done
    echo "run-readme.sh: found no Python 3.11 or newer; run setup.sh of this system first" >&2
    return 1
}

python=${1:-$(find_python)}
# A library or a package that this platform must have is an error now.
export CI=true
# The checkout may belong to another user, as in a VM; git then wants to be told.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$PWD"

"$python" -m venv .venv
.venv/bin/pip install -q -c ci/constraints.txt nox
.venv/bin/nox
.venv/bin/nox -s tests
