#!/usr/bin/env bash
# A GPU for some minutes, on a machine that may have no network (docs/guides/gpu-in-ten-minutes.md):
#
#   scripts/gpu_session.sh fetch               here: what that machine's Python lacks, and this commit's name, into .whl/
#   scripts/gpu_session.sh run SECONDS OUT     there, with .whl/ beside the checkout; again to go on
#   .venv/bin/python -m bench.cli take OUT/results.tgz     here again: the records among the published ones
#
# Variables: PYTHON (default python3), GPU_PYTHON (version there, default 3.12), BACKENDS (for example torch,jax; default: what is installed),
# BENCH_MEMORY_BYTES (where the memory that the machine shows grows while it is used).
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

fetch() {
  rm -rf .whl
  "$PYTHON" -m pip download --quiet --no-deps --only-binary=:all: --python-version "${GPU_PYTHON:-3.12}" --implementation cp \
    $(printf -- '--platform manylinux_2_%s_x86_64 ' 17 24 27 28 31 34) --platform manylinux2014_x86_64 \
    --platform manylinux1_x86_64 --require-hashes -r requirements/gpu-session.txt -d .whl
  "$PYTHON" -m bench.cli commit > .whl/commit
  ls -l .whl
}

run() {
  local seconds=$1 out=$2 site=${TMPDIR:-/tmp}/gpu-session-site
  mkdir -p "$out"
  export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
  if [ -f .whl/commit ] && [ -z "${BENCH_COMMIT:-}" ]; then
    BENCH_COMMIT=$(cat .whl/commit)
    export BENCH_COMMIT
  fi
  if [ ! -f "$site/.ready" ]; then
    rm -rf "$site" && mkdir -p "$site"
    if ls .whl/*.whl >/dev/null 2>&1; then
      "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$site" .whl/*.whl
    fi
    # Once, or the first cell pays for it: a package without byte code takes half a minute to import.
    "$PYTHON" -m compileall -q -j 0 "$site" bench
    nvidia-smi -q > "$out/smi.txt" 2>&1 || echo "nvidia-smi: exit code $?" >> "$out/smi.txt"
    "$PYTHON" -m pip list > "$out/pip.txt" 2>&1
    touch "$site/.ready"
  fi
  # What an earlier machine of this session brought home.
  [ ! -f .whl/results.tgz ] || "$PYTHON" -m bench.cli take .whl/results.tgz --results bench/results/local
  "$PYTHON" -m bench.cli gpu-day --time-budget "$((seconds - SECONDS))s" --out "$out" \
    ${BACKENDS:+--backend "$BACKENDS"} "${@:3}" 2>&1 | tee -a "$out/log.txt"
}

case "${1:-}" in
  fetch) fetch ;;
  run) shift && [ $# -ge 2 ] || { echo "usage: scripts/gpu_session.sh run SECONDS OUT [OPTION of gpu-day ...]" >&2; exit 2; }
    run "$@" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
