#!/usr/bin/env bash
# Test in several processes, one for each GPU; over gloo where there is none.
# On many nodes call it on each, with NNODES, NODE_RANK and MASTER_ADDR set (and PORT, the same
# on all): docs/clusters.md.
set -euo pipefail

if [ "$#" -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [options of test.py]" >&2
    exit 2
fi
CONFIG=$1 CHECKPOINT=$2 GPUS=$3
shift 3
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$TOOLS/misc/dist.sh"
[ "$CHECKPOINT" = none ] || require_file "$CHECKPOINT"

start_processes "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "$@"
