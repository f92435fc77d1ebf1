#!/usr/bin/env bash
# Runs `make run` and `make test` as on a fresh machine: scripts/fresh.sh [WHERE...]
#
# WHERE is a Debian suite (trixie), made with debootstrap in a folder and entered as root, or a Python version
# (3.12), whose interpreter is found by pyenv or on PATH and used in a fresh clone. Without WHERE: trixie and every
# supported interpreter found. Prints a table of times; exits 1 when anything failed. Logs are kept on failure.
#
# MIRROR      Debian's mirror; taken from this host's apt otherwise
# FRESH_TMP   where to work (some gigabytes); a folder that other users can enter, /var/tmp otherwise
# FRESH_TEST  what is run in place of `make test`, such as "make setup-test"
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
test_command=${FRESH_TEST:-make test}
ready_within=1800
supported="3.11 3.12 3.13 3.14"

fail() { printf '✗ %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

work=$(mktemp -d "${FRESH_TMP:-/var/tmp}/fresh-XXXXXX")
chmod 755 "$work"
table=$work/table
failed=
running=

clean_up() {
    [ -z "$running" ] || kill -TERM -- "-$running" 2>/dev/null || true
    if [ -n "$failed" ]; then
        printf 'logs: %s\n' "$work"/*.log
        find "$work" -mindepth 1 -maxdepth 1 -type d -exec rm -rf --one-file-system {} +
    else
        rm -rf --one-file-system "$work"
    fi
}
trap clean_up EXIT
trap 'failed=interrupted; exit 130' INT TERM

# version PYTHON: its version, or nothing when it does not start (pyenv's shims of versions that are not chosen).
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }

# find_interpreter VERSION: the path of an interpreter of it, pyenv's newest before one on PATH.
find_interpreter() {
    local root=${PYENV_ROOT:-} found
    [ -n "$root" ] || ! have pyenv || root=$(pyenv root)
    if [ -n "$root" ]; then
        found=$(find "$root/versions" -maxdepth 1 -name "$1.*" 2>/dev/null | sort -V | tail -n 1)
        if [ -n "$found" ] && [ "$(version "$found/bin/python")" = "$1" ]; then
            echo "$found/bin/python"
            return
        fi
    fi
    if have "python$1" && [ "$(version "python$1")" = "$1" ]; then
        "python$1" -c 'import sys; print(sys.executable)'
    fi
}

# debian_mirror: the one this host's apt uses, so that a fresh system asks nobody else.
debian_mirror() {
    if [ -n "${MIRROR:-}" ]; then
        echo "$MIRROR"
    elif have apt-get; then
        # shellcheck disable=SC2016 # apt's own placeholders
        apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null |
            sort -u | head -n 1
    fi
}

# make_system SUITE ROOT: what a fresh Debian with the README's needs (Python, git, make) has, nothing more.
make_system() {
    have debootstrap || fail "A fresh system needs debootstrap. Install it (Debian, Ubuntu: apt install debootstrap)."
    [ "$(id -u)" = 0 ] || fail "A fresh system is made and entered as root. Run this as root, or name Python versions."
    local recipe=/usr/share/debootstrap/scripts/$1 mirror
    [ -e "$recipe" ] || recipe=/usr/share/debootstrap/scripts/sid
    mirror=$(debian_mirror)
    # Without a mirror debootstrap has its own; a suite it does not know yet is made like the newest.
    debootstrap --variant=minbase --include=ca-certificates,git,make,python3 "$1" "$2" ${mirror:+"$mirror" "$recipe"}
    # What an installer writes and debootstrap does not.
    printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$(uname -n)" >"$2/etc/hosts"
    take_over_network_settings "$2"
}

# take_over_network_settings ROOT: proxies, indexes, certificates and what this host's apt and pip accept of them.
take_over_network_settings() {
    local name value
    if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
        cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
    fi
    if have apt-config; then
        apt-config dump | grep -iE '^Acquire::(https?::(proxy|[^ ]*::proxy)|Check-Valid-Until)' >"$1/etc/apt/apt.conf.d/99host" || true
    fi
    echo '[global]' >"$1/etc/pip.conf"
    for name in index-url trusted-host proxy timeout; do
        value=$(python3 -m pip config get "global.$name" 2>/dev/null) || continue
        echo "$name = $value" >>"$1/etc/pip.conf"
    done
    env | grep -iE '^(https?_proxy|no_proxy|PIP_(INDEX_URL|TRUSTED_HOST|PROXY|DEFAULT_TIMEOUT))=' >"$1/root/network" || true
}

# in_system ROOT COMMAND...: with its own mounts and processes. Not by chroot: the kernel lets nobody inside a chroot
# make a user namespace, which the sandbox is made of.
in_system() {
    local root=$1
    shift
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --pid --fork --kill-child bash -euc '
        mount --bind "$1" "$1"
        cd "$1"
        mount -t proc proc proc
        mount --rbind /sys sys
        mount --rbind /dev dev
        if [ -e /etc/resolv.conf ]; then touch etc/resolv.conf; mount --bind /etc/resolv.conf etc/resolv.conf; fi
        mkdir -p .host
        pivot_root . .host
        cd /
        umount -l /.host
        shift
        # Not exec: this shell is the first process of the system, who takes care of orphans.
        env -i $(cat /root/network) HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" || exit $?
    ' in_system "$root" "$@"
}

# here COMMAND...: on this host, without what would point the bot elsewhere.
here() {
    env -u DISCORD_TOKEN -u OPENAI_API_KEY -u OPENAI_BASE_URL -u DATABASE_URL -u DATA_DIR -u VIRTUAL_ENV "$@"
}

# run_until_ready LOG COMMAND...: start the bot, wait until it says that it runs, stop it as Ctrl+C does.
run_until_ready() {
    local log=$1 began=$SECONDS ready=
    shift
    # A session of its own, so that one signal reaches make and the bot; job control, so that the signal is not ignored.
    set -m
    : >"$log"
    "$@" >"$log" 2>&1 </dev/null &
    running=$!
    set +m
    while kill -0 "$running" 2>/dev/null && [ $((SECONDS - began)) -lt $ready_within ]; do
        if grep -q '^● MegaAgent runs' "$log"; then
            ready=$((SECONDS - began))
            break
        fi
        sleep 1
    done
    kill -INT -- "-$running" 2>/dev/null || true
    for _ in $(seq 60); do
        kill -0 "$running" 2>/dev/null || break
        sleep 1
    done
    if kill -0 "$running" 2>/dev/null; then
        echo "the bot did not stop within a minute of Ctrl+C" >>"$log"
        kill -KILL -- "-$running"
        ready=
    fi
    wait "$running" 2>/dev/null || true
    running=
    [ -n "$ready" ] || return 1
    echo "$ready"
}

# both NAME COMMAND...: `make run` and `make test`, each started by COMMAND; one line of the table.
both() {
    local name=$1 began run tested result=passed
    shift
    printf '• %s: make run\n' "$name"
    # The prefix decides the folder; in a fresh one the port may be taken by somebody's own bot.
    if run=$(run_until_ready "$work/$name-run.log" "$@" "LOCAL_PORT=0" make run); then
        run="${run}s"
    else
        run=failed result="FAILED: $(tail -n 1 "$work/$name-run.log")"
    fi
    printf '• %s: %s\n' "$name" "$test_command"
    began=$SECONDS
    # shellcheck disable=SC2086 # words of a command
    if "$@" CI=true $test_command >"$work/$name-test.log" 2>&1 </dev/null; then
        tested="$((SECONDS - began))s"
    else
        tested=failed result="FAILED: $(tail -n 1 "$work/$name-test.log")"
    fi
    case $result in FAILED*) failed="$failed $name" ;; esac
    printf '%s\t%s\t%s\t%s\n' "$name" "$run" "$tested" "$result" >>"$table"
}

try_version() {
    local python folder=$work/python$1
    python=$(find_interpreter "$1")
    [ -n "$python" ] || fail "There is no Python $1 under pyenv's root or on PATH."
    git clone -q "$repository" "$folder"
    both "python$1" here env -C "$folder" PYTHON="$python"
}

try_system() {
    local root=$work/$1
    printf '• %s: making a fresh system\n' "$1"
    if ! make_system "$1" "$root" >"$work/$1-system.log" 2>&1; then
        tail -n 5 "$work/$1-system.log" >&2
        failed="$failed $1"
        fail "The fresh system $1 could not be made."
    fi
    git clone -q "$repository" "$root/root/megaagent"
    both "$1" in_system "$root" env -C /root/megaagent
}

if [ $# = 0 ]; then
    set -- trixie
    for wanted in $supported; do
        [ -z "$(find_interpreter "$wanted")" ] || set -- "$@" "$wanted"
    done
fi
for where in "$@"; do
    case $where in
        3.*) try_version "$where" ;;
        *) try_system "$where" ;;
    esac
done

printf '\n%-12s %-16s %-12s %s\n' where "make run ready" "$test_command" result
while IFS="$(printf '\t')" read -r where run tested result; do
    printf '%-12s %-16s %-12s %s\n' "$where" "$run" "$tested" "$result"
done <"$table"
[ -z "$failed" ] || exit 1
