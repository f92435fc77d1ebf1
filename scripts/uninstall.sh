#!/bin/sh
# Removes what `make setup` and the bot put on this machine, each part only after a yes: the virtual environment, the
# embedded model, with a question of its own the data, and the sandbox's Python. System packages stay.
set -eu
cd "$(dirname "$0")/.."

say() { printf '• %s\n' "$*"; }

# setting NAME: its value from the environment or else from .env.
setting() {
    if printenv "$1"; then return; fi
    [ -f .env ] || return 0
    sed -n "s/^[[:space:]]*\(export[[:space:]][[:space:]]*\)\{0,1\}$1[[:space:]]*=[[:space:]]*//p" .env | tail -n 1 |
        sed 's/[[:space:]]*$//; s/^"\(.*\)"$/\1/; s/^'"'"'\(.*\)'"'"'$/\1/'
}

# ask QUESTION: whether the answer is yes; anything else, and no answer, is no.
ask() {
    printf '%s [y/N] ' "$1"
    read -r answer || answer=
    case $answer in y | Y | yes | Yes) return 0 ;; *) return 1 ;; esac
}

size() { du -sh "$1" 2>/dev/null | cut -f1; }

# offer WHAT FOLDER: remove a folder that is there, after a yes.
offer() {
    [ -e "$2" ] || return 0
    if ask "Remove $1, $(size "$2") in $2?"; then
        rm -rf -- "$2"
        say "removed: $2"
    else
        say "kept: $2"
    fi
}

data=$(setting DATA_DIR)
data=${data:-var}
if [ "$(uname)" = Darwin ]; then cache=$HOME/Library/Caches/megaagent
else cache=${XDG_CACHE_HOME:-$HOME/.cache}/megaagent
fi

if [ -e "$data/bot.lock" ] && command -v flock >/dev/null 2>&1 && ! flock -n "$data/bot.lock" true; then
    printf '✗ The bot is running with %s. Stop it with Ctrl+C first, then run this again.\n' "$data" >&2
    exit 1
fi

offer "the virtual environment" .venv
offer "the embedded model" "$cache"
for folder in .mypy_cache .ruff_cache .pytest_cache .hypothesis; do rm -rf "$folder"; done
if [ -e "$data" ]; then
    say "$data holds the tasks, their files and the messages. It cannot be brought back."
    offer "the data" "$data"
fi
# As root the sandbox's Python is shared by all checkouts of this machine.
for folder in /var/lib/megaagent/sandbox-env-*; do
    [ ! -w "$folder" ] || offer "a sandbox's Python, which other checkouts of this machine may use" "$folder"
done
if [ -n "$(setting DATABASE_URL)" ]; then
    say "The database that DATABASE_URL names is not touched; drop it there."
fi
say "This folder itself, .env in it and system packages (bubblewrap, git) are left: remove them yourself."
