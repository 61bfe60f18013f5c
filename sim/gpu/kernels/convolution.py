"""Convolutions as implicit matrix products: patches are gathered on the way to shared memory."""

from __future__ import annotations

from dataclasses import replace

from archsim.sim.gpu.device import Device
from archsim.sim.gpu.kernels.gemm import Cores, gemm
from archsim.sim.gpu.work import Work

__all__ = ["convolution"]


def convolution(batch: int, height: int, width: int, inputs: int, outputs: int, device: Device, *,
                kernel: int = 3, stride: int = 1, cores: Cores = "tensor",
                element_bytes: float = 2, name: str = "convolution") -> Work:  # fmt: skip
    """Return a convolution of (batch, height, width, inputs) with ``kernel`` x ``kernel`` taps.

    The product has a row for every output pixel and a column for every output channel; its left
    operand is the image, read once from memory and again, for every tap, from the caches as far
    as some of its rows fit them. Padded so that stride 1 keeps the size.
    """
    pixels = batch * -(-height // stride) * -(-width // stride)
    product = gemm(
        pixels, outputs, inputs * kernel**2, device, cores=cores, a_bytes=element_bytes,
        b_bytes=element_bytes, c_bytes=element_bytes, name=name,
    )  # fmt: skip
    image = float(batch * height * width * inputs) * element_bytes
    weights = float(inputs * outputs * kernel**2) * element_bytes
    rows = float(kernel * width * inputs) * element_bytes
    memory = replace(
        product.memory, read_bytes=image + weights, held_bytes=image,
        again_bytes=image * (kernel**2 - 1) + product.memory.again_bytes,
        reuse_bytes=rows * device.sms,
    )  # fmt: skip
    return replace(product, kind="convolution", memory=memory)
