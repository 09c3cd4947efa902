#!/usr/bin/env bash
# Run a command as root as if alone on the machine: with its own processes, network, control groups, an empty /run, and
# /etc, /opt and /var whose changes go to /run/changes. So a whole cluster can come and go beside the one that is in use.
set -euo pipefail

hierarchies() { awk '$3 ~ /^cgroup2?$/ {print $2}' /proc/mounts; }

outside() {
  local group=turnout-isolated-$$ hierarchy
  for hierarchy in $(hierarchies); do
    mkdir "$hierarchy/$group"
    if [ -e "$hierarchy/cpuset.cpus" ]; then # version 1: a new group has none, and takes no process without
      cat "$hierarchy/cpuset.cpus" >"$hierarchy/$group/cpuset.cpus"
      cat "$hierarchy/cpuset.mems" >"$hierarchy/$group/cpuset.mems"
    fi
    echo $$ >"$hierarchy/$group/cgroup.procs"
  done
  trap 'leave '$group EXIT
  unshare --mount --net --ipc --pid --cgroup --fork --kill-child "$BASH" "$0" --inside "$@"
}

leave() {
  local hierarchy
  for hierarchy in $(hierarchies); do
    echo $$ >"$hierarchy/cgroup.procs"
    find "$hierarchy/$1" -depth -type d -exec rmdir {} +
  done
}

inside() {
  local folder
  mount -t proc proc /proc
  # What is hidden next must go, or the table of mounts would still list another cluster's.
  for _ in {1..9}; do # rounds: one mount may lie under another
    awk '$2 ~ "^/(run|etc|opt|var)(/|$)" {print $2}' /proc/mounts | tac |
      xargs --no-run-if-empty --max-args=1 umount --lazy 2>/dev/null || true
  done
  mount -t tmpfs tmpfs /run
  mkdir /run/lock
  own_cgroups
  ip link set lo up
  for folder in etc opt var; do
    mkdir -p /run/changes/$folder /run/changes/.work/$folder
    mount -t overlay -o "lowerdir=/$folder,upperdir=/run/changes/$folder,workdir=/run/changes/.work/$folder" overlay /$folder
  done
  "$@"
}

own_cgroups() { # what lies above our own group is not seen from here on
  local path kind options
  awk '$3 ~ /^cgroup2?$/ {print $2, $3, $4}' /proc/mounts >/run/hierarchies
  umount --recursive --lazy /sys/fs/cgroup
  mount -t tmpfs tmpfs /sys/fs/cgroup
  while read -r path kind options; do
    options=$(tr ',' '\n' <<<"$options" | sed -E '/^(rw|ro|relatime|nosuid|nodev|noexec|nsdelegate|memory_.*)$/d' | paste -sd,)
    mkdir -p "$path"
    mount -t "$kind" ${options:+-o "$options"} none "$path"
  done </run/hierarchies
  if compgen -G '/sys/fs/cgroup/kubepods' >/dev/null || compgen -G '/sys/fs/cgroup/*/kubepods' >/dev/null; then
    echo "the control groups are not isolated" >&2
    exit 1
  fi
}

if [ "${1:-}" = --inside ]; then
  shift
  inside "$@"
else
  outside "$@"
fi
