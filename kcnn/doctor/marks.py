"""What is odd about a picture that can be read: kinds of files that training reads, but not as one might think."""

import io

ORIENTATION = 0x0112  # the EXIF tag
SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")


def marks_of(data, format):
    """The names of the findings that the encoded picture `data` of `format` (a word of data.headers.FORMATS) calls for.

    Only what the file says of itself is read, by Pillow; no pixel is decoded.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[format.upper()]) as image:
            return frozenset(_marks(image, data, format))
    except Exception:  # Pillow raises anything on odd files; that training can read them was seen already
        return frozenset()


def _marks(image, data, format):
    if image.mode == "CMYK":
        yield "cmyk"
    if image.mode in SIXTEEN_BIT or (format == "png" and data[24] == 16):
        yield "sixteen_bit"
    if image.mode == "P" and format != "gif":
        yield "palette"
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        yield "transparency"
    if getattr(image, "is_animated", False):
        yield "animated"
    if image.getexif().get(ORIENTATION, 1) not in (0, 1):
        yield "turned" if format == "jpeg" else "turned_unread"
