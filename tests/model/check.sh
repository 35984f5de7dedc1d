#!/usr/bin/env bash
# Checks the model, and that it fails where it should. Needs spin and gcc.
set -euo pipefail

MODEL="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/takeover.pml"
MEMORY_MB=2048

for program in spin gcc; do
  command -v "$program" >/dev/null || {
    echo "make model needs $program. On Debian and Ubuntu: apt install spin gcc" >&2
    exit 1
  }
done

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# search safety|liveness FLAGS...: the report of a search through the model with these flags.
search() {
  local kind="$1"
  shift
  spin "$@" -a "$MODEL" >spin.log || { cat spin.log >&2; exit 1; }
  if [ "$kind" = safety ]; then
    gcc -O2 -DSAFETY -DNOCLAIM -DCOLLAPSE -DMEMLIM=$MEMORY_MB -o pan pan.c
    ./pan -m100000 >report || true
  else
    gcc -O2 -DCOLLAPSE -DMEMLIM=$MEMORY_MB -o pan pan.c
    ./pan -a -f -m100000 >report || true
  fi
}

# holds SENTENCE safety|liveness FLAGS...
holds() {
  local sentence="$1"
  shift
  search "$@"
  if ! grep -q "errors: 0" report || grep -qiE "not completed|too small|reached -D|out of memory" report; then
    echo "model: it does not hold, or not all was searched: $sentence" >&2
    cat report >&2
    [ -f takeover.pml.trail ] && spin "${@:2}" -k takeover.pml.trail -p "$MODEL" >&2
    exit 1
  fi
  echo "model: $sentence ($(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' report) states)"
}

# fails HOW SENTENCE safety|liveness FLAGS...: HOW is what the report must say.
fails() {
  local how="$1" sentence="$2"
  shift 2
  search "$@"
  grep -q "^pan:1: $how" report || {
    echo "model: this should have been found wrong: $sentence" >&2
    cat report >&2
    exit 1
  }
  echo "model: $sentence: found"
}

holds "three nodes, two troubles: nothing wrong is ever written" safety -DNODES=3 -DTROUBLES=2
holds "two nodes, three troubles: the turn ends, too" liveness -DNODES=2 -DTROUBLES=3
holds "three nodes, one trouble, and a rest: nothing wrong is ever written" safety -DRESTS -DNODES=3 -DTROUBLES=1
holds "two nodes, two troubles, and a rest: the turn ends, too" liveness -DRESTS -DNODES=2 -DTROUBLES=2
fails "assertion violated" "without the comparison of the log's end" safety -DTROUBLES=2 -DNO_COMPARE
fails "assertion violated" "without the check of the attempt" safety -DTROUBLES=2 -DNO_ATTEMPT
fails "assertion violated" "without the comparison of bytes" safety -DTROUBLES=2 -DNO_BYTES
fails "assertion violated" "an answer that does not raise the attempt" safety -DRESTS -DNODES=2 -DTROUBLES=2 -DNO_RAISE
fails "acceptance cycle" "a rest after the request to stop" liveness -DRESTS -DNODES=2 -DTROUBLES=1 -DNO_HEED
fails "acceptance cycle" "without a look at what is one's own" liveness -DNODES=2 -DTROUBLES=2 -DNO_LOOK
