"""The process of one run; tools/analysis_tools/run_ablation.py starts it."""

import sys

from mmclsa.engine.ablation.run import main
from mmclsa.utils.cli import run_tool

if __name__ == '__main__':
    run_tool(lambda: main(sys.argv[1:]))
