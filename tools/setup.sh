#!/bin/sh
# What make needs from the machine: `setup.sh venv DIR` makes a virtual environment, `setup.sh node`
# sees to Node.js. On Debian and its relatives, as root, missing packages are installed; elsewhere
# it says what to install.
set -eu

say() {
    echo "setup: $*" >&2
}

# install_packages WHAT PACKAGE...
install_packages() {
    what=$1
    shift
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing $*"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        say "$what is missing. Install it (on Debian or Ubuntu: sudo apt-get install $*) and try again."
        exit 1
    fi
}

is_recent_python() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if is_recent_python "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

make_venv() {
    if ! python=$(find_python); then
        install_packages "Python 3.11 or newer" python3 python3-venv
        if ! python=$(find_python); then
            say "This system's Python is older than 3.11. Install a newer one and name it: make PYTHON=..."
            exit 1
        fi
    fi
    # Debian ships venv without pip unless python3-venv is there; the half-made directory must go.
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        install_packages "The venv module of Python $version" "python$version-venv"
    fi
    "$python" -m venv "$1" || {
        rm -rf "$1"
        exit 1
    }
}

is_recent_node() {
    command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
        node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'
}

need_node() {
    is_recent_node && return 0
    install_packages "Node.js 18 or newer with npm (the Koishi tests run on it)" nodejs npm
    is_recent_node && return 0
    say "Node.js 18 or newer is needed for the Koishi tests; this one is older."
    exit 1
}

case "${1:-}" in
    venv) make_venv "$2" ;;
    node) need_node ;;
    *)
        say "usage: setup.sh venv DIR | setup.sh node"
        exit 2
        ;;
esac
