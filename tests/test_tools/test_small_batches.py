from __future__ import annotations


def test_table(run_tool_here):
    out = run_tool_here('tools/analysis_tools/small_batches.py', '--people', 1, 20, '--draws', 5)
    first, last = [line.split('|')[1:4] for line in out.splitlines()[3:5]]
    assert float(first[1]) < 0.3
    assert float(first[2]) < 0.1
    assert float(last[1]) > 0.9
    assert float(last[2]) > 0.95
