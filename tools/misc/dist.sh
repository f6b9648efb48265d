# What dist_train.sh and dist_test.sh share; they set CONFIG, GPUS and TOOLS.

require_file() {
    # Said here once, not by every process. An address is theirs to fetch.
    [[ "$1" == *://* || -f "$1" ]] || { echo "error: the file $1 does not exist" >&2; exit 2; }
}

free_port() {
    # torchrun takes it seconds later: none that the system gives to others meanwhile (32768 on).
    "$PYTHON" -c '
import random, socket
while True:
    port = random.randrange(20000, 32768)
    try:
        socket.socket().bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break'
}

start_processes() {
    if ! [[ "$NNODES" =~ ^[1-9][0-9]*$ ]]; then
        echo "error: NNODES must be a number from 1 up, but is $NNODES" >&2
        exit 2
    fi
    if [ "$NNODES" -gt 1 ] && [ -z "${MASTER_ADDR:-}" ]; then
        echo "error: NNODES is $NNODES: set MASTER_ADDR to the address of node 0, the same on all" >&2
        exit 2
    fi
    # Any free port, so that two runs on one machine do not meet; many nodes must agree on one.
    if [ "$NNODES" -gt 1 ]; then
        PORT=${PORT:-29500}
    else
        PORT=${PORT:-$(free_port)}
    fi
    exec "$PYTHON" "$TOOLS/misc/torchrun.py" --nnodes "$NNODES" --node_rank "$NODE_RANK" \
        --nproc_per_node "$GPUS" --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "$PORT" "$@"
}

PYTHON=${PYTHON:-python}
NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
require_file "$CONFIG"
