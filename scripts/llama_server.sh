#!/usr/bin/env bash
# Puts llama.cpp's server as Debian packages it into a folder: scripts/llama_server.sh FOLDER
#
# The tests' second judge of the requests for llama.cpp: nothing of it comes from this project's dependencies.
# Packages are fetched and checked by apt with lists of its own, and unpacked; the system's stay as they are, and
# nothing needs root. FOLDER/run starts the server with the arguments given, sees the folder MODELS as /models, and
# ends with the process that started it. Needs apt with Debian's keyring, dpkg and bubblewrap.
#
# MIRROR      Debian's mirror; taken from this host's apt otherwise
# SUITE       forky otherwise, the first with llama.cpp
set -euo pipefail

fail() { printf '✗ %s\n' "$*" >&2; exit 1; }

folder=${1:?usage: scripts/llama_server.sh FOLDER}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
for needed in apt-get dpkg-deb bwrap; do
    command -v "$needed" >/dev/null || fail "$needed is missing. Install it, or run this on Debian."
done
[ -r "$keyring" ] || fail "$keyring is missing. Install debian-archive-keyring."
# shellcheck disable=SC2016 # apt's own placeholders
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' |
    sort -u | head -n 1)}
[ -n "$mirror" ] || fail "No Debian mirror is known. Set MIRROR."

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
apt=$folder/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
: >"$apt/status"
echo "deb [signed-by=$keyring] $mirror ${SUITE:-forky} main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<END
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Log "$apt";
Acquire::Languages "none";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Debug::NoLocking "true";
END
export APT_CONFIG=$apt/apt.conf
apt-get -qq update || apt-get -qq -o Acquire::Check-Valid-Until=false update
apt-get -qq install --yes --download-only llama.cpp-tools
for package in "$apt"/archives/*.deb; do
    dpkg-deb --extract "$package" "$folder/root"
done
rm -rf "$apt"
cat >"$folder/run" <<'END'
#!/bin/sh
root=$(cd "$(dirname "$0")/root" && pwd)
exec bwrap --ro-bind "$root/usr" /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
    --proc /proc --dev /dev --tmpfs /tmp --ro-bind "$MODELS" /models \
    --unshare-pid --unshare-ipc --new-session --die-with-parent llama-server "$@"
END
chmod +x "$folder/run"
MODELS=$folder "$folder/run" --version >/dev/null 2>&1 || fail "The server does not start."
