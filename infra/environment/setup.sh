#!/bin/sh
# Create the Python environment in .venv from uv.lock; requires only a shell and Python 3.11 or later.
# A complete environment is reused: a second call takes some milliseconds.
set -eu
umask 022 # PostgreSQL runs as another user than root and reads its binaries from the environment.
cd "$(dirname "$0")/../.."

stamp=.venv/.complete
uv_home=.cache/uv-tool-$(cksum <infra/environment/uv.txt | cut -d ' ' -f 1)

say() { printf 'environment: %s\n' "$*" >&2; }

give_up() {
    say "$@"
    exit 1
}

wanted() { # inputs of the environment and its folder, because its scripts contain the folder's path
    cat uv.lock pyproject.toml infra/environment/setup.sh | cksum
    pwd
}

is_complete() { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted)" ] && .venv/bin/python -c '' 2>/dev/null; }

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.implementation.name != "cpython")' 2>/dev/null
}

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        found=$(command -v "$name") && new_enough "$found" && echo "$found" && return
    done
    give_up "no Python 3.11 or later was found; install it (Debian: apt-get install python3) or set PYTHON to its path."
}

install_uv() { # "$@" is the pip command to use
    "$@" install --quiet --disable-pip-version-check --root-user-action=ignore --require-hashes --no-deps --only-binary :all: \
        --target "$uv_home.$$" --requirement infra/environment/uv.txt >&2 || give_up "uv could not be installed (see above)."
    mv "$uv_home.$$" "$uv_home"
}

venv_with_pip() { "$python" -m venv .cache/pip >/dev/null 2>&1; }

pip_from_debian() { # Debian packages venv and pip separately from Python
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "fetching python3-venv, which this machine lacks"
    apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
}

find_uv() {
    if uv --version >/dev/null 2>&1; then
        command -v uv
        return
    fi
    if [ ! -x "$uv_home/bin/uv" ]; then
        say "fetching uv"
        if "$python" -m pip --version >/dev/null 2>&1; then
            install_uv "$python" -m pip
        elif venv_with_pip || { pip_from_debian && venv_with_pip; }; then
            install_uv .cache/pip/bin/python -m pip
        else
            give_up "neither uv nor pip was found; install one of them (Debian, as root: apt-get install python3-venv)."
        fi
    fi
    echo "$uv_home/bin/uv"
}

make_environment() {
    python=$(find_python)
    uv=$(find_uv)
    say "fetching what uv.lock names, for $("$python" --version) (once; some minutes on a slow line)"
    quiet=--quiet
    [ ! -t 2 ] || quiet=
    rm -f "$stamp"
    # Use the machine's certificates, so that an institution's proxy works.
    UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}" \
        "$uv" sync --frozen $quiet --python "$python" >&2 || give_up "the packages in uv.lock could not be installed (see above)."
    wanted >"$stamp"
    say "ready"
}

is_complete && exit 0
mkdir -p .cache
if command -v flock >/dev/null; then
    # Two commands that start concurrently create it once.
    exec 9>.cache/environment.lock
    flock 9
fi
is_complete || make_environment
