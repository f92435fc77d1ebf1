#!/bin/sh
# Prepares this checkout: scripts/setup.sh run | test | local | mcp | native | postgres | web. Safe to repeat; says what it
# does, does only what is missing. `run` installs what the settings need; the others add that extra.
# PYTHON names the interpreter for a new .venv; otherwise a supported one is looked for.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}

said_at=$(date +%s)
say() { printf '• %s\n' "$*"; said_at=$(date +%s); }
fail() { printf '\n✗ %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

worker=
# A shell starts what runs beside it with Ctrl+C ignored: it has to be ended by hand.
stop() {
    [ "$worker" != new ] || worker=${!:-}
    [ -z "$worker" ] || kill "$worker" 2>/dev/null || true
    [ -z "$worker" ] || wait "$worker" 2>/dev/null || true
    printf '\n• Stopped. What is installed so far is kept%s; the same command goes on from there.\n' \
        "$([ ! -d .venv ] || printf ' (.venv, %s MB)' "$(du -sm .venv | cut -f1)")"
    exit 130
}
trap stop INT TERM

# quietly WHAT COMMAND...: run it without its own words, with a line where 3 seconds were silent; on failure show its
# last ones.
quietly() {
    what=$1
    shift
    log=$(mktemp)
    worker=new # stopped before its number is known: see stop
    "$@" >"$log" 2>&1 &
    worker=$!
    began=$(date +%s)
    while kill -0 "$worker" 2>/dev/null; do
        sleep 1
        now=$(date +%s)
        if [ $((now - said_at)) -ge 3 ] && kill -0 "$worker" 2>/dev/null; then
            size=$(du -sm .venv 2>/dev/null | cut -f1)
            printf '  … %s: %s s%s\n' "$what" $((now - began)) "${size:+, $size MB so far}"
            said_at=$now
        fi
    done
    ended=0
    wait "$worker" || ended=$?
    worker=
    if [ "$ended" != 0 ]; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        fail "$what did not work. The lines above say why; repair that, then run this again."
    fi
    rm -f "$log"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else return 1
    fi
}

apt_install() {
    say "installing with apt: $*"
    quietly "list of packages" as_root apt-get update -qq
    quietly "system packages" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

brew_install() {
    have brew || fail "Homebrew is needed to install $*. See its site, then run this again."
    say "installing with brew: $*"
    quietly "system packages" brew install -q "$@"
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

# supported PYTHON: whether it starts and is of a version that the tests run on.
supported() {
    have "$1" && "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.14 python3.11}; do
        if supported "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "${PYTHON:+PYTHON=$PYTHON is not it: }Python 3.11, 3.12, 3.13 or 3.14 is needed. Install one, then run this again."
}

make_environment() {
    if [ -e .venv ] || [ -L .venv ]; then
        # Ctrl+C while it was created leaves one without pip.
        supported .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null && return
        say "the virtual environment is not whole, or its Python is unsupported: creating it again"
    fi
    python=$(find_python)
    say "creating a virtual environment with $("$python" --version)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        need "python$version-venv" - "Python's virtual environment"
    fi
    quietly "virtual environment" "$python" -m venv --clear .venv
}

# setting NAME: its value as the product reads it, from the environment or else from .env.
setting() {
    if printenv "$1"; then return; fi
    [ -f .env ] || return 0
    sed -n "s/^[[:space:]]*\(export[[:space:]][[:space:]]*\)\{0,1\}$1[[:space:]]*=[[:space:]]*//p" .env | tail -n 1 |
        sed 's/[[:space:]]*$//; s/^"\(.*\)"$/\1/; s/^'"'"'\(.*\)'"'"'$/\1/'
}

# The locks to install: everything for tests, else the core and what the settings need.
wanted_locks() {
    if [ "$purpose" = test ]; then
        echo requirements.lock
        return
    fi
    echo requirements/core.lock
    if [ "$purpose" = local ] || [ -z "$(setting DISCORD_TOKEN)" ] ||
        [ -z "$(setting OPENAI_API_KEY)$(setting OPENAI_BASE_URL)$(setting ANTHROPIC_API_KEY)$(setting GOOGLE_API_KEY)" ]; then
        echo requirements/local.lock
    fi
    config=$(setting MCP_CONFIG)
    if [ "$purpose" = mcp ] || [ -e "${config:-mcp.json}" ]; then
        echo requirements/mcp.lock
    fi
    case $purpose:$(setting WEB) in
        run:false | run:False | run:0 | run:off | run:no | local:* | mcp:* | native:* | postgres:*) ;;
        *) echo requirements/web.lock ;;
    esac
    if [ "$purpose" = native ] || grep -qsE '^MODEL[A-Z_]*=.*(anthropic|google|openai-responses):' .env; then
        echo requirements/native.lock
    fi
    case $purpose:$(setting DATABASE_URL) in
        postgres:* | *:postgres*) echo requirements/postgres.lock ;;
    esac
}

