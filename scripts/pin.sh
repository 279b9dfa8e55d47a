#!/usr/bin/env bash
# Writes constraints.txt from a throw-away environment with the newest versions that pyproject.toml allows.
set -euo pipefail
cd "$(dirname "$0")/.."
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

cp -r pyproject.toml README.md LICENSE src scripts/peers.txt "$room/"
"${PYTHON:-python3.11}" -m venv "$room/.venv"
pip() { "$room/.venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install "${TORCH:-torch}" hatchling editables
pip install --no-build-isolation -e "$room[test,lint,docs,demo,dicom,ray,train,matlab]"
pip install --no-deps --requirement "$room/peers.txt" dcmqi
{
    sed -n '/^#/p' constraints.txt
    # No local versions (torch 2.13.0+cpu -> 2.13.0) and not voxplain itself.
    pip freeze --exclude-editable | sed -E 's/\+.*//'
} > "$room/constraints.txt"
mv "$room/constraints.txt" constraints.txt
