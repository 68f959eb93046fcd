"""Networks and buffers that several methods share.

The package covers the parts of a recipe other than the encoder.  They read `Features` and `EncodedBatch`
and do not know which loss is computed from their outputs.

`decoders`      from a vector or tokens to pixels
`memory_banks`  queues, neighbor banks and moving centers
`predictors`    bilinear heads, action heads and latent differences
`projectors`    multilayer perceptrons behind the encoder's vector
`transformers`  sequence transformers and query decoders
"""
