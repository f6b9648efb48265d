#!/usr/bin/env bash
# Train on MOT17 and TUD, search PETS: the whole chain for one seed, and the untrained model beside it.
set -euo pipefail
PYTHON=${1:-python}
SEED=${2:-0}
CONFIG=configs/clsa/clsa_mbv2_mot2pets.py
ROOT=work_dirs/mot2pets
WORK=$ROOT/seed_$SEED
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

# The checkpoint may be left out: then the model is tested as it is initialised.
search() { # FOLDER CHECKPOINT...
    local folder=$1
    shift
    echo "== $folder: detected boxes"
    "$PYTHON" tools/test.py "$CONFIG" "$@" --work-dir "$folder" --json "$folder/search.json" \
        --out "$folder/predictions.npz" --show-dir "$folder/ranked"
    echo "== $folder: ground-truth boxes"
    "$PYTHON" tools/test.py "$CONFIG" "$@" --work-dir "$folder" --gt-boxes \
        --json "$folder/search_gt_boxes.json"
}

[ -f "$ROOT/untrained/search_gt_boxes.json" ] || search "$ROOT/untrained"
"$PYTHON" tools/train.py "$CONFIG" --work-dir "$WORK" --cfg-options "randomness.seed=$SEED"
search "$WORK" "$(cat "$WORK/last_checkpoint")"
"$PYTHON" tools/analysis_tools/summarize_runs.py \
    "untrained, detected boxes=$ROOT/untrained/search.json" \
    "untrained, ground truth=$ROOT/untrained/search_gt_boxes.json" \
    "trained, detected boxes=$ROOT/seed_*/search.json" \
    "trained, ground truth=$ROOT/seed_*/search_gt_boxes.json"
