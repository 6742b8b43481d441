"""Common corruptions at five strengths, after Hendrycks & Dietterich 2019 (ImageNet-C), in NumPy and SciPy.

Strengths are those of the paper; what it gives in pixels of 224 is a share of the shorter side here, so that small
pictures are blurred like large ones. Each function takes pictures (N, H, W, C) float32 from 0 to 1, one number of its
row in `STRENGTHS` and a random generator, and gives such pictures. Snow, frost and elastic waves are left out: the
first two lay pictures of their own over ours, and the last moves what masks and boxes lie on.
"""

import io

import numpy as np

from kcnn.errors import UserError, unknown_name
from kcnn.registry import Registry

CORRUPTIONS = Registry("corruption")
STRENGTHS = {
    "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),  # standard deviation
    "shot_noise": (60, 25, 12, 5, 3),  # photons at full brightness
    "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),  # share of values that are 0 or 1
    "defocus_blur": (3, 4, 6, 8, 10),  # radius, in 1/224 of the side
    "motion_blur": (7, 10, 14, 19, 25),  # length, in 1/224 of the side
    "zoom_blur": (1.11, 1.16, 1.21, 1.26, 1.31),  # the largest of eight zooms
    "fog": (1.5, 2.0, 2.5, 3.0, 3.5),  # as bright as the picture's brightest value times this, before rescaling
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),  # added
    "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),  # factor on the distance from the mean
    "saturation": (0.3, 0.1, 2.0, 5.0, 20.0),  # factor on the distance from grey
    "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),  # side of the small picture, as a share
    "jpeg": (25, 18, 15, 10, 7),  # quality
}
LEVELS = 5
PAPERS_SIDE = 224
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ZOOMS = 8


def fitting(channels):
    """The names of the corruptions that change pictures of so many channels: grey ones have no saturation."""
    return [name for name in CORRUPTIONS if channels == 3 or name != "saturation"]


def corrupted(images, name, level, seed=0):
    """`images` (N, H, W, C) uint8 under the corruption `name` at `level` 1 to 5, as uint8; the same for a `seed`."""
    if name not in CORRUPTIONS:
        raise unknown_name("corruption", name, CORRUPTIONS)
    if level not in range(1, LEVELS + 1):
        raise UserError(f"level is {level!r}: it must be a whole number from 1 to {LEVELS}")
    rng = np.random.default_rng((seed, level, *name.encode()))
    changed = CORRUPTIONS[name](np.float32(images) / 255, STRENGTHS[name][level - 1], rng)
    return np.uint8(np.clip(changed, 0, 1) * 255 + 0.5)


@CORRUPTIONS.register("gaussian_noise")
def gaussian_noise(x, deviation, rng):
    """Noise of a sensor in poor light: normal, added to each value."""
    return x + deviation * rng.standard_normal(x.shape, np.float32)


@CORRUPTIONS.register("shot_noise")
def shot_noise(x, photons, rng):
    """Noise of few photons: each value is a Poisson count."""
    return rng.poisson(x * photons).astype(np.float32) / photons


@CORRUPTIONS.register("impulse_noise")
def impulse_noise(x, share, rng):
    """Salt and pepper: some values are 0 or 1."""
    drawn = rng.random(x.shape, np.float32)
    return np.where(drawn < share / 2, 0, np.where(drawn < share, 1, x))


@CORRUPTIONS.register("defocus_blur")
def defocus_blur(x, radius, rng):
    """A picture out of focus: each point becomes a disk."""
    reach = max(radius * _side(x) / PAPERS_SIDE, 0.7)
    y, z = np.mgrid[-int(reach + 1) : int(reach + 2), -int(reach + 1) : int(reach + 2)]
    return _filtered(x, np.clip(reach + 0.5 - np.hypot(y, z), 0, 1))


