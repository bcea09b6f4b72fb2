"""EfficientNet-Lite0 in numbers, for whoever builds it. No torch."""

ARCHITECTURE = "efficientnet_lite0"
DENSE_ARCHITECTURE = "efficientnet_lite0_dense"

# (kernel, stride of the first block, expansion, output channels, blocks) of each stage
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
# TensorFlow's value, which the ImageNet weights were trained with.
NORM_EPSILON = 1e-3

# Of the dense net: blocks without padding, what they give, and how it lies (network_dense.py).
SHARED_BLOCKS = 6
SHARED_CHANNELS = 80
# A patch of 96 px has a square of SQUARE × SQUARE shared features; the next cell's, 32 px on,
# begins SQUARE_STEP further.
PATCH_PX, CELL_PX = 96, 32
SQUARE, SQUARE_STEP = 6, 2
# How far these features see beyond the patch: to the left and up, to the right and down. That is
# what the shared blocks would have padded, in pixels of the patch.
BEFORE_PX, AFTER_PX = 26, 41


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels that TensorFlow's "SAME" rule adds (before, after) along an axis of `size` pixels."""
    missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return missing // 2, missing - missing // 2
