"""Segmentation of frames by heads over an encoder's feature maps.

`segmenter`  encoder and head in one module
`training`   training with a frozen or a fine-tuned encoder
`metrics`    intersection over union and pixel accuracy
`plots`      pictures of masks
"""
