#!/bin/sh
# Runs a platform's job in a VM (or any machine) of that system, over ssh: sets
# it up, brings the last commit there, and runs the README's two commands.
#
# usage: run-in-vm.sh SYSTEM HOST    for example: run-in-vm.sh freebsd root@10.0.2.15
# SYSTEM is a folder beside this script; HOST is what ssh takes, with a user
# that may install packages.  Ports and keys belong into ~/.ssh/config.
set -eu
here=$(dirname "$0")
if [ $# -ne 2 ] || [ ! -f "$here/$1/setup.sh" ]; then
    grep '^# usage' "$0" >&2
    exit 2
fi
system=$1
host=$2
bundle=$(mktemp)
trap 'rm -f "$bundle"' EXIT

git -C "$here" bundle create -q "$bundle" HEAD
# By way of files: what setup.sh starts must not read the rest of it as its input.
ssh "$host" 'rm -rf looptck-ci && mkdir looptck-ci && cat >looptck-ci/setup.sh' <"$here/$system/setup.sh"
ssh "$host" sh looptck-ci/setup.sh </dev/null
ssh "$host" 'cat >looptck-ci/bundle' <"$bundle"
ssh "$host" 'PATH="$PATH:/usr/local/bin:/usr/pkg/bin" git clone -q looptck-ci/bundle looptck-ci/src' </dev/null
# shellcheck disable=SC2029  # $system is known on this side only
ssh "$host" sh "looptck-ci/src/ci/$system/run.sh" </dev/null
