"""Backbones: pretrained networks by source, and the files of their weights.

The package builds networks untrained or from weights of timm, Hugging Face, torch.hub, checkpoint
files and saved encoders.  It does not know preprocessing of frames or readouts.

`base`               base class of backbones
`native`             networks of this library
`timm`               networks of timm
`timm_spec`          specifications of timm networks
`huggingface`        networks of Hugging Face transformers
`huggingface_config` configurations of transformers networks
`huggingface_spec`   specifications of Hugging Face models
`torchhub`           networks of torch.hub repositories
`checkpoint_files`   networks whose authors published a checkpoint file
`bundled`            encoders bundled with the library
`model_zoo`          specifications of encoders with a short name
`weights`            download, reading and strict loading of weights
`hub`                single files of a Hugging Face model
`license`            checks of the license of weights
`blocks`             blocks of a network, and layer-wise learning rates
`torchvision_shim`   import of a CUDA build of torchvision next to a CPU build of torch
"""
