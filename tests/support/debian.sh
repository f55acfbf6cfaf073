# Sourced by the install scripts: packages of another Debian suite than the machine's own, without touching that.
# Needs a Debian (or its archive keyring and FINCH_DEBIAN_MIRROR). The script that sources this has a function `fail`.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# FINCH_DEBIAN_MIRROR, or the mirror this machine already uses.
mirror() {
  local found
  found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -nE 's/^(deb|URIs:) .*(https?:\/\/[^ ]+\/debian)\/?( .*)?$/\2/p; s/^(deb|URIs:) (https?:\/\/[^ ]+\/debian)\/?( .*)?$/\2/p' |
    head -n1)
  found=${FINCH_DEBIAN_MIRROR:-$found}
  [ -n "$found" ] || fail "no Debian mirror in the apt sources of this machine: set FINCH_DEBIAN_MIRROR"
  echo "$found"
}

# apt_of FOLDER SUITE: a package tree of its own in FOLDER, which APT_CONFIG=FOLDER/apt.conf makes apt-get use. Nothing
# is installed in it, so that everything a package needs counts as missing.
apt_of() {
  local apt=$1 suite=$2 from
  [ -r "$keyring" ] || fail "$keyring is missing: apt-get install -y debian-archive-keyring"
  from=$(mirror)
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  : >"$apt/status"
  echo "deb [signed-by=$keyring] $from $suite main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
CONF
  APT_CONFIG=$apt/apt.conf apt-get -qq update
}
