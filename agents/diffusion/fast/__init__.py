"""Fast policies of action chunks: one-step flows, and small policies distilled from planners.

The package covers policies that need one pass of a small network for a decision, and their training.

`chunk_policy`   base class of policies that execute action chunks
`distill`        a planner's small policy, in one call
`distillation`   training of the small policy on recorded plans
`fast_planner`   policy that proposes chunks in one step and executes the best by a learned value
`files`          files of flow policies
`flow_cloning`   training of flow policies on demonstrations
`flow_policy`    policy that samples action chunks from a flow
`plans`          plans of a teacher, recorded from many states
"""
