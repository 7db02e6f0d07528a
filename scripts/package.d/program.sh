# shellcheck shell=bash
# The portable program: compiled by zig's clang against glibc 2.17, the one of CentOS 7, and checked by its symbols.
# Reads CHECKOUT, PARTS, TOOLS, COMMIT.

RUST_TARGET=x86_64-unknown-linux-gnu
GLIBC_MAX=2.17
# What libc itself comes with; everything else is linked in.
LIBRARIES=(libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 ld-linux-x86-64.so.2)

# program_build TARGET: compiles in TARGET and sets PROGRAM.
program_build() {
  local target=$1 flags registry cargo_home=${CARGO_HOME:-${HOME:-}/.cargo}
  # No path of this machine in the program, nor the name of the registry that crates came from. The last that fits counts.
  local -a paths=("$cargo_home=/cargo" "$CHECKOUT=/spindle" "$target=/target")
  for registry in "$cargo_home"/registry/src/*; do paths+=("$registry=/crates"); done
  flags=$(printf -- '--remap-path-prefix=%s\x1f' "${paths[@]}")
  # All that decides what is built, whatever the caller's environment says.
  local -a settings=(
    -u RUSTFLAGS -u CARGO_BUILD_RUSTFLAGS -u CARGO_BUILD_TARGET -u CPPFLAGS -u CXXFLAGS
    PATH="$PARTS/bin:$TOOLS/bin:$PATH" SPINDLE_ZIG="$(zig)"
    # librdkafka asks for CC; everything else for CC_<target>, which cargo-zigbuild then leaves as it is.
    CC=spindle-cc CC_x86_64_unknown_linux_gnu=spindle-cc CXX="$CHECKOUT/scripts/build.d/no-c++" CFLAGS=-g0
    # LLD refuses a version script that names what is not there (librdkafka issue 4593).
    LDFLAGS="-Wl,--undefined-version"
    OPENSSL_NO_VENDOR=0 OPENSSL_SRC_PERL="$CHECKOUT/scripts/build.d/perl-for-openssl"
    # A date that OpenSSL keeps; that of the commit would have all C compiled again for each commit.
    SOURCE_DATE_EPOCH=0
    CARGO_INCREMENTAL=0 CARGO_ENCODED_RUSTFLAGS="$flags-Cstrip=symbols" SPINDLE_COMMIT="$COMMIT"
  )
  (cd "$CHECKOUT" && env "${settings[@]}" cargo zigbuild --release --locked --bin spindle \
    --target "$RUST_TARGET.$GLIBC_MAX" --target-dir "$target") >&2 || return
  # shellcheck disable=SC2034 # for the caller
  PROGRAM=$target/$RUST_TARGET/release/spindle
}

# The zig of the Python package, without the Python around it: it is called a thousand times.
zig() { "$TOOLS/bin/python" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))'; }

# program_check PROGRAM: fails unless it needs no version of glibc above GLIBC_MAX, and no library beside libc's own.
program_check() {
  local versions newest needed library failed=0
  # What it needs of libraries, by version: symbols, and what has none (GLIBC_ABI_DT_RELR).
  versions=$(readelf -V -W "$1" | sed -n 's/.*Name: \(GLIBC_[A-Z0-9_.]*\) .*/\1/p' | sort -Vu)
  needed=$(readelf -d -W "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  [[ " ${needed//$'\n'/ } " == *" libc.so.6 "* && -n "$versions" ]] || { say "$1: is no program for glibc"; return 1; }
  newest=$(printf '%s\n' "$versions" "GLIBC_$GLIBC_MAX" | sort -V | tail -n 1)
  [[ "$newest" == "GLIBC_$GLIBC_MAX" ]] || { say "needs $newest, where ${GLIBC_MAX} is the most there may be"; failed=1; }
  for library in $needed; do
    [[ " ${LIBRARIES[*]} " == *" $library "* ]] || { say "needs $library"; failed=1; }
  done
  say "needs ${versions//$'\n'/ } of ${needed//$'\n'/ }"
  return "$failed"
}
