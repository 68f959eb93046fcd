"""Images of an environment's observations: their place, axes and range.

image_spaces          image leaves of observation spaces
image_leaf            `ImageLeaf`: one image of an observation, and its frames with ordered axes
image_layout          layouts of images: letters of the axes, detection, merged axes
pixel_range           `PixelRange`: range of the pixels as the space declares it
observation_tree      nested Dict and Tuple spaces, and the observations in them
previous_frames       `PreviousFrames`: frames one step earlier, for readouts of motion
frame_stack_wrappers  frame stacks that an environment's own wrappers make
"""

from rlpriors.wrappers.images.image_leaf import ImageLeaf
from rlpriors.wrappers.images.image_spaces import find_images, image_names

__all__ = ["ImageLeaf", "find_images", "image_names"]
