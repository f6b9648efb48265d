#!/usr/bin/env bash
# Compile and install onedl-mmcv: with a compiler for each core, and PyTorch's headers, which are
# four fifths of the work, read once. MAX_JOBS and CFLAGS from outside come first.
set -euo pipefail

if [ "$#" -lt 2 ]; then
    echo "usage: $0 PYTHON PIP_ARGUMENT..." >&2
    exit 2
fi
PYTHON=$1
shift

# PyTorch compiles one file after the other if it does not find ninja, which lies beside Python.
export PATH="$(cd "$(dirname "$PYTHON")" && pwd):$PATH"

# The largest file takes 2 GiB of memory.
# nproc would take the threads that a program may have for the cores there are.
CORES=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
FITTING=$(awk '/MemAvailable/ {print int($2 / 2097152)}' /proc/meminfo)
# A container may have less than its machine.
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    LIMIT=$(cat "$file" 2> /dev/null || echo max)
    [ "$LIMIT" = max ] || FITTING=$((LIMIT >> 31 < FITTING ? LIMIT >> 31 : FITTING))
done
MOST=$((FITTING < CORES ? FITTING : CORES))
export MAX_JOBS=${MAX_JOBS:-$((MOST > 1 ? MOST : 1))}

# CFLAGS take the place of Python's own, optimisation included.
export CFLAGS="-O2 -g0 -DNDEBUG ${CFLAGS:-}"
HEADERS=$(mktemp -d)
trap 'rm -rf "$HEADERS"' EXIT
echo '#include <torch/types.h>' > "$HEADERS/torch_types.h"
INCLUDES=$("$PYTHON" -c 'from torch.utils.cpp_extension import include_paths as paths
print(" ".join(f"-I{path}" for path in paths()))')
# With the flags of the build, or the compiler passes the result by and reads the header itself.
# shellcheck disable=SC2086
if ${CXX:-c++} $CFLAGS -fPIC -std=c++17 -w $INCLUDES -DTORCH_API_INCLUDE_EXTENSION_H \
    -DTORCH_EXTENSION_NAME=_ext -x c++-header "$HEADERS/torch_types.h" -o "$HEADERS/torch_types.h.gch"
then
    CFLAGS="$CFLAGS -include $HEADERS/torch_types.h"
fi

echo "Compiling onedl-mmcv, $MAX_JOBS files at a time." >&2
"$PYTHON" -m pip install "$@" --no-build-isolation onedl-mmcv
