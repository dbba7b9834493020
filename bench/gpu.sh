#!/usr/bin/env bash
# Proves and times the CUDA backend on a card: builds the shim, reports what is there, replays PyTorch's recorded results
# and the models' losses on the device, then benches beside PyTorch. Needs the working tree, a C compiler, a Deno binary
# ($DENO, else `deno` in PATH, else ./deno) and CUDA's libraries (the system's or pip wheels'); no network, no packages.
#
#   bench/gpu.sh            about ten minutes at most; leaves bench/RESULTS_CUDA.md (and a copy in $OUT where that is set)
#
# RESULTS names another file; BENCH_ARGS goes to bench/cuda.ts (`--small` for the test double).
set -u
cd "$(dirname "$0")/.."
DENO=${DENO:-$(command -v deno || echo ./deno)}
RESULTS=${RESULTS:-bench/RESULTS_CUDA.md}
LOG=$(mktemp)
START=$SECONDS
MOST=580
FAILED=0
# Without a network, @std/assert is a file of ours and nothing else is a package.
RUN=("$DENO" run -A --no-check --no-config --no-lock --import-map=bench/offline_imports.json)

say() { echo "$*" | tee -a "$RESULTS"; }

# step TITLE SECONDS COMMAND...: runs within its limit and what is left of the whole; one line says how it went.
step() {
  local title=$1 limit=$2 left=$((MOST - (SECONDS - START))) began=$SECONDS
  shift 2
  if ((left < 10)); then
    say "- skipped: $title (no time left)"
    return 1
  fi
  local status=0
  timeout "$((limit < left ? limit : left))" "$@" >"$LOG" 2>&1 || status=$?
  if ((status == 0)); then
    say "- ok: $title ($((SECONDS - began)) s)"
    return 0
  fi
  FAILED=$((FAILED + 1))
  say "- FAILED: $title (status $status after $((SECONDS - began)) s)"
  tail -n 15 "$LOG" | cut -c1-300 | sed 's/^/      /' | tee -a "$RESULTS"
  return 1
}

finish() {
  say ""
  say "$FAILED steps failed; $((SECONDS - START)) s in all."
  say ""
  say "Not covered here: injected failures (tests/cuda/backend.test.ts, over the test double), several devices and peer"
  say "copies, CUDA graphs, flash attention, fp8, GPT-2 and ResNet-50 training, memory over 10,000 steps."
  [ -n "${OUT:-}" ] && cp "$RESULTS" "$OUT/"
  rm -f "$LOG"
  exit $((FAILED > 0))
}

printf '# CUDA results\n\nWritten by `bench/gpu.sh` on %s.\n\n' "$(date -u +%F)" >"$RESULTS"
say "## What runs"
say ""
if command -v nvidia-smi >/dev/null; then
  say "- $(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -n 1)"
else
  say "- skipped: nvidia-smi is not here"
fi
if ! "$DENO" --version >"$LOG" 2>&1; then
  say "- FAILED: no Deno: $DENO"
  FAILED=1
  finish
fi
say "- $(head -n 1 "$LOG"), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"

# Where pip put CUDA's libraries.
WHEELS=$(python3 - <<'PY' 2>/dev/null
import glob, site, sys
folders = site.getsitepackages() + [site.getusersitepackages()] + sys.path
print(":".join(dict.fromkeys(f for base in folders if base for f in sorted(glob.glob(base + "/nvidia/*/lib")))))
PY
)
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$WHEELS"
export XDG_CACHE_HOME="${XDG_CACHE_HOME:-$(mktemp -d)}"
export NO_COLOR=1

step "the CUDA shim builds" 60 "${RUN[@]}" native/build_cuda.ts || finish
"${RUN[@]}" ffi/doctor.ts >"$LOG" 2>/dev/null
{ echo; echo '```'; cut -c1-200 "$LOG"; echo '```'; } | tee -a "$RESULTS"
if ! grep -q '^ok *cuda:0' "$LOG"; then
  say ""
  say "- FAILED: no CUDA device can be used; everything else is skipped"
  FAILED=$((FAILED + 1))
  finish
fi

say ""
say "## What agrees"
say ""
for group in maps reductions scans orders indexing products convolutions rows training; do
  step "$group as on the CPU" 60 "${RUN[@]}" tests/cuda/cases.ts "$group"
done
for model in mlp_classifier lenet5 resnet_small; do
  step "$model reproduces PyTorch's losses" 60 "${RUN[@]}" tests/models/run.ts "$model" cuda
done
CORES=$(nproc)
step "PyTorch's recorded results are replayed; the table below says what agrees" 200 "${RUN[@]}" tests/conformance/run.ts \
  tests/golden/conformance --device cuda --quiet --processes $((CORES > 8 ? 8 : CORES))
echo >>"$RESULTS"
sed 's/^/    /' "$LOG" | cut -c1-300 | tee -a "$RESULTS"

say ""
say "## Times"
say ""
LEFT=$((MOST - (SECONDS - START)))
if ((LEFT > 40)); then
  # shellcheck disable=SC2086 # several arguments
  step "benches" "$LEFT" "${RUN[@]}" bench/cuda.ts --budget $((LEFT - 30)) --write "$RESULTS" ${BENCH_ARGS:-}
  tail -n 30 "$LOG"
else
  say "- skipped: benches (no time left)"
fi
finish
