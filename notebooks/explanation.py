# %% [markdown]
# # What an alert says, and why
#
# From one alert back to the windows and numbers behind it. The alert is of a made web server that
# begins to connect to many ports; for your own, load your bundle with
# `oddcall.models.bundle.load_bundle` and your recording with
# `oddcall.training.recording.read_batches` in the cell below.

# %%
import textwrap

import matplotlib.pyplot as plt
import numpy as np

from oddcall.models.explanation.explanation import NOTHING_SHARED, explain
from oddcall.models.window import WindowBatch
from oddcall.training.fit import FitSettings, fit
from oddcall.training.report.looks import ATTACK, CLEAN, COLOURS, looks
from oddcall.training.synthetic import attacks, host

looks()
model = fit(host(300, seed=1), FitSettings(budget_per_day=1.0))
before = host(120, seed=2, start=1000.0)
(scan,) = attacks(seed=3, second=1120.0)["scan"]
batch = WindowBatch.concat([*before, scan])
verdicts = model.judge(batch)
row = int(np.argmin(verdicts.p_value))
why = explain(model, batch, row, verdicts)

# %% [markdown]
# ## The sentence
#
# It names what was done and against what, in counts that one can look up.

# %%
print(textwrap.fill(why.sentence, 80))
for hint in why.hints:
    print()
    print(textwrap.fill(f"{hint.technique}: {hint.why}", 80))

# %% [markdown]
# ## Observed against typical
#
# For each of the features behind the verdict: the grey bar is where 90 % of the baseline's
# windows are, the tick is their median, the dot is this window. A dot without a bar is something
# that the program did in one window of twenty at most, if ever. What is no share of anything, such
# as calls a second, is written below the plot.

# %%
top = why.top[::-1]
shares = [feature for feature in top if "share" in feature.feature]
figure, axes = plt.subplots(figsize=(8.5, 0.45 * len(shares) + 1.2))
for place, feature in enumerate(shares):
    axes.plot([feature.q05, feature.q95], [place, place], color=CLEAN, lw=8, solid_capstyle="butt")
    axes.plot([feature.q50], [place], "|", color="black", ms=11)
    axes.plot([feature.observed], [place], "o", color=ATTACK)
axes.set_yticks(range(len(shares)), [feature.feature for feature in shares])
axes.set(xlabel="share", xlim=(-0.01, None))
axes.set_title("What was unusual")
plt.show()
for feature in why.top:
    if feature not in shares:
        typical = f"typically {feature.q05:,.1f} to {feature.q95:,.1f}"
        print(f"{feature.feature}: {feature.observed:,.1f}, {typical}")

# %% [markdown]
# ## How much each weighs
#
# The verdict's evidence is split over its features. Calls that belong to one cause share it.

# %%
figure, axes = plt.subplots(figsize=(8.5, 0.4 * len(top) + 1))
axes.barh([f.feature for f in top], [f.contribution for f in top], color=COLOURS[0])
axes.set(xlabel="part of the verdict")
axes.set_title("What the verdict rests on")
plt.show()
explained = sum(feature.contribution for feature in why.top)

# %% [markdown]
# ## By which detector
#
# Each detector gives a p-value of its own. Novelty speaks of what was never seen, the other two of
# known things in another mixture; the stronger kind decides.

# %%
by_detector = {name: float(p[row]) for name, p in verdicts.detectors.items()}
figure, axes = plt.subplots(figsize=(8.5, 2.3))
axes.barh(list(by_detector), [-np.log10(p) for p in by_detector.values()], color=COLOURS[2])
axes.axvline(-np.log10(model.threshold), color="black", lw=1, ls="--", label="alerts from here on")
axes.set(xlabel="unlikeliness: minus the decimal logarithm of p")
axes.legend(loc="lower right")
axes.set_title("Who says so")
plt.show()

# %% [markdown]
# ## When it began
#
# The same process in the two minutes before: nothing near the line, then one window far beyond.

# %%
mine = batch.pid == batch.pid[row]
seconds = (batch.t_end_ns[mine] - batch.t_end_ns[row]) / 1e9
figure, axes = plt.subplots(figsize=(8.5, 3))
axes.stem(seconds, -np.log10(verdicts.p_value[mine]), basefmt=" ", linefmt=CLEAN, markerfmt=" ")
axes.plot([0], [-np.log10(verdicts.p_value[row])], "o", color=ATTACK, label="the alert")
axes.axhline(-np.log10(model.threshold), color="black", lw=1, ls="--")
axes.set(xlabel="seconds before the alert", ylabel="minus log10 of p")
axes.set_title("When it began")
axes.legend(loc="upper left")
plt.show()
onset = float(seconds[verdicts.alert[mine]].min())

# %% [markdown]
# ## What it is most like
#
# The windows of the baseline nearest to this one, of those that are kept whole. Distance is
# Hellinger's: 0 for the same, 1.41 for calls of which none is shared. As steps between two calls
# count beside the calls, windows with nothing in common lie 2 apart. What is usual is beside it:
# how far windows of the baseline are from their own nearest. `oddcall explain` gives both.

# %%
kept = model.profiles[int(verdicts.profile[row])].exemplars
usual = np.array([kept.usual(i) for i in range(len(kept.pid))])
for near in why.nearest_windows:
    what = f"{near['start'][11:19]}  {near['events']:>6,} calls"
    print(f"{what}  distance {near['distance']:.2f}, usual {near['usual_distance']:.2f}")
apart = why.nearest_windows[0]["distance"]
middle, most = np.quantile(usual, [0.5, 0.95])
print(f"usual among {len(usual)} windows of the baseline: {middle:.2f}, of 95 % at most {most:.2f}")
figure, axes = plt.subplots(figsize=(8.5, 2.9))
edges = np.linspace(0, NOTHING_SHARED, 81)
axes.hist(usual, edges, color=CLEAN, label="windows of the baseline")
axes.axvline(apart, color=ATTACK, lw=2, label="this window")
axes.axvline(NOTHING_SHARED, color="black", lw=1, ls=":", label="nothing in common")
axes.set(xlim=(0, 2.05), xlabel="distance to the nearest window", ylabel="windows")
axes.set_title("Nothing like it was kept")
figure.legend(ncols=3, loc="outside lower center")
plt.show()
