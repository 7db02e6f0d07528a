# shellcheck shell=bash
# Messages and preconditions, for every script here: all to stderr, stdout belongs to results.

# A line for people.
say() { printf '%s\n' "$*" >&2; }

# The end, with what went wrong and what to do.
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# need COMMAND REMEDY: dies naming the remedy unless COMMAND is there.
need() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2"; }

# Milliseconds of a clock for durations.
now_ms() { printf '%s' "$(($(date +%s%N) / 1000000))"; }
