#!/bin/sh
# Debian or Ubuntu, glibc: the packages of the README's two commands, and the
# real libraries that are judged here.  Run it as root.
set -eu
export DEBIAN_FRONTEND=noninteractive

apt-get update -qq
apt-get install -y -qq --no-install-recommends python3 python3-venv git lua-event libevent-2.1-7
