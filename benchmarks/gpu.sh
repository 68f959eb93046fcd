#!/usr/bin/env bash
# Checks and measurements on a CUDA device, within ten minutes, one part after the other.
#
#   benchmarks/gpu.sh                          every part
#   benchmarks/gpu.sh cuda-tests planning      these parts
#   benchmarks/gpu.sh --quick                  tiny sizes; runs without a GPU, to test the script
#
# A finished part leaves its log and a stamp in the folder OUT; a later run skips it.  A part that fails, or
# exceeds its limit, does not stop the others.  The script closes with the exit code of each part, and itself
# exits with 1 if a part failed or did not start.
#
#   PYTHON     interpreter with the dependencies of pyproject.toml's extra "dev" (default: .venv/bin/python)
#   OUT        folder of logs, tables and stamps (default: runs/gpu, with --quick runs/gpu-quick)
#   BUDGET_S   seconds for all parts; later parts do not start (default: 580, with --quick 1500)
set -uo pipefail
cd "$(dirname "$0")/.."

QUICK=0
CHOSEN=()
for argument in "$@"; do
    case $argument in
        --quick) QUICK=1 ;;
        -*) echo "Unknown option $argument. Use --quick, or names of parts." >&2; exit 2 ;;
        *) CHOSEN+=("$argument") ;;
    esac
done

if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    [ -x .venv/bin/python ] && PYTHON=.venv/bin/python
fi
if [ "$QUICK" = 1 ]; then
    OUT=${OUT:-runs/gpu-quick} BUDGET_S=${BUDGET_S:-1500} # a busy machine is slow
else
    OUT=${OUT:-runs/gpu} BUDGET_S=${BUDGET_S:-580}
fi
mkdir -p "$OUT" || exit 1
OUT=$(cd "$OUT" && pwd)
# The library of this checkout, also where only its dependencies are installed.
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

if [ "$QUICK" = 1 ]; then
    export RLPRIORS_SECOND_DEVICE=1 # where there is no GPU
    DEVICE=cpu
    TESTS=(tests/networks/test_denoisers.py)
    ENCODE=(--groups backends --sizes 32 --n-envs 2 --rounds 1 --frames noise --no-compile --no-memory)
    PLANNING=(--denoisers mlp --n-envs 1 --n-steps 2 --rounds 1)
    TRAINING=(--updates 1 --batch-size 4 --denoiser mlp)
    LIMIT=240
else
    DEVICE=cuda
    mapfile -t TESTS < <(grep -rl 'mark\.cuda' tests --include='test_*.py')
    ENCODE=(--groups backends wrapper --frames noise --amp bf16 --no-compile)
    PLANNING=()
    TRAINING=(--updates 200)
    LIMIT=0
fi

PARTS=()
declare -A CODE SECONDS_OF

# part NAME LIMIT COMMAND...   run one part unless it is finished, for at most LIMIT seconds
part() {
    local name=$1 limit=$2 start=$SECONDS left
    shift 2
    if [ ${#CHOSEN[@]} -gt 0 ] && [[ " ${CHOSEN[*]} " != *" $name "* ]]; then return; fi
    PARTS+=("$name")
    if [ "$(cat "$OUT/$name.done" 2>/dev/null)" = "$*" ]; then
        CODE[$name]=0 SECONDS_OF[$name]="finished earlier"
        return
    fi
    rm -f "$OUT/$name.done"
    left=$((BUDGET_S - SECONDS))
    if [ "$left" -lt 10 ]; then
        CODE[$name]="-" SECONDS_OF[$name]="not started: no time left"
        return
    fi
    [ "$limit" -lt "$LIMIT" ] && limit=$LIMIT
    [ "$limit" -gt "$left" ] && limit=$left
    echo "== $name (at most $limit s): $*"
    timeout -k 5 "$limit" "$@" >"$OUT/$name.log" 2>&1
    CODE[$name]=$?
    SECONDS_OF[$name]="$((SECONDS - start)) s"
    [ "${CODE[$name]}" = 0 ] && echo "$*" >"$OUT/$name.done"
    tail -n 15 "$OUT/$name.log"
}

part device 60 "$PYTHON" -c "import torch; print(torch.__version__, torch.ones(1, device='$DEVICE').device); \
print(torch.cuda.get_device_name() if '$DEVICE' == 'cuda' else 'without a GPU')"
part cuda-tests 260 "$PYTHON" -m pytest -q -m "cuda and not slow" "${TESTS[@]}"
for kind in representation prior reward policy; do
    part "bf16-$kind" 60 "$PYTHON" -m benchmarks.speed.half_precision "$kind" --device "$DEVICE" \
        --csv "$OUT/bf16-$kind.csv" "${TRAINING[@]}"
done
part planning 90 "$PYTHON" -m benchmarks.speed.planning --device "$DEVICE" --csv "$OUT/planning.csv" \
    ${PLANNING[@]+"${PLANNING[@]}"}
part encode 120 "$PYTHON" -m benchmarks.speed.encode --device "$DEVICE" --csv "$OUT/encode.csv" "${ENCODE[@]}"
if [ "$QUICK" = 0 ]; then # it needs a compiler
    part encode-compiled 150 "$PYTHON" -m benchmarks.speed.encode --device "$DEVICE" --groups backends --frames noise \
        --amp bf16 --csv "$OUT/encode-compiled.csv" --sizes 84 --n-envs 16
fi

if [ ${#PARTS[@]} -eq 0 ]; then
    echo "No part is named ${CHOSEN[*]}." >&2
    exit 2
fi
failed=0
{
    printf '%-20s %5s  %s\n' part code time
    for name in "${PARTS[@]}"; do
        printf '%-20s %5s  %s\n' "$name" "${CODE[$name]}" "${SECONDS_OF[$name]}"
    done
} | tee "$OUT/summary.txt"
for name in "${PARTS[@]}"; do
    [ "${CODE[$name]}" = 0 ] || failed=1
done
exit "$failed"
