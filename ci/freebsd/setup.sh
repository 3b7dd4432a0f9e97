#!/bin/sh
# FreeBSD: the packages of the README's two commands.  Run it as root.
# The package python3 follows the default version, and has venv and pip in it;
# packages with a version in their names come and go with that version.
set -eu
export ASSUME_ALWAYS_YES=yes

pkg update
pkg install -y python3 git
