"""Stands in for bench.measure.child: same arguments, no framework. What it does is told by FAKE_WORKER."""

import os
import signal
import sys
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.records.codec import encode
from bench.schema import Request
from tests.factories import just_now, make_run

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
        run = make_run(request.index, started_at=just_now(), cell=request.cell, order=request.order)
        Path(result_path).write_bytes(encode(run))
