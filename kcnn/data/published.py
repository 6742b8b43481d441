"""The published policies: facts of the papers, in the units of our operations.

RandAugment: Cubuk et al. 2020. TrivialAugment: Mueller and Hutter 2021. AutoAugment: Cubuk et al. 2019. Where papers
and their codes differ, magnitudes are those of torchvision: 31 levels for the first two, 10 for AutoAugment.
"""

from kcnn.data.policies import POLICIES, Choice, Step

FACTORS = ("brightness", "saturation", "contrast", "sharpness")
PLAIN = ("autocontrast", "equalize", "invert")
SHIFT = 150 / 331

IMAGENET = """
posterize .4 8, rotation .6 9 | solarize .6 5, autocontrast .6 | equalize .8, equalize .6
posterize .6 7, posterize .6 6 | equalize .4, solarize .2 4 | equalize .4, rotation .8 8
solarize .6 3, equalize .6 | posterize .8 5, equalize 1 | rotation .2 3, solarize .6 8
equalize .6, posterize .4 6 | rotation .8 8, saturation .4 0 | rotation .4 9, equalize .6
equalize 0, equalize .8 | invert .6, equalize 1 | saturation .6 4, contrast 1 8
rotation .8 8, saturation 1 2 | saturation .8 8, solarize .8 7 | sharpness .4 7, invert .6
shear_x .6 5, equalize 1 | saturation .4 0, equalize .6 | equalize .4, solarize .2 4
solarize .6 5, autocontrast .6 | invert .6, equalize 1 | saturation .6 4, contrast 1 8
equalize .8, equalize .6
"""
CIFAR10 = """
invert .1, contrast .2 6 | rotation .7 2, translate_x .3 9 | sharpness .8 1, sharpness .9 3
shear_y .5 8, translate_y .7 9 | autocontrast .5, equalize .9 | shear_y .2 7, posterize .3 7
saturation .4 3, brightness .6 7 | sharpness .3 9, brightness .7 9 | equalize .6, equalize .5
contrast .6 7, sharpness .6 5 | saturation .7 7, translate_x .5 8 | equalize .3, autocontrast .4
translate_y .4 3, sharpness .2 6 | brightness .9 6, saturation .2 8 | solarize .5 2, invert 0
equalize .2, autocontrast .6 | equalize .2, equalize .6 | saturation .9 9, equalize .6
autocontrast .8, solarize .2 8 | brightness .1 3, saturation .7 0 | solarize .4 5, autocontrast .9
translate_y .9 9, translate_y .7 9 | autocontrast .9, solarize .8 3 | equalize .8, invert .1
translate_y .7 9, autocontrast .9
"""
SVHN = """
shear_x .9 4, invert .2 | shear_y .9 8, invert .7 | equalize .6, solarize .6 6
invert .9, equalize .6 | equalize .6, rotation .9 3 | shear_x .9 4, autocontrast .8
shear_y .9 8, invert .4 | shear_y .9 5, solarize .2 6 | invert .9, autocontrast .8
equalize .6, rotation .9 3 | shear_x .9 4, solarize .3 3 | shear_y .8 8, invert .7
equalize .9, translate_y .6 6 | invert .9, equalize .6 | contrast .3 3, rotation .8 4
invert .8, translate_y 0 2 | shear_y .7 6, solarize .4 8 | invert .6, rotation .8 4
shear_y .3 7, translate_x .9 3 | shear_x .1 6, invert .6 | solarize .7 2, translate_y .6 7
shear_y .8 4, invert .8 | shear_x .7 9, translate_y .8 3 | shear_y .8 5, autocontrast .7
shear_x .7 2, invert .1
"""


@POLICIES.register("randaugment")
def randaugment(steps=2, magnitude=9.0):
    """RandAugment: so many of 14 operations, all of one magnitude (0 to 30)."""
    share = magnitude / 30
    choices = [_of(name, share) for name in _FOURTEEN]
    return [[Step(1.0, (Choice("identity"), *choices))] * steps]


@POLICIES.register("trivialaugment")
def trivialaugment():
    """TrivialAugment Wide: one of 14 operations, of any magnitude, in a wider space; nothing to tune."""
    wide = {"shear_x": (0, 0.99), "shear_y": (0, 0.99), "slide_x": (0, 32), "slide_y": (0, 32), "rotation": (0, 135)}
    wide |= dict.fromkeys(FACTORS, (1, 1.99)) | {"posterize": (8, 2), "solarize": (255, 0)}
    choices = [Choice(name, *ends, 31, _both_ways(name)) for name, ends in wide.items()]
    return [[Step(1.0, (Choice("identity"), *choices, Choice("autocontrast"), Choice("equalize")))]]


@POLICIES.register("autoaugment_imagenet")
def autoaugment_imagenet():
    """AutoAugment as found on ImageNet: 25 programs of two steps."""
    return _programs(IMAGENET)


@POLICIES.register("autoaugment_cifar10")
def autoaugment_cifar10():
    """AutoAugment as found on CIFAR-10: 25 programs of two steps."""
    return _programs(CIFAR10)


@POLICIES.register("autoaugment_svhn")
def autoaugment_svhn():
    """AutoAugment as found on SVHN: 25 programs of two steps."""
    return _programs(SVHN)


_ENDS = {"shear_x": (0, 0.3), "shear_y": (0, 0.3), "translate_x": (0, SHIFT), "translate_y": (0, SHIFT)}
_ENDS |= {"rotation": (0, 30)} | dict.fromkeys(FACTORS, (1, 1.9)) | {"posterize": (8, 4), "solarize": (255, 0)}
_FOURTEEN = (*_ENDS, "autocontrast", "equalize")


def _both_ways(name):
    return name not in ("posterize", "solarize")


def _of(name, share):
    """The choice of `name` at `share` (0 to 1) of the way between its ends."""
    if name in PLAIN:
        return Choice(name)
    low, high = _ENDS[name]
    magnitude = low + (high - low) * share
    return Choice(name, magnitude, magnitude, None, _both_ways(name))


def _programs(table):
    """Programs from lines of "operation probability [magnitude of 0 to 9], ... | ..."."""
    return [
        [_step(*words.split()) for words in cell.split(",")] for cell in table.strip().replace("\n", "|").split("|")
    ]


def _step(name, probability, level="0"):
    return Step(float(probability), (_of(name, int(level) / 9),))
