# shellcheck shell=bash
# What is linked in may be: licences, sources, duplicates, known holes, yanked versions. deny.toml has the rules.
# Reads TOOLS (tool_package).

supply_check() {
  local failed=0
  "$TOOLS/bin/cargo-deny" --locked check bans licenses sources || failed=1
  supply_advisories || failed=1
  supply_yanked || failed=1
  return "$failed"
}

# The database of advisories is a repository on GitHub, which not every machine can reach.
supply_advisories() {
  local said
  if said=$(timeout 60 "$TOOLS/bin/cargo-deny" --locked fetch db 2>&1); then
    "$TOOLS/bin/cargo-deny" --locked check --disable-fetch advisories
  else
    say "advisories: NOT CHECKED, their database cannot be fetched: $(grep -m 1 . <<<"$said")"
  fi
}

# cargo looks for yanked versions when it packs the crate.
supply_yanked() {
  local said scratch code=0
  scratch=$(mktemp -d)
  said=$(cargo package --no-verify --allow-dirty --locked --target-dir "$scratch" 2>&1) || code=$?
  rm -rf "$scratch"
  ((code == 0)) || { say "$said"; return 1; }
  ! grep -E 'is yanked' <<<"$said" || return 1
  say "yanked: none of $(grep -c '^name = ' Cargo.lock) packages"
}
