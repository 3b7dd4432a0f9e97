#!/bin/sh
# Alpine, musl: the packages of the README's two commands.  Run it as root.
# Alpine's python3 has venv and pip in it.
set -eu

apk update
apk add --no-progress python3 git
