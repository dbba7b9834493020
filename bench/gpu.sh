#!/usr/bin/env bash
# Proves and times the CUDA backend on a card, in ten minutes: builds the shim, says what is there, compares every family of
# kernels with the CPU, replays the models' losses and PyTorch's recorded results, checks WebGPU on the same card, then times
# both beside PyTorch. Needs the working tree, a C compiler, Deno and CUDA's libraries (the system's or pip wheels'); no
# network, no packages. Leaves bench/RESULTS_CUDA.md, row by row as results come, and a copy in $OUT where that is set.
#
#   bench/gpu.sh                    all of it
#   bench/gpu.sh --small            tiny sizes, for the test double (see below): nothing is measured
#   bench/gpu.sh --only times       one part: agree, webgpu or times
#
# Deno: $DENO, `deno` in PATH, ./deno, or .device/deno.xz or .device/deno.gz, unpacked (an ignored folder can be carried to
# a machine without a network: `mkdir -p .device; xz -c "$(readlink -f "$(command -v deno)")" >.device/deno.xz`).
# Vulkan's loader, for WebGPU, where the system has none: Debian's libvulkan1 as .gl/*.deb is unpacked beside.
#
# Without a card: deno run -A tests/support/cuda_double/run.ts bash bench/gpu.sh --small
# RESULTS names another file; MOST the seconds (580).
set -u
cd "$(dirname "$0")/.."
RESULTS=${RESULTS:-bench/RESULTS_CUDA.md}
MOST=${MOST:-580}
START=$SECONDS
SMALL=()
ONLY=""
while [ $# -gt 0 ]; do
  case "$1" in
    --small) SMALL=(--small) ;;
    --only) ONLY=${2:-}; shift ;;
    *) echo "bench/gpu.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
WORK=$(mktemp -d)
FAILED=0
JOBS=$(($(nproc) / 3))
((JOBS < 1)) && JOBS=1
((JOBS > 5)) && JOBS=5

say() { echo "$*" | tee -a "$RESULTS"; }
left() { echo $((MOST - (SECONDS - START))); }
wanted() { [ -z "$ONLY" ] || [ "$ONLY" = "$1" ]; }

# quote FILE LINES: the end of a file as it is.
quote() {
  { echo; echo '```'; tail -n "$2" "$1" | tr -d '\r' | cut -c1-300; echo '```'; echo; } | tee -a "$RESULTS"
}

# report TITLE STATUS SECONDS LOG: a line, and the end of the log where the status is not 0.
report() {
  if (($2 == 0)); then
    say "- ok: $1 ($3 s)"
    return 0
  fi
  FAILED=$((FAILED + 1))
  local why="status $2"
  (($2 == 124 || $2 == 137)) && why="stopped at its time limit"
  say "- FAILED: $1 ($why after $3 s)"
  [ -n "${ROWS_TELL:-}" ] || quote "$4" 12
  return 1
}

# step TITLE SECONDS COMMAND...: runs within its limit and what is left of the whole.
step() {
  local title=$1 limit=$2 began=$SECONDS most status=0
  most=$(left)
  shift 2
  if ((most < 8)); then
    say "- skipped: $title (no time left)"
    return 1
  fi
  timeout -k 5 "$((limit < most ? limit : most))" "$@" >"$WORK/log" 2>&1 || status=$?
  report "$title" "$status" $((SECONDS - began)) "$WORK/log"
}

# agree TITLE COMMAND...: queues a comparison; agreed runs the queue, several at a time, and reports in order.
QUEUE=0
agree() {
  local title=$1
  shift
  echo "$title" >"$WORK/agree.$QUEUE.title"
  printf '%q ' "$@" >"$WORK/agree.$QUEUE.command"
  QUEUE=$((QUEUE + 1))
}
agreed() {
  local i most
  for ((i = 0; i < QUEUE; i++)); do
    while (($(jobs -rp | wc -l) >= JOBS + ${WARMING:-0})); do wait -n 2>/dev/null || sleep 0.2; done
    most=$(left)
    (
      began=$SECONDS status=0
      if ((most < 8)); then status=124; else
        timeout -k 5 "$((most < 120 ? most : 120))" bash -c "$(cat "$WORK/agree.$i.command")" >"$WORK/agree.$i.log" 2>&1 || status=$?
      fi
      echo "$status $((SECONDS - began))" >"$WORK/agree.$i.status"
    ) &
    PENDING[i]=$!
  done
  for ((i = 0; i < QUEUE; i++)); do
    wait "${PENDING[i]}" 2>/dev/null
    read -r status seconds <"$WORK/agree.$i.status" || { status=1 seconds=0; }
    report "$(cat "$WORK/agree.$i.title")" "$status" "$seconds" "$WORK/agree.$i.log"
  done
  QUEUE=0
}

