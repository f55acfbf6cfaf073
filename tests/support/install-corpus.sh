#!/usr/bin/env bash
# The packages whose files tests/eval asks about (tests/eval/corpus.toml), into target/test-tools/corpus, from package
# registries alone. Runs again at no cost. Crates are read where cargo keeps them and fetched if they are not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
corpus=${FINCH_TEST_TOOLS:-$PWD/target/test-tools}/corpus
mkdir -p "$corpus"

packages() { # REGISTRY: "name version" of each of its packages
  awk -v from="$1" '
    /^from = /    { gsub(/"/, "", $3); here = $3 }
    /^name = /    { gsub(/"/, "", $3); name = $3 }
    /^version = / { gsub(/"/, "", $3); if (here == from) print name, $3 }
  ' tests/eval/corpus.toml
}

# Unpacked elsewhere and moved when whole: an interrupted run leaves nothing that looks installed.
unpack() { # FETCH NAME VERSION
  local folder=${2//\//-}
  folder=$corpus/${folder//@/}-$3
  [ -d "$folder" ] && return
  echo "installing $2 $3"
  local part=$corpus/.part-$$
  rm -rf "$part" && mkdir -p "$part/whole"
  (cd "$part" && "$1" "$2" "$3")
  mv "$part/whole" "$folder"
  rm -rf "$part"
}

pip() {
  python3 -m pip download --quiet --no-deps --disable-pip-version-check --only-binary :all: "$1==$2"
  python3 -m zipfile -e ./*.whl whole
}

npm() {
  command npm pack --silent "$1@$2" >/dev/null
  tar -xzf ./*.tgz -C whole --strip-components=1
}

debian() {
  apt-get -qq download "$1=$2" 2>/dev/null || { apt-get -qq update && apt-get -qq download "$1=$2"; }
  dpkg-deb -x ./*.deb .
  mv usr/share/gocode/src/* whole
}

for registry in pip npm debian; do
  packages "$registry" | while read -r name version; do unpack "$registry" "$name" "$version" </dev/null; done
done

missing=()
while read -r name version; do
  compgen -G "${CARGO_HOME:-$HOME/.cargo}/registry/src/*/$name-$version" >/dev/null || missing+=("$name = \"=$version\"")
done < <(packages cargo)
if [ ${#missing[@]} -gt 0 ]; then
  mkdir -p "$corpus/crates/src" && : >"$corpus/crates/src/lib.rs"
  printf '[package]\nname = "crates"\nedition = "2024"\n[workspace]\n[dependencies]\n' >"$corpus/crates/Cargo.toml"
  printf '%s\n' "${missing[@]}" >>"$corpus/crates/Cargo.toml"
  cargo fetch --quiet --manifest-path "$corpus/crates/Cargo.toml"
fi
