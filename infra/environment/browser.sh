#!/bin/sh
# Ensure a Chromium for the tests of pages; on Debian, as root, install it if absent.
set -eu

find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

say() { printf 'browser: %s\n' "$*" >&2; }

find_browser >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "fetching Debian's chromium (once)"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    find_browser >/dev/null && exit 0
fi
say "no Chromium was found, and the tests of pages need one; install it (Debian: apt-get install chromium)."
exit 1
