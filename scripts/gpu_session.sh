#!/usr/bin/env bash
# A GPU for some minutes, on a machine that may have no network (docs/guides/gpu-in-ten-minutes.md):
#
#   scripts/gpu_session.sh fetch               here: what that machine's Python may lack, and this commit's name, into .whl/;
#                                              with --have FILE, its `pip list`, only what it does lack
#   scripts/gpu_session.sh run SECONDS OUT     there, with .whl/ in the copy of this folder; again to go on
#   .venv/bin/python -m bench.cli take OUT/results.tgz     here again: the records among the published ones
#
# Variables: PYTHON (default .venv/bin/python where there is one, else python3), GPU_PYTHON (version there, default 3.12),
# BACKENDS (for example torch,jax; default: the first two installed), BENCH_MEMORY_BYTES (where the memory that the
# machine shows grows while it is used). Exit codes of run: 0 all ok, 1 a cell failed, 2 wrong usage, 9 not on the GPU.
set -euo pipefail
from=$PWD
cd "$(dirname "$0")/.."
if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  [ ! -x .venv/bin/python ] || PYTHON=.venv/bin/python
fi

usage() {
  sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

# Wheels of distributions that this Python lacks.
missing() {
  "$PYTHON" - .whl/*.whl <<'END'
import importlib.metadata, sys
for wheel in sys.argv[1:]:
    name = wheel.rpartition("/")[2].split("-")[0].replace("_", "-")
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        print(wheel)
END
}

install() {
  local site=$1 wheels=()
  rm -rf "$site"
  mkdir -p "$site"
  if ls .whl/*.whl >/dev/null 2>&1; then
    mapfile -t wheels < <(missing)
  fi
  if [ "${#wheels[@]}" -gt 0 ]; then
    "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$site" "${wheels[@]}"
  fi
  # Once, or the first cell pays for it: a package without byte code takes half a minute to import.
  "$PYTHON" -m compileall -q -j 0 "$site" bench
}

# Everything that measuring imports, before any of the time is spent.
check() {
  "$PYTHON" - <<'END'
import importlib.util, sys
names = "absl cpuinfo h5py keras msgspec namex numpy optree packaging psutil rich scipy sklearn typer"
lacking = [name for name in names.split() if importlib.util.find_spec(name) is None]
if lacking:
    sys.exit(f"this Python lacks {', '.join(lacking)}: run `scripts/gpu_session.sh fetch` where there is a network, with "
             "GPU_PYTHON for this version, and put .whl/ here; numpy, scipy and scikit-learn must be on the machine")
END
}

run() {
  local seconds=$1 out=$2 site key
  [[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "SECONDS must be a whole number, got '$seconds'" >&2; exit 2; }
  [[ $out = /* ]] || out=$from/$out
  mkdir -p "$out" || exit 2
  key=$( { ls .whl 2>/dev/null || true; "$PYTHON" --version; } | cksum | cut -d ' ' -f 1)
  site=${TMPDIR:-/tmp}/gpu-session-$key
  export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
  if [ -f .whl/commit ] && [ -z "${BENCH_COMMIT:-}" ]; then
    BENCH_COMMIT=$(cat .whl/commit)
    export BENCH_COMMIT
  fi
  if [ ! -f "$site/.ready" ]; then
    install "$site"
    check || exit 2
    nvidia-smi -q > "$out/smi.txt" 2>&1 || echo "nvidia-smi: exit code $?" >> "$out/smi.txt"
    "$PYTHON" -m pip list > "$out/pip.txt" 2>&1
    touch "$site/.ready"
  fi
  # What an earlier machine of this session brought home.
  [ ! -f .whl/results.tgz ] || "$PYTHON" -m bench.cli take .whl/results.tgz --results bench/results/local
  "$PYTHON" -m bench.cli gpu-day --time-budget "$((seconds - SECONDS))s" --pack "$out" \
    ${BACKENDS:+--backend "$BACKENDS"} "${@:3}" 2>&1 | tee -a "$out/log.txt"
}

case "${1:-}" in
  fetch) exec "$PYTHON" -m bench.cli wheelhouse --python "${GPU_PYTHON:-3.12}" "${@:2}" ;;
  run) [ $# -ge 3 ] || usage; shift; run "$@" ;;
  *) usage ;;
esac
