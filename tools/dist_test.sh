#!/usr/bin/env bash
# Test in several processes on this machine, one for each GPU; over gloo where there is none.
set -euo pipefail

if [ "$#" -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [options of test.py]" >&2
    exit 2
fi
CONFIG=$1 CHECKPOINT=$2 GPUS=$3
shift 3
for file in "$CONFIG" "$CHECKPOINT"; do
    # Said here once, and not by every process.
    [ -f "$file" ] || { echo "error: The file $file does not exist." >&2; exit 2; }
done
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python}
# Any free port, so that two runs on one machine do not meet.
PORT=${PORT:-$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

exec "$PYTHON" "$TOOLS/misc/torchrun.py" --nnodes 1 --nproc_per_node "$GPUS" \
    --master_addr 127.0.0.1 --master_port "$PORT" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "$@"
