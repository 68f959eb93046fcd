"""Photographs as stores of frames, with masks where a data set has them.

Data sets are read from folders on this machine; nothing is downloaded.

`image_folder`  images of any size as frames of one size, with masks
`coco`          splits of COCO by the animals that an image shows
`oxford_pets`   the Oxford-IIIT pets with trimaps
"""
