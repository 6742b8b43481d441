"""Pictures of every kind that people have: whole, odd, cut, mislabelled, turned, huge, and things that are none."""

import io
import itertools
import struct
import zlib

import numpy as np
from PIL import Image

FORMATS = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "BMP": ".bmp", "WEBP": ".webp"}
MODES = {
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "GIF": ["L", "P"],
    "BMP": ["L", "P", "RGB", "RGBA"],
    "WEBP": ["RGB", "RGBA"],
}
SIZES = [(1, 1), (3, 5), (7, 40), (24, 24), (31, 33), (64, 48), (200, 150)]
CUTS = [0, 1, 5, 13, 30, 0.1, 0.25, 0.5, 0.75, 0.9]  # bytes, or share of the file


def picture(size=(40, 30), mode="RGB", seed=0):
    """A Pillow image that no other seed makes: a few soft blobs of colour."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8)).resize(size, Image.BICUBIC)
    if mode == "I;16":
        return Image.fromarray(np.asarray(small.convert("L")).astype(np.uint16) * 257)
    image = small.convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(small.convert("L"))
    return image


def encode(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def huge(format, side=30_000):
    """A file of a few hundred bytes that says it has side × side pixels."""
    if format == "PNG":
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        body = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
        chunks = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in body)
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    data = bytearray(encode(picture(), format, **({"lossless": True} if format == "WEBP" else {})))
    if format == "JPEG":
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", side, side)
    elif format == "GIF":
        data[6:10] = struct.pack("<HH", side, side)
    elif format == "BMP":
        data[18:26] = struct.pack("<ii", side, side)
    else:
        side = 16_383
        data[21:25] = struct.pack("<I", side | side << 14)
    return bytes(data)


def corpus():
    """{name: (bytes, verdict, marks)}; verdict is ok, bad (set aside), too_large, or None where either will do.

    `marks` are the doctor's findings that must name the file.
    """
    found, seed = {}, 0
    for format, suffix in FORMATS.items():
        for mode in MODES[format]:
            for size in SIZES:
                seed += 1
                name = f"whole-{mode.replace(';', '')}-{size[0]}x{size[1]}{suffix}"
                found[name] = encode(picture(size, mode, seed), format), "ok", _marks(format, mode, size)
        for size, mode in itertools.product(((40, 30), (150, 100), (301, 199)), ("RGB", "L")):
            seed += 1
            whole, shape = encode(picture(size, mode, seed), format), f"{mode}-{size[0]}"
            for cut in CUTS:
                kept = whole[: int(cut * len(whole)) if isinstance(cut, float) else cut]
                found[f"cut-{shape}-{cut}{suffix}"] = kept, "bad", ()
            for lost in (1, 2, 8):
                found[f"short-{shape}-{lost}{suffix}"] = whole[:-lost], None, ()
            found[f"tail-{shape}{suffix}"] = whole + b"\0" * 100, None, ()
        for other, wrong in FORMATS.items():
            if other != format:
                seed += 1
                data = encode(picture(seed=seed), format)
                found[f"named-{format.lower()}{wrong}"] = data, "ok", ("wrong_extension",)
        found[f"huge{suffix}"] = huge(format), "too_large", ()
        for i, data in enumerate(_no_pictures()):
            found[f"none-{i}{suffix}"] = data, "bad", ()
    return found | _turned() | _moving()


def _marks(format, mode, size):
    marks = {"CMYK": ["cmyk"], "I;16": ["sixteen_bit"], "RGBA": ["transparency"], "LA": ["transparency"]}.get(mode, [])
    if mode == "P" and format != "GIF":
        marks = ["palette"]
    if format == "BMP":
        marks = ["palette"] if mode == "P" else []
    return (*marks, *(["tiny"] if min(size) < 8 else []))


def _no_pictures():
    rng = np.random.default_rng(1)
    yield b""
    yield b"a text that somebody renamed\n" * 20
    yield rng.bytes(500)
    yield b"PK\x03\x04" + rng.bytes(200)
    yield encode(picture(), "TIFF")
    yield b"%PDF-1.7\n" + rng.bytes(300)
    yield bytes(300)


def _turned():
    """Every EXIF orientation in the formats that carry one."""
    found = {}
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        for format in ("JPEG", "PNG", "WEBP"):
            data = encode(picture(seed=1000 + 10 * turn + len(format)), format, exif=exif.tobytes())
            mark = () if turn == 1 else ("turned",) if format == "JPEG" else ("turned_unread",)
            found[f"turned-{turn}{FORMATS[format]}"] = data, "ok", mark
    return found


def _moving():
    frames = [picture(seed=seed) for seed in (2001, 2002, 2003)]
    more = {"save_all": True, "append_images": frames[1:]}
    return {
        "moving.gif": (encode(frames[0], "GIF", **more), "ok", ("animated",)),
        "moving.png": (encode(frames[1], "PNG", **more), "ok", ("animated",)),
        "moving.webp": (encode(frames[2], "WEBP", **more), "bad", ()),
    }


def scene(seed, size=(128, 96)):
    """A Pillow image (RGB) of a few discs and boxes on a slope of colour: another seed makes another."""
    from PIL import ImageDraw

    rng = np.random.default_rng(seed)
    corners = Image.fromarray(rng.integers(0, 256, (2, 2, 3), np.uint8))
    image = corners.resize(size, Image.BILINEAR)
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        centre, half = rng.uniform(0, 1, 2) * size, rng.uniform(0.04, 0.22, 2) * size
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape([*(centre - half), *(centre + half)], tuple(map(int, rng.integers(0, 256, 3))))
    return image


def copies(image, rng):
    """{kind: bytes} of what becomes of a picture on its way: re-encoded, half as large, cropped by 5 %, mirrored."""
    width, height = image.size
    left, top = rng.integers(0, int(0.05 * width) + 1), rng.integers(0, int(0.05 * height) + 1)
    crop = image.crop((left, top, left + int(0.95 * width), top + int(0.95 * height)))
    sides = image.crop((int(0.05 * width), int(0.05 * height), width - int(0.05 * width), height - int(0.05 * height)))
    half = image.resize((width // 2, height // 2), Image.BICUBIC)
    return {
        "encoded": encode(image, "JPEG", quality=int(rng.integers(50, 91))),
        "half": encode(half, "JPEG", quality=85),
        "crop": encode(crop, "JPEG", quality=85),
        "sides": encode(sides, "JPEG", quality=85),
        "mirrored": encode(image.transpose(Image.FLIP_LEFT_RIGHT), "JPEG", quality=85),
    }
