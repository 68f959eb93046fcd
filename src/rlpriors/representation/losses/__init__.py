"""Loss functions of representation learning.

The package covers functions from tensors to one number or to one number per row.  They hold no weights
and do not know encoders, views or recipes.

`contrastive`     InfoNCE, with and without a queue of negatives
`likelihood`      Gaussian and categorical likelihoods, conditional entropy bottleneck
`prototypes`      clustering losses of SwAV and DINO
`reconstruction`  pixel, patch and latent errors, KL divergence of a VAE
`redundancy`      variance, covariance and cross-correlation terms
`similarity`      NT-Xent and the negative cosine similarity
"""
