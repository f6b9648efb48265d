"""The process that measures the memory of one model; compare_methods.py starts it."""

import sys

from mmclsa.engine.methods.peak import main
from mmclsa.utils.cli import run_tool

if __name__ == '__main__':
    run_tool(lambda: main(sys.argv[1:]))
