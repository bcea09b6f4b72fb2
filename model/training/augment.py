"""Random views of patches: symmetries, colour, stain, sharpness and missing parts.

All act on whole batches, on the CPU, and take their chance from one generator, so that a seed fixes
a run. Patches are float32 (n, h, w, 3) in 0–1 here.
"""

import math

import torch
from skimage.color import hed_from_rgb, rgb_from_hed
from torch import Generator, Tensor
from torch.nn import functional

from model.training.config import Augmentation

GREY = 1 / math.sqrt(3)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
DARKEST = 1 / 255


def augment(patches: Tensor, how: Augmentation, chance: Generator) -> Tensor:
    """A random view (n, h, w, 3) in 0–1 of each uint8 patch (n, h, w, 3)."""
    views = (flip(patches, chance) if how.flips else patches).float() / 255
    views = warp(views, how, chance)
    views = jitter_stain(views, how.stain, chance)
    views = jitter_colour(views, how, chance)
    views = blur(views, how.blur_share, how.blur_sigma_px, chance)
    return cut_out(views, how.cutout_share, how.cutout_px, how.spared_px, chance)


def flip(patches: Tensor, chance: Generator) -> Tensor:
    """One of a square's eight symmetries for each patch; h must equal w."""
    for turned in (lambda x: x.flip(1), lambda x: x.flip(2), lambda x: x.transpose(1, 2)):
        patches = torch.where(_chosen(patches, 0.5, chance), turned(patches), patches)
    return patches


def warp(patches: Tensor, how: Augmentation, chance: Generator) -> Tensor:
    """A share of the patches turned by any angle and zoomed about their centre, edges mirrored."""
    if not how.warp_share:
        return patches
    n = len(patches)
    angle = math.radians(how.warp_turn_degrees) * _uniform((n,), chance)
    zoom = 1 + how.warp_zoom * _uniform((n,), chance)
    chosen = _chosen(patches, how.warp_share, chance).flatten()
    if not chosen.any():
        return patches
    cos, sin, zero = torch.cos(angle) * zoom, torch.sin(angle) * zoom, torch.zeros(n)
    maps = torch.stack([cos, -sin, zero, sin, cos, zero], 1).view(n, 2, 3)[chosen]
    planes = patches[chosen].permute(0, 3, 1, 2)
    grid = functional.affine_grid(maps, list(planes.shape), align_corners=False)
    # Interpolation by cubes keeps nuclei crisp: the net must not learn that turned means blurred.
    turned = functional.grid_sample(planes, grid, "bicubic", "reflection", align_corners=False)
    patches = patches.clone()
    patches[chosen] = turned.permute(0, 2, 3, 1).clamp(0, 1)
    return patches


def jitter_stain(patches: Tensor, strength: float, chance: Generator) -> Tensor:
    """Scale and shift haematoxylin, eosin and residual (Ruifrok & Johnston 2001) by ± strength."""
    n = len(patches)
    to_stains = torch.tensor(hed_from_rgb, dtype=torch.float32)
    from_stains = torch.tensor(rgb_from_hed, dtype=torch.float32)
    scale = 1 + strength * _uniform((n, 1, 3), chance)
    # A tenth: stain densities in tissue are of the order of 0.1 to 1.
    shift = 0.1 * strength * _uniform((n, 1, 3), chance)
    density = -torch.log(patches.clamp_min(DARKEST)).flatten(1, 2)
    density = torch.baddbmm(shift @ from_stains, density, (to_stains * scale) @ from_stains)
    return torch.exp(-density).clamp(0, 1).view_as(patches)


def jitter_colour(patches: Tensor, how: Augmentation, chance: Generator) -> Tensor:
    """Hue, saturation, contrast and brightness at random, as one affine map of RGB per patch."""
    n = len(patches)
    turn = _hue_rotation(2 * math.pi * how.hue * _uniform((n, 1, 1), chance))
    saturation = 1 + how.saturation * _uniform((n, 1, 1), chance)
    grey = torch.tensor(LUMA)[:, None].expand(3, 3)
    colour = turn @ (saturation * torch.eye(3) + (1 - saturation) * grey)
    contrast = 1 + how.contrast * _uniform((n, 1, 1), chance)
    brightness = how.brightness * _uniform((n, 1, 1), chance)
    pixels = patches.flatten(1, 2)
    pivot = pixels.mean(1, keepdim=True) @ colour
    mapped = torch.baddbmm(pivot * (1 - contrast) + brightness, pixels, colour * contrast)
    return mapped.clamp(0, 1).view_as(patches)


def blur(patches: Tensor, share: float, sigma_px: float, chance: Generator) -> Tensor:
    """Out of focus: a share of the patches through one Gaussian of up to `sigma_px`."""
    chosen = _chosen(patches, share, chance).flatten()
    if not chosen.any():
        return patches
    sigma = sigma_px * float(torch.rand((), generator=chance)) + 1e-3
    reach = max(3, math.ceil(2 * sigma_px))  # pixels to either side
    offsets = torch.arange(-reach, reach + 1.0)
    line = torch.softmax(-(offsets**2) / (2 * sigma**2), 0)
    planes = patches[chosen].permute(0, 3, 1, 2)
    planes = functional.pad(planes, (reach,) * 4, mode="reflect")
    planes = functional.conv2d(planes, line.expand(3, 1, 1, -1), groups=3)
    planes = functional.conv2d(planes, line[:, None].expand(3, 1, -1, 1), groups=3)
    patches = patches.clone()
    patches[chosen] = planes.permute(0, 2, 3, 1)
    return patches


def cut_out(
    patches: Tensor, share: float, side_px: int, spared_px: int, chance: Generator
) -> Tensor:
    """A square of the mean colour over a share of the patches, never over the central cell.

    The label speaks of the central cell alone, so what lies there must stay visible.
    """
    n, height, width, _ = patches.shape
    top, left = (torch.randint(0, size, (n, 1, 1, 1), generator=chance) for size in (height, width))
    y, x = torch.arange(height).view(1, -1, 1, 1), torch.arange(width).view(1, 1, -1, 1)
    hole = _within(y, top - side_px // 2, side_px) & _within(x, left - side_px // 2, side_px)
    cell = _within(y, (height - spared_px) // 2, spared_px)
    cell = cell & _within(x, (width - spared_px) // 2, spared_px)
    hole = hole & ~cell & _chosen(patches, share, chance)
    return torch.where(hole, patches.mean((1, 2), keepdim=True), patches)


def _uniform(shape: tuple[int, ...], chance: Generator) -> Tensor:
    return 2 * torch.rand(shape, generator=chance) - 1


def _chosen(patches: Tensor, share: float, chance: Generator) -> Tensor:
    return torch.rand((len(patches), 1, 1, 1), generator=chance) < share


def _within(index: Tensor, start: Tensor | int, length: int) -> Tensor:
    return (index >= start) & (index < start + length)


def _hue_rotation(angle: Tensor) -> Tensor:
    """Rodrigues' rotation (n, 3, 3) of RGB about the grey axis by angles (n, 1, 1)."""
    cross = GREY * torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    return (
        torch.cos(angle) * torch.eye(3)
        + torch.sin(angle) * cross
        + (1 - torch.cos(angle)) * torch.full((3, 3), 1 / 3)
    )
