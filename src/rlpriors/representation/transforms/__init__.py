"""Image transforms that turn a clip of frames into the views of a recipe.

The package covers pixels and token indices.  It does not encode images and does not know losses.

`augmentations`  random image augmentations by name
`jigsaw`         permuted tiles of an image
`masks`          random and block masks over tokens
`views`          views of a clip, in pixels
"""
