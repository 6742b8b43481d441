"""Bars for what takes longer than a moment, on a terminal only."""

from contextlib import contextmanager


@contextmanager
def bars():
    """A function (what, done, total) that moves a bar on stderr; without a terminal nothing is shown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description:18}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        tasks = {}

        def tell(what, done, total):
            task = tasks[what] if what in tasks else tasks.setdefault(what, shown.add_task(what, total=total))
            shown.update(task, completed=done, total=total)

        yield tell
