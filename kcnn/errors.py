"""The one exception that means "the input is wrong", not "the program is wrong".

The command line prints its message as a single line and exits with its status, which is 2, and 3 where another worker
is to blame;
everything else is a bug and keeps its traceback.
"""

from difflib import get_close_matches


class UserError(ValueError):
    """A mistake in what the user gave: names the argument, the rule, the value and the way out."""

    status = 2  # of the command that it ends


class LostWorker(UserError):
    """A process that trains with this one is gone, so that this one cannot go on; why, that one has said."""

    status = 3


def unknown_name(kind, name, known):
    """The error for a `name` that is no `kind`: it suggests the closest of `known`.

    Returns a `UserError` to raise, such as "unknown architecture 'resnet5': did you mean 'resnet50'?".
    """
    known = sorted(map(str, known))
    close = get_close_matches(str(name), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known: {', '.join(known) or 'none'}"
    return UserError(f"unknown {kind} {str(name)!r}: {hint}")
