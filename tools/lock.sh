#!/bin/sh
# Writes requirements.lock and tools/virtualenv.lock anew: for every platform and Python that the
# project takes, with hashes, without the address of any index. Pins stay unless --upgrade is given.
set -eu
cd "$(dirname "$0")/.."

uv=uv
if ! command -v uv >/dev/null 2>&1; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 "${PYTHON:-python3}" -m pip install --quiet \
        --disable-pip-version-check --only-binary :all: --target "$scratch" uv
    uv=$scratch/bin/uv
fi

compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header "$@"
}

compile --extra local --extra postgres --extra dev --output-file requirements.lock "$@" pyproject.toml
echo virtualenv | compile --output-file tools/virtualenv.lock "$@" -
