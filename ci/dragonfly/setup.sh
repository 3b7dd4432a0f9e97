#!/bin/sh
# DragonFly: the packages of the README's two commands.  Run it as root.
# dports follow FreeBSD's ports at a distance; the version is named there.
set -eu
export ASSUME_ALWAYS_YES=yes

pkg update
pkg install -y python311 git
