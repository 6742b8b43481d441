"""Files on a disk that may be full, read-only or cut off at any instant: written whole, or not at all and said so."""

import errno
import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from kcnn.errors import UserError

MOST_BYTES = 1 << 28  # of a file that is read whole
UNKNOWN = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)  # what a file system says that lacks an operation
REMEDIES = {
    errno.ENOSPC: "free space",
    errno.EDQUOT: "free space within your quota",
    errno.EFBIG: "raise the limit on file sizes",
    errno.EROFS: "make the disk writable",
    errno.EACCES: "give yourself the right to write there",
    errno.EPERM: "give yourself the right to write there",
    errno.EIO: "check the disk",
    errno.ENOENT: "bring its folder back",
}


class WriteError(UserError):
    """A file that could not be written: names the file, the reason and the way out."""

    def __init__(self, path, error):
        way_out = REMEDIES.get(error.errno, "make it writable")
        super().__init__(f"cannot write {path}: {error.strerror or error}; {way_out}")


@contextmanager
def writing(path):
    """Within the block an `OSError` becomes a `WriteError` about `path`."""
    try:
        yield
    except OSError as error:
        raise WriteError(path, error) from error


@contextmanager
def tensorflow_writing(path):
    """`writing` where TensorFlow writes: what it says in its own way becomes a `WriteError` about `path`, too."""
    from tensorflow.errors import OpError

    with writing(path):
        try:
            yield
        except OpError as error:
            known = [(number, os.strerror(number)) for number in REMEDIES if os.strerror(number) in error.message]
            raise OSError(*(known or [(errno.EIO, error.message)])[0]) from error


def make_folder(path):
    """Make the folder `path`, and those above it, if it is not there; raises `WriteError` where that fails."""
    with writing(path):
        os.makedirs(path, exist_ok=True)


def write_atomically(path, data):
    """Replace the file `path` by `data` (bytes or text) so that a reader or a power cut sees all or nothing.

    Raises `WriteError` where that fails; the old file is then still there.
    """
    path = Path(path)
    data = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def _sync_folder(folder):
    """Make the new name of a file last, where the file system can: some mounted ones know no fsync of a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise
    finally:
        os.close(descriptor)


def sweep(folder):
    """Remove the temporary files that killed processes left in `folder`; call it only where nobody else writes."""
    for file in Path(folder).glob(".*.*"):
        if file.suffix[1:].isdigit():
            with suppress(OSError):
                file.unlink()


def append_line(path, line):
    """Add one `line` to the text file `path`; half a line that a crash left is ended first, so that only it is lost."""
    with writing(path), open(path, "ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
        torn = size and file.read(1) != b"\n"
        data = b"\n" * bool(torn) + line.encode() + b"\n"
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())


def read_bounded(path, most=MOST_BYTES):
    """The bytes of the file `path`; raises `UserError` if it cannot be read or has more than `most` bytes."""
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > most:
        raise UserError(f"{path} has {os.path.getsize(path)} bytes; at most {most} are read")
    return content


def read_json(path):
    """The content of a JSON file, {} if it does not exist; raises `UserError` if it is damaged or too large."""
    path = Path(path)
    try:
        content = json.loads(read_bounded(path)) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no intact JSON file: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no intact JSON file: it holds a {type(content).__name__}, not named values")
    return content


@contextmanager
def lock(path):
    """Hold the file `path` within the block, until the process ends at the latest; yields False if another holds it.

    The kernel lets go when a process dies, however it dies, so that no lock is ever left over.
    """
    with hold(path) as descriptor:
        yield descriptor is not None


@contextmanager
def hold(path):
    """As `lock`, but yields the descriptor that holds it, which a child process may keep; None if another holds it."""
    with writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield descriptor if _take(descriptor) else None
    finally:
        os.close(descriptor)


def is_locked(path):
    """True while any process, or another thread of this one, holds `lock(path)`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _take(descriptor):
    """True if the lock was got; one who only asks whether it is held has it for a moment, which is waited for."""
    for wait in (0.02, 0.1, 0):
        if _try(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(wait)
    return False


def _try(descriptor, kind):
    """True if the lock was got, or if the file system knows no locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
