"""Command `rlpriors imitate`: a policy from demonstrations as frames.

The command trains an encoder and a policy by behavior cloning or GAIL, and evaluates the policy.

`settings`  settings and help of the command
`methods`   representation training, cloning, GAIL and evaluation
`run`       the command
"""
