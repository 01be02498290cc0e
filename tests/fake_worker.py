"""Stands in for bench.measure: same arguments, no framework. What it does is told by FAKE_WORKER."""

import os
import signal
import sys
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.records.codec import encode
from bench.schema import Request
from tests.factories import run_now

if __name__ == "__main__":
    request_path, result_path = sys.argv[-2:]
    behaviour = os.environ.get("FAKE_WORKER", "works")
    request = msgspec.json.decode(Path(request_path).read_bytes(), type=Request)
    if behaviour == "hangs":
        time.sleep(60)
    elif behaviour == "dies":
        print("ValueError: something broke", file=sys.stderr)
        sys.exit(3)
    elif behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        run = run_now(request)
        Path(result_path).write_bytes(encode(run))
