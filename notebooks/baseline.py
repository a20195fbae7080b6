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
from oddcall.service.naming import shortened
from oddcall.training.fit import FitSettings, fit
from oddcall.training.lake import lake
from oddcall.training.recording import METADATA, RecordingWriter, read_batches, read_recording
from oddcall.training.report.looks import ATTACK, CLEAN, COLOURS, looks
from oddcall.training.splits import LEARNED, by_time
from oddcall.training.synthetic import attacks, host

looks()


def spoken(levels):
    """From where to where p-values are, in words."""
    return f"p = {levels.min():.1%} to {levels.max():.1%}" if len(levels) else "nowhere"


def write(folder, batches):
    """A made recording, as `oddcall record` would have written it."""
    with RecordingWriter(folder, dict.fromkeys(METADATA, "made")) as writer:
        for batch in batches:
            writer.append(batch)
    return folder


scratch = tempfile.TemporaryDirectory(prefix="oddcall-")
own = os.environ.get("ODDCALL_RECORDING")
recording = own or write(Path(scratch.name) / "clean", host(800, seed=1))

# %% [markdown]
# ## What was recorded
#
# One row is one window of one process: what it called in about a second. Programs that run all
# the time have a window each tick; those that live a moment have one in all.

# %%
frame = read_recording(recording)
minutes = (frame.t_end - frame.t_start.min()).dt.total_seconds() / 60
programs = frame.exe.value_counts()
print(f"{len(frame):,} windows of {len(programs)} programs in {minutes.max():.1f} minutes,")
print(f"{frame.n_events.sum():,} calls")
frame.groupby("exe").n_events.describe()[["count", "min", "50%", "max"]].astype(int).sort_values(
    "count", ascending=False
).head(8)

# %% [markdown]
# ## What is learned, and what is judged
#
# The first 60 % of the time are learned from. What comes later, after a short pause, is kept for
# the question whether the promise holds: a model must not be judged by what it has seen.

# %%
(source,) = lake([recording])
(fold,) = by_time([source])


def part(chooses):
    """Windows of one side, tick by tick."""
    for batch in read_batches(recording):
        rows = chooses(source, batch)
        if rows.any():
            yield batch.take(rows)


learned = list(part(fold.learns))
later = WindowBatch.concat(list(part(fold.judges)))
scratch.cleanup()  # all is read
print(f"{sum(map(len, learned)):,} windows to learn from, {len(later):,} later ones to judge")

# %% [markdown]
# ## Has enough been seen?
#
# A program is settled when it stops showing new things. Below, each line counts the kinds of
# call and of steps between two calls that a program had shown by then. A line that still climbs
# where learning ends is a program that is still being learned, whatever the clock says.

# %%
figure, axes = plt.subplots()
for exe in programs.index[:5]:
    mine = frame[frame.exe == exe]
    met, shown = set(), []
    for calls, steps in zip(mine.syscall_ids, mine.transition_ids, strict=True):
        met.update(calls.tolist())
        met.update((512 + steps).tolist())
        shown.append(len(met))
    name = exe.rsplit("/", 1)[-1] or "unknown program"
    axes.step(minutes[mine.index], shown, where="post", label=name)
axes.axvline(LEARNED * minutes.max(), color="black", lw=1, ls=":", label="learned until here")
axes.set(xlabel="minutes of recording", ylabel="calls and steps met so far", ylim=(0, None))
axes.set_title("What programs have shown")
figure.legend(ncols=3, loc="outside lower center")
plt.show()

# %% [markdown]
# ## Training
#
# Of each program's windows to learn from, the earlier part teaches and the later 40 % are kept from
# the detectors: they say how high clean scores go. The budget of one alert a day becomes one
# p-value for the host. With too few windows for a baseline of its own, a program is judged by what
# the programs most like it do. Below are those that were seen most, twelve at most.

# %%
settings = FitSettings(budget_per_day=1.0)
model = fit(learned, settings)
states = sorted(model.programs, key=lambda known: known.windows)[-12:]
names = shortened([known.program for known in states])
colour = {"ready": COLOURS[0], "learning": COLOURS[1], "collecting": COLOURS[5]}
figure, axes = plt.subplots(figsize=(8.5, 4.2))
axes.hlines(range(len(states)), 1, [known.windows for known in states], color=CLEAN, lw=1.2)
for state, shade in colour.items():
    mine = [i for i, known in enumerate(states) if known.readiness == state]
    axes.scatter([states[i].windows for i in mine], mine, color=shade, zorder=3, label=state)
enough = "enough for a baseline of its own"
axes.axvline(settings.min_windows, color="black", lw=1, ls=":", label=enough)
axes.set_yticks(range(len(states)), names)
axes.set(xscale="log", xlim=(1, None), xlabel="windows seen in training")
axes.set_title("Who is known, and how well")
figure.legend(ncols=4, loc="outside lower center")
plt.show()
print(f"a window alerts at p <= {model.threshold:.1e}")
print(f"false alerts to expect: {model.expected_alerts_per_day:.2g} a day")

