#!/bin/sh
# Makes this checkout ready: scripts/setup.sh run | test. Safe to repeat; says what it does, does only what is missing.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

say() { printf '• %s\n' "$*"; }
fail() { printf '\n✗ %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else return 1
    fi
}

apt_install() {
    say "installing with apt: $*"
    as_root apt-get update -qq || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

brew_install() {
    have brew || fail "Homebrew is needed to install $*. See its site, then run this again."
    say "installing with brew: $*"
    brew install -q "$@" >/dev/null
}

# need PACKAGE-ON-DEBIAN PACKAGE-ON-MACOS WHY: install one system package, or say plainly what is missing.
need() {
    if have apt-get; then
        apt_install "$1" || fail "$3 needs the package $1, and it could not be installed. Install it, then run this again."
    elif have brew; then
        [ "$2" = - ] || brew_install "$2"
    else
        fail "$3 needs $1. Install it with your system's package manager, then run this again."
    fi
}

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if have "$candidate" && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed. Install it, then run this again."
}

make_environment() {
    [ -x .venv/bin/python ] && return
    python=$(find_python)
    say "making a virtual environment with $("$python" --version)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        need "python$version-venv" - "Python's virtual environment"
    fi
    "$python" -m venv .venv
}

install_packages() {
    lock=$(cksum requirements.lock pyproject.toml | cksum)
    [ -f .venv/.installed ] && [ "$(cat .venv/.installed)" = "$lock" ] && return
    say "installing the Python packages pinned in requirements.lock (a few minutes the first time)"
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
    echo "$lock" >.venv/.installed
}

system_for_run() {
    [ "$(uname)" = Linux ] || return 0
    have bwrap || need bubblewrap - "running agents' code in a sandbox"
}

system_for_test() {
    system_for_run
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || have initdb || need postgresql postgresql@16 "testing on PostgreSQL"
    if [ "$(uname)" = Linux ]; then
        have chromium || have chromium-browser || have google-chrome || need chromium - "testing the page in a browser"
        have setpriv || need util-linux - "testing the sandbox as an ordinary user"
    else
        say "installing a browser for the tests"
        .venv/bin/python -m playwright install chromium >/dev/null
    fi
}

have git || need git git "the workspace's tests and bundles"
make_environment
install_packages
case $purpose in
    run) system_for_run ;;
    test)
        system_for_test
        .venv/bin/python -m engine.llm.local fetch small
        ;;
    *) fail "scripts/setup.sh run | test" ;;
esac