finish() {
  trap - EXIT
  say ""
  say "$FAILED steps failed; $((SECONDS - START)) s in all."
  say ""
  say "Not covered by this script: several devices, streams between them, peer copies and NCCL, and failures that are injected;"
  say "those run over the test double of CUDA's libraries (tests/cuda)."
  [ -n "${DENO_FOUND:-}" ] && "$DENO" fmt -q --no-config --line-width=120 "$RESULTS" >/dev/null 2>&1
  [ -n "${OUT:-}" ] && cp "$RESULTS" "$OUT/"
  [ -n "${WARM:-}" ] && kill "$WARM" 2>/dev/null
  rm -rf "$WORK"
  exit $((FAILED > 0))
}
# Whatever ends it, what was written stays.
trap finish EXIT
trap 'say "- FAILED: stopped from outside"; FAILED=$((FAILED + 1)); exit 1' TERM INT

printf '# CUDA results\n\nWritten by `bench/gpu.sh%s` on %s.\n\n' "${SMALL[0]:+ ${SMALL[0]}}" "$(date -u +%F)" >"$RESULTS"
say "## What runs"
say ""
if command -v nvidia-smi >/dev/null; then
  say "- $(nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader 2>&1 | head -n 1)"
else
  say "- skipped: nvidia-smi is not here"
fi

DENO=${DENO:-$(command -v deno || echo ./deno)}
if ! "$DENO" --version >/dev/null 2>&1; then
  if [ -f .device/deno.xz ]; then xz -dc .device/deno.xz >"$WORK/deno"; elif [ -f .device/deno.gz ]; then gzip -dc .device/deno.gz >"$WORK/deno"; fi
  [ -f "$WORK/deno" ] && chmod +x "$WORK/deno" && DENO="$WORK/deno"
fi
if ! "$DENO" --version >"$WORK/log" 2>&1; then
  say "- FAILED: no Deno: $DENO"
  FAILED=1
  exit 1
fi
DENO_FOUND=1
# Without a network, @std/assert is a file of ours and nothing else is a package.
OFFLINE=(-A --no-check --no-config --no-lock --import-map=bench/offline_imports.json)
RUN=("$DENO" run "${OFFLINE[@]}")
say "- $(head -n 1 "$WORK/log"), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(nproc) cores"

