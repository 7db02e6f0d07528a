# shellcheck shell=bash
# The portable program: compiled by zig's clang against glibc 2.17, the one of CentOS 7, and checked by its symbols.
# Reads CHECKOUT, PARTS, TOOLS, SOURCE_DATE_EPOCH.

RUST_TARGET=x86_64-unknown-linux-gnu
GLIBC_MAX=2.17
# What libc itself comes with; everything else is linked in.
LIBRARIES=(libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 ld-linux-x86-64.so.2)

# program_build TARGET: compiles in TARGET and sets PROGRAM.
program_build() {
  local target=$1
  local -a settings=(
    PATH="$PARTS/bin:$TOOLS/bin:$PATH" SPINDLE_ZIG="$(zig)"
    # librdkafka asks for CC; everything else for CC_<target>, which cargo-zigbuild then leaves as it is.
    CC=spindle-cc CC_x86_64_unknown_linux_gnu=spindle-cc
    # LLD refuses a version script that names what is not there (librdkafka issue 4593).
    LDFLAGS="-Wl,--undefined-version"
    OPENSSL_NO_VENDOR=0 CARGO_INCREMENTAL=0
    SPINDLE_COMMIT="$("$PARTS/commit" "$CHECKOUT")"
    # No path of this machine in the program.
    RUSTFLAGS="--remap-path-prefix=$CHECKOUT=/spindle --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo \
--remap-path-prefix=$target=/target -Cstrip=symbols"
  )
  env "${settings[@]}" cargo zigbuild --release --locked --bin spindle --target "$RUST_TARGET.$GLIBC_MAX" \
    --target-dir "$target" --manifest-path "$CHECKOUT/Cargo.toml" >&2 || return
  # shellcheck disable=SC2034 # for the caller
  PROGRAM=$target/$RUST_TARGET/release/spindle
}

# The zig of the Python package, without the Python around it: it is called a thousand times.
zig() { "$TOOLS/bin/python" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))'; }

# program_check PROGRAM: fails unless it needs no glibc above GLIBC_MAX, and no library beside libc's own.
program_check() {
  local newest needed library failed=0
  newest=$(readelf --dyn-syms -W "$1" | grep -oE '@GLIBC_[0-9.]+' | sort -Vu | tail -n 1)
  [[ "$(printf '%s\n' "@GLIBC_$GLIBC_MAX" "$newest" | sort -V | tail -n 1)" == "@GLIBC_$GLIBC_MAX" ]] || {
    say "needs symbols of glibc up to ${newest#@GLIBC_}:"
    readelf --dyn-syms -W "$1" | grep -F "$newest" >&2
    failed=1
  }
  needed=$(readelf -d -W "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  for library in $needed; do
    [[ " ${LIBRARIES[*]} " == *" $library "* ]] || { say "needs $library"; failed=1; }
  done
  say "glibc ${newest#@GLIBC_}, libraries: ${needed//$'\n'/ }"
  return "$failed"
}