@CORRUPTIONS.register("motion_blur")
def motion_blur(x, length, rng):
    """A camera that moves: each point becomes a line, of one direction for each picture."""
    half = max(length * _side(x) / PAPERS_SIDE, 1.0)
    y, z = np.mgrid[-int(half + 1) : int(half + 2), -int(half + 1) : int(half + 2)]
    found = []
    for one, angle in zip(x, rng.uniform(-np.pi / 4, np.pi / 4, len(x)), strict=True):
        along, across = z * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - z * np.sin(angle)
        kernel = np.clip(1 - np.abs(across), 0, 1) * np.clip(half + 0.5 - np.abs(along), 0, 1)
        found.append(_filtered(one[None], kernel)[0])
    return np.stack(found)


@CORRUPTIONS.register("zoom_blur")
def zoom_blur(x, most, rng):
    """A camera that comes nearer: the mean of the picture and of larger and larger views of its middle."""
    from scipy.ndimage import affine_transform

    total, middle = x.copy(), (np.array(x.shape[1:3]) - 1) / 2
    for zoom in np.linspace(1, most, ZOOMS + 1)[1:]:
        matrix = np.array([1, 1 / zoom, 1 / zoom, 1])
        offset = np.array([0, *(middle - middle / zoom), 0])
        total += affine_transform(x, matrix, offset, order=1, mode="nearest")
    return total / (ZOOMS + 1)


@CORRUPTIONS.register("fog")
def fog(x, thickness, rng):
    """Fog: bright clouds of many sizes are laid over the picture, which is then darkened to its old brightest value."""
    from scipy.ndimage import gaussian_filter

    clouds, size = np.zeros(x.shape[:3], np.float32), max(_side(x) / 2, 1.0)
    while size >= 0.5:
        octave = gaussian_filter(rng.standard_normal(x.shape[:3], np.float32), (0, size, size), mode="wrap")
        clouds += size**0.5 * octave / max(octave.std(), 1e-6)
        size /= 2
    low, high = clouds.min((1, 2), keepdims=True), clouds.max((1, 2), keepdims=True)
    clouds = (clouds - low) / np.maximum(high - low, 1e-6)
    brightest = x.max((1, 2, 3), keepdims=True)
    return (x + thickness * clouds[..., None]) * brightest / np.maximum(brightest + thickness, 1e-6)


@CORRUPTIONS.register("brightness")
def brightness(x, more, rng):
    """A picture that is too bright."""
    return x + more


@CORRUPTIONS.register("contrast")
def contrast(x, factor, rng):
    """A picture with too little contrast."""
    mean = x.mean((1, 2), keepdims=True)
    return mean + factor * (x - mean)


@CORRUPTIONS.register("saturation")
def saturation(x, factor, rng):
    """Colours too pale (strengths 1 and 2) or too strong; grey pictures stay as they are."""
    grey = (x @ LUMA)[..., None] if x.shape[-1] == 3 else x
    return grey + factor * (x - grey)


@CORRUPTIONS.register("pixelate")
def pixelate(x, share, rng):
    """A small picture that was enlarged: blocks of one colour."""
    height, width = (max(1, round(share * n)) for n in x.shape[1:3])
    return _each(x, lambda picture: _resized(_resized(picture, (width, height), "BOX"), x.shape[2:0:-1], "NEAREST"))


@CORRUPTIONS.register("jpeg")
def jpeg(x, quality, rng):
    """The blocks and rings of a JPEG file that is too small."""
    from PIL import Image

    def stored(picture):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(quality))
        return Image.open(file)

    return _each(x, stored)


def _resized(picture, size, how):
    from PIL import Image

    return picture.resize(size, getattr(Image.Resampling, how))


def _each(x, change):
    """`x` with `change` of each picture, as PIL has them."""
    from PIL import Image

    pictures = np.uint8(np.clip(x, 0, 1) * 255 + 0.5)
    pictures = pictures[..., 0] if x.shape[-1] == 1 else pictures
    found = np.stack([np.asarray(change(Image.fromarray(one))) for one in pictures])
    return found.reshape(x.shape).astype(np.float32) / 255


def _side(x):
    return min(x.shape[1:3])


def _filtered(x, kernel):
    """`x` convolved with one kernel (h, w) for all pictures and channels, whose sum is taken as 1."""
    from scipy.ndimage import correlate

    kernel = np.float32(kernel / kernel.sum())
    return correlate(x, kernel[None, :, :, None], mode="nearest")
