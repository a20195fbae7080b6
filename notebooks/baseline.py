# %% [markdown]
# # A baseline on a clean host
#
# What has to be seen before oddcall may judge a program, and how to tell that it was enough.
# This notebook makes its own small host (a web server, a database, a compiler's work), so it
# needs no root. For a real one: `oddcall record -o clean/ --duration 1h`, then set
# `ODDCALL_RECORDING=clean/` or change the cell below.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from oddcall.models.window import WindowBatch
from oddcall.training.fit import FitSettings, fit
from oddcall.training.recording import METADATA, RecordingWriter, read_batches, read_recording
from oddcall.training.report.looks import ATTACK, CLEAN, COLOURS, looks
from oddcall.training.synthetic import attacks, host

looks()


def write(folder, batches):
    """A made recording, as `oddcall record` would have written it."""
    with RecordingWriter(folder, dict.fromkeys(METADATA, "made")) as writer:
        for batch in batches:
            writer.append(batch)
    return folder


here = Path(tempfile.mkdtemp(prefix="oddcall-"))
recording = os.environ.get("ODDCALL_RECORDING") or write(here / "clean", host(480, seed=1))

# %% [markdown]
# ## Eight clean minutes
#
# One row is one window of one process: what it called in about a second. Programs that run all
# the time have a window each tick; those that live a moment have one in all.

# %%
frame = read_recording(recording)
seconds = (frame.t_end - frame.t_end.min()).dt.total_seconds()
programs = frame.exe.value_counts()
print(f"{len(frame):,} windows of {len(programs)} programs, {frame.n_events.sum():,} calls")
frame.groupby("exe").n_events.describe()[["count", "min", "50%", "max"]].astype(int).sort_values(
    "count", ascending=False
).head(8)

# %% [markdown]
# ## Has enough been seen?
#
# A program is settled when it stops showing new things. Below, each line counts the kinds of
# call and of steps between two calls that a program had shown by then. A line that still climbs
# at the right edge is a program that is still being learned, whatever the clock says.

# %%
figure, axes = plt.subplots()
for exe in programs.index[:5]:
    mine = frame[frame.exe == exe]
    met, shown = set(), []
    for calls, steps in zip(mine.syscall_ids, mine.transition_ids, strict=True):
        met.update(calls.tolist())
        met.update((512 + steps).tolist())
        shown.append(len(met))
    axes.step(seconds[mine.index] / 60, shown, where="post", label=exe.rsplit("/", 1)[-1])
axes.set(xlabel="minutes of recording", ylabel="calls and steps met so far", ylim=(0, None))
axes.set_title("What a program has shown flattens out")
axes.legend(ncols=5, loc="lower right")
plt.show()

# %% [markdown]
# ## Training
#
# The earlier 60 % of each program's windows teach, the later 40 % are kept from the detectors and
# say how high clean scores go. The budget of one alert a day becomes one p-value for the host.

# %%
model = fit(read_batches(recording), FitSettings(budget_per_day=1.0))
states = sorted(model.programs, key=lambda known: known.windows)[-12:]
colour = {"ready": COLOURS[0], "learning": COLOURS[1], "collecting": COLOURS[5]}
figure, axes = plt.subplots(figsize=(8.5, 4.2))
axes.barh(
    [known.program.name for known in states],
    [known.windows for known in states],
    color=[colour[known.readiness] for known in states],
)
for state, shade in colour.items():
    axes.barh(0, 0, color=shade, label=state)
axes.axvline(40, color="black", lw=1, ls=":")
axes.text(44, len(states) - 0.45, "enough for a baseline of its own", va="bottom", fontsize=9)
axes.set(xlabel="windows seen in training")
axes.legend(loc="lower right")
axes.set_title("Who is known, and how well", pad=14)
plt.show()
print(f"a window alerts at p <= {model.threshold:.1e}")
print(f"false alerts to expect: {model.expected_alerts_per_day:.2g} a day")

# %% [markdown]
# ## Does a p-value mean what it says?
#
# Eight later minutes of the same host. Of clean windows, 1 % should get a p-value of 1 % or less.
# Below the line oddcall is more cautious than it promises, above it less.

# %%
later = WindowBatch.concat(host(480, seed=2, start=480.0))
verdicts = model.judge(later)
p = np.sort(verdicts.p_value[verdicts.ready])
came = np.arange(1, len(p) + 1) / len(p)
figure, axes = plt.subplots(figsize=(5.2, 4.2))
axes.plot([1e-4, 1], [1e-4, 1], color="black", lw=1, ls=":", label="as promised")
axes.fill_between([1e-4, 1], [1e-4 / 1.5, 1 / 1.5], [1.5e-4, 1.5], color=CLEAN, alpha=0.3, lw=0)
axes.step(p, came, where="post", label="later clean time")
axes.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-4, 1))
axes.set(xlabel="p-value", ylabel="share of clean windows at or below")
axes.set_title("Promised and kept")
axes.legend(loc="upper left")
plt.show()
false_alerts = int(verdicts.alert.sum())
at_five = float(np.mean(p <= 0.05))
print(f"{len(later):,} later windows: {false_alerts} alerts, {at_five:.1%} with p at or below 5 %")

# %% [markdown]
# ## And odd minutes?
#
# Three attacks inside the web server's own process, each a handful of windows among its usual
# work. What to make of one such alert is the notebook `explanation`.

# %%
found, least = {}, {}
for name, batches in attacks(seed=3, second=1300.0).items():
    odd = model.judge(WindowBatch.concat(batches))
    found[name], least[name] = bool(odd.alert.any()), float(odd.p_value.min())
figure, axes = plt.subplots(figsize=(8.5, 2.6))
clean = -np.log10(verdicts.p_value[verdicts.ready])
axes.hist(clean, bins=60, color=CLEAN, label="later clean windows")
axes.axvline(-np.log10(model.threshold), color="black", lw=1, ls="--", label="alerts from here on")
for name, value in least.items():
    axes.plot(-np.log10(value), 2, "o", color=ATTACK)
    axes.annotate(name, (-np.log10(value), 2), (0, 8), textcoords="offset points", ha="center")
axes.set(yscale="log", xlabel="unlikeliness: minus the logarithm of p", ylabel="windows")
axes.set_title("Far from anything clean")
axes.legend(loc="upper right")
plt.show()
print(", ".join(f"{name}: p = {value:.0e}" for name, value in least.items()))
