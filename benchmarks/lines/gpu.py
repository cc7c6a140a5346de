"""The same on a GPU."""

from functools import partial

from lines import AtLeast, AtMost, Gpu, Line, Rate, encode, step

IMAGES, CUDA = 8192, "cuda:0"

LINES = (
    Line(
        "gpu-encode",
        f"`{encode.ARCHITECTURE}`, PyTorch, {IMAGES:,} images at a time",
        partial(encode.ours, "torch", CUDA, IMAGES),
        partial(encode.plain, CUDA, IMAGES),
        AtLeast(1),
        "plain PyTorch layers",
        measure=Rate(IMAGES, "images/s"),
        needs=(Gpu(),),
    ),
    Line(
        "gpu-step",
        f"`{step.ARCHITECTURE}`, one step, batch {step.BATCH}",
        partial(step.ours, False, CUDA),
        partial(step.plain, CUDA),
        AtMost(1),
        "plain PyTorch layers with autograd",
        needs=(Gpu(),),
    ),
)
