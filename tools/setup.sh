#!/bin/sh
# Makes .venv: everything that requirements.lock pins, checked by hash, and this project, editable.
#
# Needs Python 3.11 or newer (PYTHON names another than python3) and one of: uv, venv with ensurepip, pip.
# Only wheels are installed, so no compiler is needed. A .venv that works is kept and brought up to date.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=.venv
scratch=

say() {
    printf '%s\n' "setup: $*" >&2
}

fail() {
    say "$@"
    exit 1
}

has_uv() {
    command -v uv >/dev/null 2>&1
}

has_pip() {
    "$1" -m pip --version >/dev/null 2>&1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# Neither an interrupted run nor a Python that has gone since may leave a .venv that is trusted,
# and where PYTHON is given, one of another version is not what was asked for.
is_usable() {
    is_new_enough "$venv/bin/python" || return 1
    [ -z "${PYTHON:-}" ] || [ "$(version_of "$venv/bin/python")" = "$(version_of "$python")" ] || return 1
    has_uv || has_pip "$venv/bin/python"
}

check_python() {
    command -v "$python" >/dev/null 2>&1 ||
        fail "there is no $python. Name a Python of 3.11 or newer: make setup PYTHON=/path/to/python"
    is_new_enough "$python" ||
        fail "$python is Python $(version_of "$python"), and dynagate needs 3.11 or newer." \
            "Name a newer one: make setup PYTHON=python3.12"
}

# Debian's python3 comes without ensurepip: its `-m venv` fails, and its pip installs into a
# folder of its own (--target) but not beside the system's packages (PEP 668).
make_with_virtualenv() {
    has_pip "$python" || fail "$python has neither a working venv nor pip. On Debian and Ubuntu:" \
        "sudo apt-get install python3-venv python3-pip"
    say "$python cannot make environments by itself; bringing virtualenv for that"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip install --quiet --disable-pip-version-check \
        --target "$scratch/site" --only-binary :all: --require-hashes -r tools/virtualenv.lock
    PYTHONPATH="$scratch/site" "$python" -m virtualenv --quiet --no-periodic-update \
        --app-data "$scratch/data" "$venv"
}

make_venv() {
    rm -rf "$venv"
    if has_uv; then
        # No --seed: pip is in the lock, and so comes with a hash like everything else.
        uv venv --quiet --python "$("$python" -c 'import sys; print(sys.executable)')" "$venv"
    elif ! "$python" -m venv "$venv" >/dev/null 2>&1 || ! has_pip "$venv/bin/python"; then
        rm -rf "$venv"
        make_with_virtualenv
    fi
}

# The project itself is built with the hatchling of the lock, so nothing unpinned is fetched for it.
install() {
    if has_uv; then
        uv pip install --quiet --python "$venv/bin/python" --only-binary :all: --require-hashes \
            -r requirements.lock
        uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
    else
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
            --require-hashes -r requirements.lock
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            --no-build-isolation --editable .
    fi
}

if ! is_usable; then
    check_python
    say "making $venv with Python $(version_of "$python")"
    make_venv
fi
say "installing what requirements.lock pins; the first time takes a minute"
install
