# shellcheck shell=bash
# Finds a JDK by its version: a machine often has several, and Hadoop runs on few of them.

# java_major HOME: prints the major version (8, 11, 17, ...) of the Java in HOME, nothing when there is none.
java_major() {
  local version=''
  [[ -x "$1/bin/java" ]] || return 0
  if [[ -r "$1/release" ]]; then
    version=$(sed -n 's/^JAVA_VERSION="\(.*\)"/\1/p' "$1/release")
  fi
  if [[ -z "$version" ]]; then
    version=$("$1/bin/java" -version 2>&1 | sed -n 's/.* version "\([^"]*\)".*/\1/p' | sed -n 1p)
  fi
  version=${version#1.}
  printf '%s' "${version%%[!0-9]*}"
}

# java_find MIN MAX: prints the home of a Java from MIN to MAX (0 = any newer one): JAVA_HOME, PATH, common places.
java_find() {
  local min=$1 max=$2 home major on_path='' seen=''
  if command -v java >/dev/null 2>&1; then
    on_path=$(readlink -f "$(command -v java)")
    on_path=${on_path%/bin/java}
  fi
  for home in "${JAVA_HOME:-}" "$on_path" /usr/lib/jvm/* /opt/java/* /opt/jdk* "${HOME:-}"/.sdkman/candidates/java/*; do
    [[ -n "$home" ]] || continue
    major=$(java_major "$home")
    [[ -n "$major" ]] || continue
    seen+=" $home ($major)"
    if ((major >= min && (max == 0 || major <= max))); then
      printf '%s' "$home"
      return 0
    fi
  done
  say "no JDK from $min${max:+ to ${max/#0/any}} found; looked at:${seen:- nothing there}"
  die "install one (Debian: apt-get install openjdk-17-jdk-headless) or set JAVA_HOME"
}

# java_version HOME: prints the whole version, for files that only this very version can use.
java_version() {
  local version=''
  [[ -r "$1/release" ]] && version=$(sed -n 's/^JAVA_VERSION="\(.*\)"/\1/p' "$1/release")
  printf '%s' "${version:-$(java_major "$1")}"
}
