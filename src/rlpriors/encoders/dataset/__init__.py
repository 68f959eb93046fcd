"""Encoded data sets and the cache of features.

The package encodes frames once, on disk for data sets and in memory for live frames.  It does not know
environments or agents.

`encode`            encoding of whole data sets, resumable
`encoded_dataset`   encoded data sets on disk
`frame_sources`     sources of frames: arrays, `FrameStore` and Minari
`cache`             cache of the features of recent images
`image_hash`        hashes of images
"""
