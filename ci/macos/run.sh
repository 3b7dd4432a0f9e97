#!/bin/sh
# Runs the README's two commands, after setup.sh.
set -eu
exec sh "$(dirname "$0")/../run-readme.sh"