# Where pip put CUDA's libraries.
WHEELS=$(python3 - <<'PY' 2>/dev/null
import glob, site, sys
folders = site.getsitepackages() + [site.getusersitepackages()] + sys.path
print(":".join(dict.fromkeys(f for base in folders if base for f in sorted(glob.glob(base + "/nvidia/*/lib")))))
PY
)
# The driver's library may be in a mount that the system's search does not know.
for folder in /usr/local/nvidia/lib64 /usr/local/nvidia/lib; do [ -d "$folder" ] && WHEELS="$WHEELS:$folder"; done
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$WHEELS"
export XDG_CACHE_HOME="${XDG_CACHE_HOME:-$WORK/cache}" TORCHINDUCTOR_CACHE_DIR="$WORK/inductor" NO_COLOR=1
# Vulkan's loader and the driver's file, for WebGPU.
if ls .gl/*.deb >/dev/null 2>&1; then
  for package in .gl/*.deb; do dpkg -x "$package" "$WORK/gl"; done
  export LD_LIBRARY_PATH="$LD_LIBRARY_PATH:$WORK/gl/usr/lib/x86_64-linux-gnu"
fi
ICD=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
[ -f "$ICD" ] && export VK_DRIVER_FILES="${VK_DRIVER_FILES:-$ICD}"

if [ ${#SMALL[@]} -eq 0 ] || [ -z "${CRESSET_CUDA_LIBRARY:-}" ]; then
  step "the CUDA shim builds" 60 "${RUN[@]}" native/build_cuda.ts || exit 1
fi
"${RUN[@]}" ffi/doctor.ts >"$WORK/log" 2>/dev/null
quote "$WORK/log" 40
if ! grep -q '^ok *cuda:0' "$WORK/log"; then
  say ""
  say "- FAILED: no CUDA device can be used; everything else is skipped"
  FAILED=$((FAILED + 1))
  exit 1
fi
grep -q '^ok *WebGPU' "$WORK/log" && ! grep -q '^ok *WebGPU.*software' "$WORK/log" && HARDWARE_WEBGPU=1

# torch.compile fills its cache beside the comparisons, where nothing is timed.
if wanted times && [ ${#SMALL[@]} -eq 0 ]; then
  timeout 240 python3 bench/cuda_torch.py --warm "GPT-2 124M training, bfloat16, torch.compile" >/dev/null 2>&1 &
  WARM=$! WARMING=1
fi

say ""
say "## What agrees"
say ""
if wanted agree; then
  for group in maps vectors transposes reductions scans orders indexing products convolutions rows attention decompositions training; do
    agree "$group as on the CPU" "${RUN[@]}" tests/cuda/cases.ts "$group"
  done
  for group in values graphs resnet; do
    agree "convolutions in both memory formats: $group" "${RUN[@]}" tests/cuda/convolution_cases.ts "$group"
  done
  # The other groups of this file want two devices.
  for group in graphs randomness callables; do
    agree "run time: $group" "${RUN[@]}" tests/cuda/runtime.ts "$group"
  done
  agree "linear layers with epilogues" "${RUN[@]}" tests/cuda/linear.ts library
  agree "mixed precision" "${RUN[@]}" tests/cuda/mixed.ts
  agree "float8" "${RUN[@]}" tests/cuda/float8.ts
  for model in mlp_classifier lenet5 resnet_small; do
    agree "$model reproduces PyTorch's losses" "${RUN[@]}" tests/models/run.ts "$model" cuda
  done
  agreed
  PROCESSES=$(($(nproc) / 2))
  step "PyTorch's recorded results are replayed; the lines below say what agrees" 200 "${RUN[@]}" tests/conformance/run.ts \
    tests/golden/conformance --device cuda --quiet --strict --timeout 120 --processes "$((PROCESSES < 2 ? 2 : PROCESSES))"
  quote "$WORK/log" 40
fi
say ""

if wanted webgpu; then
  say "## WebGPU"
  say ""
  if [ -z "${HARDWARE_WEBGPU:-}" ]; then
    say "- skipped: no adapter but software; the head of bench/gpu.sh says how to bring Vulkan's loader"
  else
    # --quiet would hide which test failed.
    step "WebGPU's tests on this card" 150 "$DENO" test "${OFFLINE[@]}" tests/webgpu
    say "- $(grep -E '^(ok|FAILED) \|' "$WORK/log" | tail -n 1)"
    step "WebGPU's benches" 60 "${RUN[@]}" bench/webgpu.ts --rounds 5
    quote "$WORK/log" 40
  fi
  say ""
fi

if wanted times; then
  say "## Times"
  [ -n "${WARM:-}" ] && wait "$WARM" 2>/dev/null
  WARM=""
  declare -A LIMIT=([language]=150 [eager]=30 [bandwidth]=90 [products]=45 [attention]=60 [images]=90 [steady]=30)
  for group in language eager bandwidth products images attention steady; do
    most=$(left)
    limit=${LIMIT[$group]}
    ((limit > most - 5)) && limit=$((most - 5))
    say ""
    if ((limit < 12)); then
      say "- skipped: $group (no time left)"
      continue
    fi
    # Rows go straight into the results, failures among them; only how it ended is said here.
    ROWS_TELL=1 step "$group" "$limit" "${RUN[@]}" bench/cuda.ts --group "$group" --budget "$((limit - 8))" --write "$RESULTS" "${SMALL[@]}"
    tail -n 40 "$WORK/log"
  done
fi
exit
