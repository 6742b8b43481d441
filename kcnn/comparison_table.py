"""`kcnn compare` for people: tables of what `comparison.compare` found."""

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from kcnn.evaluation import short_name


def show(found, console):
    """Print the tables of `found` on a rich `console`."""
    console.print(_recipes(found) if found["recipe"] else "The recipes are the same.")
    if found["learned"]:
        counts = ", ".join(f"{run['name']} {n}" for run, n in zip(found["runs"], found["learned"], strict=True))
        console.print(f"They learned from other pictures ({counts}): what is better may be so because of those.")
    for split, rows in found["differences"].items():
        console.print(_figures(found, split))
        for row in rows:
            console.print(_verdict(row, found["runs"][0]["name"], split), soft_wrap=True)


def _recipes(found):
    table = Table("recipe", *(escape(run["name"]) for run in found["runs"]), title="Where the recipes differ")
    for key, values in found["recipe"].items():
        table.add_row(Text(key), *(Text("none" if value is None else str(value)) for value in values))
    return table


def _figures(found, split):
    title = f"Scores on {escape(split)}, with 95 % intervals"
    table = Table(escape(split), *(escape(run["name"]) for run in found["runs"]), title=title)
    rows = [run["splits"].get(split) for run in found["runs"]]
    table.add_row("pictures", *("" if row is None else str(row["samples"]) for row in rows))
    if any(row and row["uses"] for row in rows):
        table.add_row("times used", *("" if row is None else str(row["uses"]) for row in rows))
    for key in dict.fromkeys(key for row in rows if row for key in row["figures"]):
        table.add_row(short_name(key), *(_cell(row and row["figures"].get(key)) for row in rows))
    return table


def _cell(figure):
    if not figure or figure["value"] is None:
        return "—"
    ends = figure["interval"]
    return f"{figure['value']:.4f}" + (f" ({ends[0]:.4f} to {ends[1]:.4f})" if ends else "")


def _verdict(row, first, split):
    """One paragraph: which run is better on the same pictures, and how sure that is."""
    name = row["run"]
    if "refused" in row:
        return Text(f"{name} against {first}: {row['refused']}")
    lines = [f"{name} against {first}, on the same {row['samples']} pictures of {split}:"]
    if any(row["apart"]):
        lines.append(f"  left out: {row['apart'][0]} that only {first} has, {row['apart'][1]} that only {name} has")
    for key, found in row.items():
        if isinstance(found, dict) and found["interval"]:
            low, high = found["interval"]
            words = f"{short_name(key):22s} {found['difference']:+.4f} ({low:+.4f} to {high:+.4f})"
            sure = "no difference shown" if found["verdict"] == "alike" else f"{name} is {found['verdict']}"
            lines.append(f"  {words}: {sure}")
    if "mcnemar_p" in row:
        only = f"{row['only_second']} pictures right only by {name}, {row['only_first']} only by {first}"
        lines.append(f"  {only} (McNemar p = {row['mcnemar_p']:.3g})")
    return Text("\n".join(lines) + "\n")
