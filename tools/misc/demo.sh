#!/usr/bin/env bash
# Train on synthetic scenes, test, and draw: the whole chain without any download.
set -euo pipefail
PYTHON=${1:-python}
CONFIG=configs/clsa/clsa_tiny_synthetic.py
WORK=work_dirs/demo
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

# An untrained detector finds nobody; only with ground-truth boxes is there something to compare.
echo "== the untrained model, on ground-truth boxes"
"$PYTHON" tools/test.py "$CONFIG" --gt-boxes --work-dir "$WORK/untrained" \
    --json "$WORK/untrained.json"
echo "== training"
"$PYTHON" tools/train.py "$CONFIG" --work-dir "$WORK"
echo "== the trained model"
"$PYTHON" tools/test.py "$CONFIG" "$(cat "$WORK/last_checkpoint")" --work-dir "$WORK" \
    --json "$WORK/search.json" --out "$WORK/predictions.npz" --show-dir "$WORK/ranked"
"$PYTHON" tools/analysis_tools/plot_curves.py "$WORK" --out "$WORK/curves.png"
echo "Figures: $WORK/search.json; ranked results: $WORK/ranked/; curves: $WORK/curves.png"