# model_folder: where the embedded model's weights are kept; as engine/llm/local/process/weights.py has it.
model_folder() {
    if [ "$(uname)" = Darwin ]; then echo "$HOME/Library/Caches/megaagent/models"
    else echo "${XDG_CACHE_HOME:-$HOME/.cache}/megaagent/models"
    fi
}

install_packages() {
    pinned=$(cat requirements.lock requirements/*.lock pyproject.toml | cksum)
    missing=
    for lock in $(wanted_locks); do
        grep -qsFx -e "$pinned $lock" -e "$pinned requirements.lock" .venv/.installed || missing="$missing $lock"
    done
    [ -n "$missing" ] || return 0
    say "installing the Python packages pinned in$missing into .venv (some minutes and up to 0.4 GB the first time)"
    case $missing in
        *local.lock*) say "without a model's key in .env, a small model follows: 1.1 GB in $(model_folder), 3 GB of memory while it answers" ;;
    esac
    say "make uninstall removes all of it again"
    for lock in $missing; do
        quietly "packages of $lock" .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r "$lock"
    done
    # Its own words are a warning that an editable installation follows the folder; that is what it is for.
    quietly "this checkout" .venv/bin/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
    for lock in $missing; do echo "$pinned $lock"; done >>.venv/.installed
}

# node_servers: servers of tools from npm that tests talk to, pinned in tests/servers. Without node they are left out.
node_servers() {
    have node && have npm || { say "without node: tests with servers from npm are left out"; return 0; }
    servers="$(cat tests/servers/package-lock.json | cksum) $(node --version)"
    [ "$(cat .venv/node/.installed 2>/dev/null)" = "$servers" ] && return
    rm -rf .venv/node
    mkdir -p .venv/node
    cp tests/servers/package.json tests/servers/package-lock.json .venv/node
    (cd .venv/node && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error) &&
        echo "$servers" >.venv/node/.installed
}

system_for_run() {
    [ "$(uname)" = Linux ] || return 0
    have bwrap || need bubblewrap - "running agents' code in a sandbox"
    # The embedded model's wheel brings everything but this library of the compiler.
    if .venv/bin/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("xllamacpp") is None)'; then
        .venv/bin/python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null ||
            need libgomp1 - "running the embedded model"
    fi
}

system_for_test() {
    system_for_run
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || have initdb || need postgresql postgresql@16 "testing on PostgreSQL"
    if [ "$(uname)" = Linux ]; then
        have chromium || have chromium-browser || have google-chrome || need chromium - "testing the page in a browser"
        have setpriv || need util-linux - "testing the sandbox as an ordinary user"
    else
        say "installing a browser for the tests"
        quietly "browser" .venv/bin/python -m playwright install chromium
    fi
}

have git || need git git "the workspace's tests and bundles"
make_environment
if [ "$purpose" = test ]; then
    # Beside the Python packages, as it mostly waits for the network.
    node_log=$(mktemp)
    node_servers >"$node_log" 2>&1 &
    node_worker=$!
fi
install_packages
case $purpose in
    run | local | mcp | native | postgres | web) system_for_run ;;
    test)
        system_for_test
        .venv/bin/python -m engine.llm.local fetch small
        wait "$node_worker" || { cat "$node_log" >&2; fail "the servers of tests/servers could not be installed with npm. The lines above say why; correct that, then run this again."; }
        cat "$node_log"
        rm -f "$node_log"
        ;;
    *) fail "scripts/setup.sh run | test | local | mcp | native | postgres | web" ;;
esac
