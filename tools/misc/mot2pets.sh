#!/usr/bin/env bash
# Train on MOT17 and TUD, search PETS: the whole chain for one seed.
set -euo pipefail
PYTHON=${1:-python}
SEED=${2:-0}
CONFIG=configs/clsa/clsa_mbv2_mot2pets.py
WORK=work_dirs/mot2pets/seed_$SEED
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

"$PYTHON" tools/train.py "$CONFIG" --work-dir "$WORK" --cfg-options "randomness.seed=$SEED"
CHECKPOINT=$(cat "$WORK/last_checkpoint")
echo "== detected boxes"
"$PYTHON" tools/test.py "$CONFIG" "$CHECKPOINT" --work-dir "$WORK" \
    --json "$WORK/search.json" --out "$WORK/predictions.npz" --show-dir "$WORK/ranked"
echo "== ground-truth boxes"
"$PYTHON" tools/test.py "$CONFIG" "$CHECKPOINT" --work-dir "$WORK" --gt-boxes --json "$WORK/search_gt_boxes.json"
