"""A process that loads TensorFlow once and forks a child for each training: a start costs no import.

Forking is sound only because nothing has been computed before: TensorFlow makes its threads at the first operation.
"""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

from tests.crash import jobs

ROOT = Path(__file__).parents[2]


class Nursery:
    """Use as a context manager; `start` and `wait` for children, which write what they say to `log`."""

    def __init__(self, log):
        self.log = Path(log)

    def __enter__(self):
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.crash.nursery", str(self.log)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, env=environment, cwd=ROOT, **pipes)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def start(self, job, **arguments):
        """Fork a child that runs `jobs.JOB(**arguments)`; returns its process id."""
        return self._ask({"job": job, "arguments": arguments})

    def wait(self, pid):
        """The child's end: 0, 1 after an exception (see the log), or minus the signal that killed it."""
        return self._ask({"wait": pid})

    def do(self, job, **arguments):
        """Start a job and wait for it."""
        return self.wait(self.start(job, **arguments))

    def said(self):
        """All that children said so far."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def _ask(self, words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def serve(log):
    """Answer each line of stdin with a line of stdout."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(1, 2)
    jobs.load()
    for line in sys.stdin:
        words = json.loads(line)
        if "wait" in words:
            _, status = os.waitpid(words["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork() or _live(words)
        answers.write(f"{answer}\n")
        answers.flush()


def _live(words):
    """The child: it ends here."""
    status = 1
    try:
        getattr(jobs, words["job"])(**words["arguments"])
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
