"""The tour: digits → check → train → report → explain → export, saying at each step how to do it yourself."""

import io
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.panel import Panel

from kcnn import api
from kcnn.disk import write_atomically
from kcnn.resources import RUNS

SOURCE, RECIPE = "builtin:digits", "classify/digits"


def tour(runs=RUNS, seed=0):
    """Run the whole tour below the folder `runs`; returns the finished `Run`."""
    console = Console(soft_wrap=True)
    console.print(Panel("kcnn: from pictures to a served network, on 1 797 real handwritten digits", expand=False))

    _step(console, 1, "Look at the data", f'kcnn.check_data("{SOURCE}")', f"kcnn check {SOURCE}")
    found = api.check_data(SOURCE)
    console.print(f"   {found.format}; " + ", ".join(f"{split} {len(s)}" for split, s in found.splits.items()))

    call, command = f'run = kcnn.build_and_fit("{RECIPE}")', f"kcnn fit {RECIPE}   (the file recipes/{RECIPE}.toml)"
    _step(console, 2, "Train", call, command)
    run = api.build_and_fit(RECIPE, **{"runtime.runs": runs, "runtime.seed": seed})

    _step(console, 3, "Read the report", "run.metrics, run.report", f"{run.report}")
    figures = run.metrics
    console.print(f"   {figures['accuracy']:.2%} of {figures['samples']} digits it has never seen are right")

    picture = _a_digit(run, Path(run.path) / "digit.png")
    _step(console, 4, "Ask it about a picture", 'run.predict("digit.png")', f"kcnn predict {run.path} {picture}")
    answer = run.predict(str(picture))
    console.print(f"   it sees a {answer['label']}, score {answer['score']:.3f}")

    overlay = Path(run.path) / "digit-grad-cam.png"
    _step(console, 5, "See where it looked", 'run.explain("digit.png")', f"kcnn explain {run.path} {picture}")
    run.explain(str(picture), path=overlay)
    console.print(f"   wrote {overlay}")

    _step(console, 6, "Ship it", 'run.export("saved_model")', f"kcnn export {run.path}")
    console.print(f"   wrote {run.export('saved_model')}; TensorFlow alone can serve it")
    console.print(f"\n[bold]Done.[/] All of it is in {run.path}. Next: your own pictures, one folder a class:")
    console.print("   kcnn fit --data photos/ --architecture resnet18 --epochs 20", highlight=False)
    return run


def _step(console, number, title, call, command):
    console.print(f"\n[bold cyan]{number}. {title}[/]", highlight=False)
    console.print(f"   Python   {call}\n   shell    {command}", highlight=False, style="dim", soft_wrap=True)


def _a_digit(run, path):
    """Save one test digit as a PNG; raises `WriteError` if the disk refuses."""
    from PIL import Image

    opened = api.check_data(SOURCE, seed=run.recipe.runtime.seed)
    picture = np.asarray(opened.splits["test"].images.values[0])
    content = io.BytesIO()
    Image.fromarray(picture.squeeze(-1)).save(content, "PNG")
    write_atomically(path, content.getvalue())
    return path
