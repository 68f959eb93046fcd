"""Readouts: from an encoder's features to one vector per frame.

The package pools `Features`, selects image views such as crops, and transforms and fuses the
vectors.  It does not know which network computed the features.

`registry`         readouts by name and the parser of specifications such as "mean>pca(64)"
`base`             base class of readouts
`validation`       checks of readout arguments
`pooling`          pooling readouts without weights
`lines`            maxima over rows and columns
`attention_pool`   trainable readouts
`multi_view`       base class of readouts with several views per frame
`crops`            readouts of crops
`motion`           motion measures, motion masks and a readout of them
`optical_flow`     optical flow by pyramidal Lucas-Kanade
`transform_base`   base class of transforms of vectors
`transforms`       PCA, whitening and standardization of vectors; all transforms by name
`projections`      random projections of vectors
`frame_fusion`     fusion of the encodings of consecutive frames
"""
