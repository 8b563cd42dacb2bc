#!/usr/bin/env bash
# `make test` with Debian 13's Python 3.13, in a root of its own: a release check (make test-313). Wants root, and Debian's
# debootstrap, which it installs. What git holds is tested; with arguments, pytest runs on those alone. pip is set up in
# there as it is here.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "make test-313 wants root: debootstrap and chroot do." >&2; exit 2; }
command -v debootstrap > /dev/null || { apt-get update -qq; apt-get install -y -qq --no-install-recommends debootstrap > /dev/null; }
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep '/debian/$' | head -n 1)
[ -n "$mirror" ] || { echo "apt knows no mirror of Debian here." >&2; exit 2; }
root=$(mktemp -d)
mounted=()
leave() {
  for place in "${mounted[@]}"; do umount -l "$place"; done
  rm -rf --one-file-system "$root"
}
trap leave EXIT
debootstrap --variant=minbase --include=python3,python3-venv,make,git,ca-certificates trixie "$root" "$mirror" > "$root.log" || { tail "$root.log" >&2; exit 1; }
rm "$root.log"
for place in /proc /dev /sys; do mount --rbind "$place" "$root$place" && mounted+=("$root$place"); done
for place in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/xdg/pip /etc/ssl/certs/ca-certificates.crt; do
  [ ! -e "$place" ] || { mkdir -p "$root$(dirname "$place")"; cp -rL "$place" "$root$(dirname "$place")"; }
done
# Folders of packages on this machine that pip's settings name.
while read -r place; do
  place=$(realpath -m "${place%/simple}") # of an index the packages beside it too
  if [ -d "$place" ] && [ "$place" != / ]; then
    mkdir -p "$root$place"
    mount --bind "$place" "$root$place" && mounted+=("$root$place")
  fi
done < <(pip config list 2> /dev/null | grep -oE "/[^ ']+" || true)
git clone --quiet --no-hardlinks "$(dirname "$0")/.." "$root/project"
run="make test PYTHON=python3"
[ $# = 0 ] || run="make setup PYTHON=python3 && .venv/bin/python -m pytest $*"
env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
  $(env | grep -E '^(PIP_|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy)' | grep -v ' ' || true) \
  chroot "$root" bash -c "cd /project && python3 --version && $run"
