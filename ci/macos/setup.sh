#!/bin/sh
# macOS with Homebrew: the packages of the README's two commands.
# --overwrite: the links of another Python, such as those on hosted machines,
# must not stop it.
set -eu
export HOMEBREW_NO_AUTO_UPDATE=1 HOMEBREW_NO_INSTALL_UPGRADE=1

brew install --overwrite python@3.13 git
