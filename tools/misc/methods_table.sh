#!/usr/bin/env bash
# Methods side by side on hard synthetic scenes, each trained with the same budget and three seeds:
# the table of docs/methods.md. The first argument is the Python that has mmclsa, the second the
# folder for everything, the rest are options of compare_methods.py. What is finished is not done
# again, so a run that was stopped is started again in the same way; and as many may work on one
# folder as there are cores.
set -euo pipefail

if [ "$#" -lt 2 ]; then
    echo "usage: $0 PYTHON OUT [options of compare_methods.py]" >&2
    exit 2
fi
PYTHON=$1 OUT=$2
shift 2
SEEDS=(${SEEDS:-0 1 2})
EPOCHS=${EPOCHS:-8}
BED=synthetic-hard
OIM=configs/oim/oim_faster-rcnn-narrow_1xb4-4e_$BED.py
NAE=configs/nae/nae_faster-rcnn-narrow_1xb4-4e_$BED.py
SEQNET=configs/seqnet/seqnet_faster-rcnn-narrow_1xb4-4e_$BED.py
CLSA=configs/clsa/clsa_faster-rcnn-narrow_1xb4-4e_$BED.py
CLSA_SEQNET=configs/clsa/clsa-seqnet_faster-rcnn-narrow_1xb4-4e_$BED.py
DETECTOR=configs/detectors/faster-rcnn-narrow_1xb4-4e_$BED.py
REID=configs/clsa/clsa-reid_r18-narrow_1xb32-4e_$BED-people.py
TWOSTEP=configs/clsa/clsa-twostep_faster-rcnn-narrow_r18_1xb32-4e_$BED.py
METHODS=(oim=$OIM nae=$NAE seqnet=$SEQNET clsa-seqnet=$CLSA_SEQNET clsa=$CLSA)
TRAINED=("${METHODS[@]}" detector=$DETECTOR reid=$REID)

# train HOW NAME=CONFIG SEED: train, unless that is done, or another process is at it. HOW is what
# flock does then: --nonblock to leave it to that one, --wait 86400 to wait for it.
train() {
    local folder=$OUT/${2%%=*}/seed_$3
    mkdir -p "$folder"
    (
        # shellcheck disable=SC2086
        flock $1 9 || exit 0
        [ -f "$folder/finished" ] && exit 0
        echo "$folder"
        "$PYTHON" tools/train.py "${2#*=}" --work-dir "$folder" --resume auto --cfg-options \
            randomness.seed="$3" max_epochs="$EPOCHS" val_cfg=None val_dataloader=None val_evaluator=None \
            >>"$folder/log.txt" 2>&1 || {
            echo "error: the training failed, see $folder/log.txt" >&2
            exit 1
        }
        touch "$folder/finished"
    ) 9>"$folder/lock"
}

for how in --nonblock '--wait 86400'; do
    for seed in "${SEEDS[@]}"; do
        for method in "${TRAINED[@]}"; do
            train "$how" "$method" "$seed"
        done
    done
done

folders() {
    for seed in "${SEEDS[@]}"; do echo "$OUT/$1/seed_$seed"; done
}

ROWS=()
for method in "${METHODS[@]}"; do
    name=${method%%=*}
    mapfile -t runs < <(folders "$name")
    ROWS+=(--method "$name" "${runs[@]}")
done
# SeqNet's own way to search, with the people around the query.
mapfile -t runs < <(folders seqnet)
ROWS+=(--method seqnet-cbgm "${runs[@]}")

exec 9>"$OUT/lock"
flock 9
joined=()
for seed in "${SEEDS[@]}"; do
    file=$OUT/clsa-twostep/seed_$seed.pth
    mkdir -p "$(dirname "$file")"
    [ -f "$file" ] || "$PYTHON" tools/model_converters/join.py \
        "$(cat "$OUT/detector/seed_$seed/last_checkpoint")" \
        "$(cat "$OUT/reid/seed_$seed/last_checkpoint")" --config "$TWOSTEP" --out "$file"
    joined+=("$file")
done
ROWS+=(--method clsa-twostep "$TWOSTEP" "${joined[@]}")

# A quarter of the drawn people in each bin of heights.
"$PYTHON" tools/analysis_tools/compare_methods.py "${ROWS[@]}" --out "$OUT" \
    --height-edges 36 56 85 --method-options seqnet-cbgm test_evaluator.cbgm=True "$@"
