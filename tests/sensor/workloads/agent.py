"""A sensor in a process of its own: a line of JSON a tick until SIGTERM, and then the last one.

Usage: agent.py LOADER INTERVAL_S PID: tells of that process how many getppid calls it made.
"""

import json
import signal
import sys
import time

import numpy as np

from oddcall.models import calls
from oddcall.sensor.sensor import Sensor, SensorSettings

# Room for all that a busy host may begin while this is stopped; and never slowed down.
settings = SensorSettings(
    interval_s=float(sys.argv[2]), loader=sys.argv[1], max_processes=16_384, max_cpu=1.0
)
began = time.monotonic()
with Sensor(settings) as sensor:
    signal.signal(signal.SIGTERM, lambda *_: sensor.stop())
    for tick in sensor.ticks():
        rows = tick.windows.take(tick.windows.pid == int(sys.argv[3]))
        made = int(rows.syscalls.to_dense()[:, calls.number("getppid")].sum())
        late = float(np.max(rows.late_s, initial=0.0))
        told = {
            "late_s": tick.late_s,
            "lost": tick.lost,
            "made": made,
            "window_late_s": late,
            "running_s": time.monotonic() - began,
        }
        print(json.dumps(told), flush=True)
