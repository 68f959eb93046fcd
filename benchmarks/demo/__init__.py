"""Success of `rlpriors demo` over seeds.

The demo runs as a user runs it, from the command line.  This package only collects its results.

`run`  command that runs the demo and writes `results/demo.csv`
"""
