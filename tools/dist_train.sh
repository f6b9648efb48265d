#!/usr/bin/env bash
# Train in several processes, one for each GPU; over gloo where there is none.
# On many nodes call it on each, with NNODES, NODE_RANK and MASTER_ADDR set (and PORT, the same
# on all): docs/clusters.md.
set -euo pipefail

if [ "$#" -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [options of train.py]" >&2
    exit 2
fi
CONFIG=$1 GPUS=$2
shift 2
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$TOOLS/misc/dist.sh"

start_processes "$TOOLS/train.py" "$CONFIG" --launcher pytorch "$@"
