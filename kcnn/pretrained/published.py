"""ImageNet weights as keras.applications publishes them: fetched once, checked, and kept where Keras keeps them."""

import hashlib
import logging
import os
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.parse import urljoin
from urllib.request import urlretrieve

from kcnn.errors import UserError
from kcnn.progress import bars

log = logging.getLogger(__name__)

IMAGENET = "imagenet"  # what asks for these weights
BASE = "https://storage.googleapis.com/tensorflow/keras-applications/"
USUAL = "weights_tf_dim_ordering_tf_kernels"  # what * stands for below

# architecture: (file, its MD5 or SHA-256 as Keras knows it; None where it publishes none)
FILES = {
    "resnet50_v1": ("resnet/resnet50_*.h5", "2cb95161c43110f7111970584f804107"),
    "resnet101_v1": ("resnet/resnet101_*.h5", "f1aeb4b969a6efcfb50fad2f0c20cfc5"),
    "resnet152_v1": ("resnet/resnet152_*.h5", "100835be76be38e30d865e96f2aaae62"),
    "resnet50v2": ("resnet/resnet50v2_*.h5", "3ef43a0b657b3be2300d5770ece849e0"),
    "resnet101v2": ("resnet/resnet101v2_*.h5", "6343647c601c52e1368623803854d971"),
    "resnet152v2": ("resnet/resnet152v2_*.h5", "a49b44d1979771252814e80f8ec446f9"),
    "vgg16": ("vgg16/vgg16_*.h5", "64373286793e3c8b2b4e3219cbf3544b"),
    "vgg19": ("vgg19/vgg19_*.h5", "cbe5617147190e668d6c5d5026f83318"),
    "densenet121": ("densenet/densenet121_*.h5", "9d60b8095a5708f2dcce2bca79d332c7"),
    "densenet169": ("densenet/densenet169_*.h5", "d699b8f76981ab1b30698df4c175e90b"),
    "densenet201": ("densenet/densenet201_*.h5", "1ceb130c1ea1b78c3bf6114dbdfd8807"),
    "inception_v3": ("inception_v3/inception_v3_*.h5", "9a0d58056eeedaa3f26cb7ebd46da564"),
    "xception": ("xception/xception_*.h5", "0a58e3b7378bc2990ea3b43d5981f1f6"),
    "nasnet_mobile": ("nasnet/NASNet-mobile.h5", "020fb642bf7360b370c678b08e0adf61"),
    "mobilenet": ("mobilenet/mobilenet_1_0_224_tf.h5", None),
    "mobilenet_v2": ("mobilenet_v2/mobilenet_v2_*_1.0_224.h5", None),
    "mobilenet_v3_small": (
        "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float.h5",
        "8768d4c2e7dee89b9d02b2d03d65d862",
    ),
    "mobilenet_v3_large": (
        "mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float.h5",
        "59e551e166be033d707958cf9e29a6a7",
    ),
    "efficientnet_b0": ("/keras-applications/efficientnetb0.h5", "902e53a9f72be733fc0bcb005b3ebbac"),
    "efficientnet_b1": ("/keras-applications/efficientnetb1.h5", "1d254153d4ab51201f1646940f018540"),
    "efficientnet_b2": ("/keras-applications/efficientnetb2.h5", "b15cce36ff4dcbd00b6dd88e7857a6ad"),
    "efficientnet_b3": ("/keras-applications/efficientnetb3.h5", "ffd1fdc53d0ce67064dc6a9c7960ede0"),
    "efficientnet_b4": ("/keras-applications/efficientnetb4.h5", "18c95ad55216b8f92d7e70b3a046e2fc"),
    "efficientnet_b5": ("/keras-applications/efficientnetb5.h5", "ace28f2a6363774853a83a0b21b9421a"),
    "efficientnet_b6": ("/keras-applications/efficientnetb6.h5", "165f6e37dce68623721b423839de8be5"),
    "efficientnet_b7": ("/keras-applications/efficientnetb7.h5", "8c03f828fec3ef71311cd463b6759d99"),
    "efficientnet_v2_s": ("efficientnet_v2/efficientnetv2-s.h5", "e1d88a8495beba45748fedd0cecbe016"),
    "efficientnet_v2_m": ("efficientnet_v2/efficientnetv2-m.h5", "a3bf6aa3276309f4fc6a34aa114c95cd"),
    "efficientnet_v2_l": ("efficientnet_v2/efficientnetv2-l.h5", "27e6d408b53c7ebc868fefa357689935"),
    "convnext_tiny": ("convnext/convnext_tiny.h5", "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff"),
    "convnext_small": (
        "convnext/convnext_small.h5",
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    ),
    "convnext_base": ("convnext/convnext_base.h5", "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6"),
    "convnext_large": (
        "convnext/convnext_large.h5",
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    ),
}


def fetch(architecture):
    """The path of the ImageNet weights of `architecture`, downloaded if need be; raises `UserError` where it cannot."""
    if architecture not in FILES:
        raise UserError(
            f"no ImageNet weights of {architecture} are published by keras.applications; there are some of: "
            f"{', '.join(FILES)}"
        )
    file, digest = FILES[architecture]
    address = urljoin(BASE, file.replace("*", USUAL))
    place = _folder() / address.rsplit("/", 1)[1]
    try:
        if not _intact(place, digest):
            _download(address, place, digest)
    except (OSError, HTTPException, ValueError) as error:
        raise UserError(
            f"no ImageNet weights of {architecture}: {_reason(error)}; get {address} by other means and put it into "
            f"{place.parent}, or give another file as model.weights"
        ) from None
    return place


def _reason(error):
    """Why a file cannot be had, in a line; that of an `URLError` is often another error."""
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        return f"no network ({error.reason.strerror or error.reason})"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _folder():
    """Where Keras keeps weights."""
    return Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser()) / "models"


def _intact(place, digest):
    if not place.is_file() or digest is None:
        return place.is_file()
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256" if len(digest) == 64 else "md5").hexdigest() == digest


def _download(address, place, digest):
    """Get the file into a folder of its own, for others may do the same, and put it in its place whole and checked."""
    log.info("downloading %s to %s", address, place)
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{place.stem}-", dir=place.parent) as own, bars() as tell:
        part = Path(own) / place.name
        urlretrieve(address, part, lambda blocks, size, total: tell("download", blocks * size, max(total, 0) or None))
        if not _intact(part, digest):
            raise ValueError("what came has another hash than Keras published")
        os.replace(part, place)