# %% [markdown]
# ## Does a p-value mean what it says?
#
# The later windows, of the same host. Of clean ones, 10 % should get a p-value of 10 % or less.
# Below the line oddcall is more cautious than it promises, above it less; the band is a factor of
# 1.5. Windows of programs that were never met are not judged. If something odd was done in the
# later part of your recording, it is counted here as clean.
#
# On the made host the curve leaves the band downwards, at its lower end: the smallest p-values come
# more seldom than promised, which is the side to err on. Programs that do the same every time tie;
# a window a little past all that were kept from the detectors ties with the farthest of them; and
# a tie counts against the alert. Also, of `n` windows kept a count goes no further than 1 in
# `n + 1`. Only what is far beyond all of them gets a smaller p-value, from the shape of their tail.

# %%
BAND = 1.5
verdicts = model.judge(later)
p = np.sort(verdicts.p_value[verdicts.ready])
came = np.arange(1, len(p) + 1) / len(p)
promised = np.geomspace(1 / len(p), 0.5, 400)
realised = np.searchsorted(p, promised, side="right") / len(p)
seldom, often = promised[realised < promised / BAND], promised[realised > promised * BAND]
least = 0.5 / len(p)
ends = np.array([least, 1])
figure, axes = plt.subplots(figsize=(6.2, 4.2))
axes.plot(ends, ends, color="black", lw=1, ls=":", label="as promised")
axes.fill_between(ends, ends / BAND, ends * BAND, color=CLEAN, alpha=0.3, lw=0, label="within 1.5")
axes.step(np.append(p[0], p), np.append(least, came), where="post", label="later windows")
if len(seldom):
    out = float(seldom.max())
    axes.annotate(f"more seldom than promised\nfrom p = {out:.1%} down", (out, out / BAND),
                  (0.62, 0.2), textcoords="axes fraction", fontsize=9,
                  arrowprops={"arrowstyle": "-", "lw": 0.8})  # fmt: skip
axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
axes.set(xlabel="p-value", ylabel="share of later windows at or below")
axes.set_title("What was promised, and what came")
axes.legend(loc="upper left")
plt.show()
false_alerts = int(verdicts.alert.sum())
at_five, at_one = float(np.mean(p <= 0.05)), float(np.mean(p <= 0.01))
print(f"{len(p):,} of {len(later):,} later windows judged, {false_alerts} of them alert;")
print(
    f"{at_five:.1%} have a p-value at or below 5 %, {at_one:.1%} at or below 1 %; least: {p[0]:.1%}"
)
print(f"more seldom than the band allows: {spoken(seldom)}; more often: {spoken(often)}")
tail = model.calibration.group[verdicts.profile[verdicts.ready]]
kept = model.calibration.total.effective[tail]  # windows that count, behind each later one
as_odd = np.maximum(verdicts.p_value[verdicts.ready] * (kept + 1) - 1, 0)
oddest = [int(as_odd[tail == each].min().round()) for each in np.unique(tail)]
print(
    f"of each program {kept.min():.0f} to {kept.max():.0f} windows were kept, so a count ends at",
    end=" ",
)
print(f"p = {1 / (kept.max() + 1):.1%} to {1 / (kept.min() + 1):.1%};")
print(f"{min(oddest)} to {max(oddest)} of them were at least as odd as the oddest later one")

# %% [markdown]
# ## And odd minutes?
#
# On the made host three attacks follow inside the web server's own process, each a handful of
# windows among its usual work. What to make of one such alert is the notebook `explanation`.
# In a recording of your own nothing is known to be odd: there the plot shows the later windows and
# where alerts begin. `oddcall simulate` does odd but harmless things to try it with.

# %%
found, farthest = {}, {}
for name, batches in ({} if own else attacks(seed=3, second=1300.0)).items():
    odd = model.judge(WindowBatch.concat(batches))
    found[name], farthest[name] = bool(odd.alert.any()), float(odd.p_value.min())
figure, axes = plt.subplots(figsize=(8.5, 2.6))
axes.hist(-np.log10(p), bins=60, color=CLEAN, label="later windows")
axes.axvline(-np.log10(model.threshold), color="black", lw=1, ls="--", label="alerts from here on")
line = {"arrowstyle": "-", "color": ATTACK, "relpos": (1, 0)}
for rank, (name, value) in enumerate(sorted(farthest.items(), key=lambda odd: -odd[1])):
    # Each label higher than the last, and left of its dot: two attacks can be equally far.
    axes.plot(-np.log10(value), 2, "o", color=ATTACK)
    axes.annotate(name, (-np.log10(value), 2), (-5, 10 + 17 * rank), textcoords="offset points",
                  ha="right", arrowprops=line)  # fmt: skip
axes.set(yscale="log", xlabel="unlikeliness: minus the decimal logarithm of p", ylabel="windows")
axes.set_title("Far from anything clean" if farthest else "Later windows, and where alerts begin")
axes.legend(loc="upper center")
plt.show()
print(", ".join(f"{name}: p = {value:.0e}" for name, value in farthest.items()) or
      "a recording of one's own: nothing in it is known to be odd")  # fmt: skip
