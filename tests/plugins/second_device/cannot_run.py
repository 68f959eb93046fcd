"""Tests marked `cuda` that the second device cannot run, each with its reason."""

__all__ = ["CANNOT_RUN"]

CANNOT_RUN = {
    "tests/test_device.py::test_a_tensor_lands_where_it_says": "`auto` never selects the second device",
    "tests/test_device.py::test_cuda_in_a_forked_process_is_refused": "it needs the runtime of CUDA",
}
"""Reasons by the name of a test, without its parameters.

Features without a counterpart on the second device: capture of graphs, pinned memory, statistics of memory,
streams, NCCL, kernels that CUDA alone has (flash attention, fused optimizers), and `is_cuda`.
"""
