"""Guidance and samplers of the diffusion package, against distributions that are known.

`gaussians`  Gaussian windows with their exact denoiser and guided mean
`guidance`   command that measures how far guidance moves samples
`mixture`    points of a mixture of Gaussians with their exact denoiser
`samplers`   command that measures spread, distance and time of the samplers
"""
