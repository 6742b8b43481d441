"""Serve a run's SavedModel by TensorFlow Serving, and ask it about pictures as they lie on disk.

    kcnn export runs/resnet18-photos-1
    python recipes/serving/tensorflow_serving.py lay runs/resnet18-photos-1 models/
    docker run --rm -p 8501:8501 -v "$PWD/models:/models" -e MODEL_NAME=resnet18-photos-1 tensorflow/serving
    python recipes/serving/tensorflow_serving.py ask http://localhost:8501 resnet18-photos-1 cat.jpg dog.png

The export decodes, frames and names by itself, so that a client sends a file's bytes and needs neither TensorFlow nor
kcnn: Python's own library is enough, and any other language's. The same folder answers gRPC on port 8500. Whoever
reaches a port of TensorFlow Serving may ask it: put it behind your own door.
"""

import argparse
import base64
import json
import shutil
import urllib.parse
import urllib.request
from pathlib import Path

SIGNATURE = "from_bytes"


def lay(run, folder):
    """Lay a run's SavedModel where TensorFlow Serving looks for versions; returns the path of the new version."""
    source, model = Path(run) / "exports" / "saved_model", Path(folder) / Path(run).name
    if not source.is_dir():
        raise SystemExit(f"{source} is not there: kcnn export {run}")
    versions = [int(path.name) for path in model.glob("*") if path.name.isdecimal()]
    target = model / str(max(versions, default=0) + 1)
    draft = model / f".draft-{target.name}"  # no number: a server that watches does not load half a model
    shutil.copytree(source, draft)
    draft.rename(target)
    return target


def request(contents):
    """The body of a REST request about pictures, given as the bytes of their files."""
    instances = [{"bytes": {"b64": base64.b64encode(content).decode()}} for content in contents]
    return json.dumps({"signature_name": SIGNATURE, "instances": instances})


def answers(reply):
    """A dict for each picture from the body of the server's reply; what ends in _bytes comes back as bytes."""
    return [
        {key: base64.b64decode(value["b64"]) if key.endswith("_bytes") else value for key, value in row.items()}
        for row in json.loads(reply)["predictions"]
    ]


def ask(server, model, pictures):
    """What the model of that name at `server` (http://host:8501) says of picture files: a dict for each."""
    body = request([Path(picture).read_bytes() for picture in pictures]).encode()
    address = f"{server.rstrip('/')}/v1/models/{urllib.parse.quote(model)}:predict"
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as reply:
        return answers(reply.read())


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    laying = verbs.add_parser("lay", help="copy a run's SavedModel into a folder of models, as its newest version")
    laying.add_argument("run")
    laying.add_argument("folder")
    asking = verbs.add_parser("ask", help="ask a server about pictures: one line of JSON each")
    asking.add_argument("server")
    asking.add_argument("model")
    asking.add_argument("pictures", nargs="+")
    asked = parser.parse_args(words)
    if asked.verb == "lay":
        print(lay(asked.run, asked.folder))
        return
    for picture, answer in zip(asked.pictures, ask(asked.server, asked.model, asked.pictures), strict=True):
        said = {key: f"{len(value)} bytes" if isinstance(value, bytes) else value for key, value in answer.items()}
        print(json.dumps({"picture": picture} | said, ensure_ascii=False))


if __name__ == "__main__":
    main()
