#!/bin/sh
# Ensure the npm packages that a project's package-lock.json names, and print their folder. Without Node, print nothing.
# A complete folder is reused.
set -eu
cd "$(dirname "$0")/../.."
project=$1
folder=.cache/$(basename "$project")-$(cksum <$project/package-lock.json | cut -d ' ' -f 1)

say() { printf 'npm packages: %s\n' "$*" >&2; }

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    say "no Node was found: what needs $project is not tested."
    exit 0
fi
if [ ! -d "$folder" ]; then
    say "fetching what package-lock.json names (once)"
    # Another command may fetch at the same time: the first folder that is complete gets the name.
    partial=$folder.$$
    trap 'rm -rf "$partial"' EXIT
    mkdir -p "$partial"
    cp $project/package.json $project/package-lock.json "$partial"
    [ -w "${HOME:-/nonexistent}" ] || export npm_config_cache="$PWD/.cache/npm"
    (cd "$partial" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
    [ -d "$folder" ] || mv "$partial" "$folder"
fi
echo "$PWD/$folder"
