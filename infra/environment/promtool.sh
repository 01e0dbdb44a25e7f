#!/bin/sh
# Print the path of a promtool, the rule checker of Prometheus. Debian's package is unpacked in .cache if none is installed; nothing is
# started.
set -eu
cd "$(dirname "$0")/../.."
folder=.cache/prometheus

say() { printf 'promtool: %s\n' "$*" >&2; }

if command -v promtool; then
    exit 0
fi
if [ ! -x "$folder/usr/bin/promtool" ] && command -v apt-get >/dev/null; then
    say "fetching Debian's prometheus (once)"
    # Another command may fetch at the same time: the first folder that is complete gets the name.
    partial=$folder.$$
    trap 'rm -rf "$partial"' EXIT
    mkdir -p "$partial/package"
    [ "$(id -u)" != 0 ] || apt-get update -qq >&2
    (cd "$partial/package" && apt-get download -qq -o APT::Sandbox::User=root prometheus) >&2
    dpkg-deb --extract "$partial"/package/*.deb "$partial"
    [ -d "$folder" ] || mv "$partial" "$folder"
fi
if [ ! -x "$folder/usr/bin/promtool" ]; then
    say "no promtool was found, and the tests of the alerts need one; install it (Debian: apt-get install prometheus)."
    exit 1
fi
echo "$PWD/$folder/usr/bin/promtool"
