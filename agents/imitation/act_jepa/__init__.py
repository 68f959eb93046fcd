"""ACT-JEPA: action chunks together with latent predictions of the next observations.

`files`     saving and loading of policies
`networks`  encoder, action decoder and predictor
`policy`    policy that executes chunks
`settings`  settings of chunks, losses and networks
`training`  offline algorithm, with a first stage on observations without actions
"""
