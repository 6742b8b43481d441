"""What visitors bring: believed by its content alone, within bounds, and kept under names of our own."""

import hashlib
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from PIL import Image

from kcnn import Recipe, UserError
from kcnn.recipe import word_of
from kcnn.resources import cache

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
PACKED = {b"PK\3\4": ".zip", b"PK\5\6": ".zip", b"\x1f\x8b": ".tar", b"BZh": ".tar", b"\xfd7zXZ\0": ".tar"}
MEBIBYTE = 2**20
PICTURE_BYTES, ARCHIVE_BYTES = 20 * MEBIBYTE, 200 * MEBIBYTE
ROOM, RESERVE = 10, 1024 * MEBIBYTE  # times its size that must be free for an archive, beside what stays free
PICTURES = {"type": ["jpg", "jpeg", "png", "gif", "bmp", "webp"], "max_upload_size": PICTURE_BYTES // MEBIBYTE}
UPLOADS_BYTES = 50 * ARCHIVE_BYTES  # of all archives that are kept


def picture(upload):
    """The bytes of an uploaded picture; raises `UserError` if it is too large or none, whatever its name says."""
    name, most = _called(upload), Recipe().data.max_pixels
    if upload.size > PICTURE_BYTES:
        raise UserError(f"{name} has {upload.size:,} bytes; a picture may have {PICTURE_BYTES:,}")
    try:
        with Image.open(upload, formats=FORMATS) as header:
            width, height = header.size
    except Image.DecompressionBombError:
        raise UserError(f"{name} has too many pixels; at most {most:,} are read") from None
    except (OSError, EOFError, ValueError, SyntaxError):
        raise UserError(f"{name} is no picture; give JPEG, PNG, GIF, BMP or WebP") from None
    if width * height > most:
        raise UserError(f"{name} has {width}×{height} pixels; at most {most:,} are read")
    return upload.getvalue()


def kept_archive(upload):
    """The address of an uploaded archive, kept once under a name of our own; entries are checked when it is read."""
    name = _called(upload)
    if upload.size > ARCHIVE_BYTES:
        raise UserError(f"{name} has {upload.size:,} bytes; an archive may have {ARCHIVE_BYTES:,}")
    content = upload.getvalue()
    kind = next((kind for start, kind in PACKED.items() if content.startswith(start)), None)
    kind = ".tar" if content[257:262] == b"ustar" else kind
    if kind is None:
        raise UserError(f"{name} is no archive; give a .zip or .tar, which .gz, .bz2 or .xz may compress")
    folder = cache("uploads") / hashlib.sha256(content).hexdigest()[:24]
    known = next(folder.glob(f"[!.]*{kind}"), None)
    if known is None:
        known = folder / (_word(upload) + kind)
        _write(known, content)
    return str(known)


def _write(path, content):
    """Write a file that is there as a whole or not at all."""
    half = path.with_name(f".{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _refuse_too_full(len(content))
        half.write_bytes(content)
        half.rename(path)
    except OSError as error:
        raise UserError(f"the archive cannot be kept in {path.parent}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            half.unlink()


def _called(upload):
    """The name of an upload as a message shows it."""
    return " ".join(upload.name.split())[:80]


def _word(upload):
    """A word of at most 60 letters, digits and _ for an upload."""
    return word_of("".join(c for c in Path(upload.name).name if c.isprintable()))[:60]


def _refuse_too_full(size):
    """Raises `UserError` where another `size` bytes are more than uploads may take, or leave the disk too full."""
    folder = cache("uploads")
    free, used = shutil.disk_usage(folder).free, sum(file.stat().st_size for file in folder.glob("*/*"))
    if free < ROOM * size + RESERVE:
        raise UserError(
            f"the disk has {free:,} bytes free, too few to keep and unpack an archive of {size:,}; free space"
        )
    if used + size > UPLOADS_BYTES:
        raise UserError(
            f"uploads in {folder} take {used:,} bytes of {UPLOADS_BYTES:,}; delete those that no training needs"
        )
