"""Speed and success of planners, and of the small policies that replace them.

`run`      the command: cells, csv, report
`methods`  planners, distilled policies and clones
`report`   table of the results
"""
