#!/usr/bin/env bash
# Installs the packages that a build of temper needs and that are missing, and says which. Debian 12 and its relatives.
# Arguments: more packages; COMMAND:PACKAGE is wanted only where there is no such command.
set -eu
packages="gcc make cmake pkg-config libc6-dev libmicrohttpd-dev libgnutls28-dev libjansson-dev libsqlite3-dev
libcurl4-openssl-dev libssl-dev libpcre2-dev libinih-dev libarchive-dev libcmocka-dev python3 node:nodejs npm:npm"
missing=""
for package in $packages "$@"; do
    case $package in
    *:*)
        command -v "${package%%:*}" >/dev/null && continue
        package=${package#*:}
        ;;
    esac
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
echo "Installing what is missing:$missing"
run=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "Run as root, or install sudo, or install by hand:$missing" >&2; exit 1; }
    run=sudo
fi
$run apt-get update -qq
DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends $missing >/dev/null
