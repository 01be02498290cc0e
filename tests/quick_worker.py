"""Stands in for bench.measure where hundreds of sessions are killed: waits, then reports a run made beforehand.

It imports nothing that takes time; the runs are files of the folder named by QUICK_RUNS, by workload. While that folder
holds a file "hold", no run ends.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if __name__ == "__main__":
    from bench.measure.__main__ import die_with_parent

    die_with_parent()
    request, result = (Path(name) for name in sys.argv[-2:])
    asked = json.loads(request.read_bytes())
    run = json.loads(Path(os.environ["QUICK_RUNS"], f"{asked['cell']['workload']}.json").read_bytes())
    if run["flop_per_step"]:
        run["flop_per_step"] = 2.0 * asked["cell"]["params"]["n"] ** 3
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    time.sleep(0.1)
    while Path(os.environ["QUICK_RUNS"], "hold").exists():
        time.sleep(0.05)
    result.write_text(json.dumps(run | {"index": asked["index"], "order": asked["order"], "started_at": now}))
    os._exit(0)
