"""Second device of PyTorch that lives in CPU memory, for tests marked `cuda` on machines without a GPU.

Its operations run on the CPU.  Mixing its tensors with those of the CPU raises what CUDA raises, and so a
test finds a tensor on the wrong device.  PyTorch calls the interface experimental
(`torch.utils.backend_registration`); version 2.13 was tested.

`NAME`                 name of the device
`SecondTensor`         class of its tensors
`register`             make the device known to PyTorch
`CANNOT_RUN`           tests marked `cuda` that it cannot run, with the reasons
"""

from second_device.cannot_run import CANNOT_RUN
from second_device.registration import register
from second_device.tensor import NAME, SecondTensor

__all__ = ["CANNOT_RUN", "NAME", "SecondTensor", "register"]
