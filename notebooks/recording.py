# %% [markdown]
# # Looking at a recording
#
# What programs do, where their windows lie, and how far they are from each other. The host is a
# made one; to look at your own, set `ODDCALL_RECORDING=clean/` or change the cell below.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse.linalg import svds

from oddcall.models import calls
from oddcall.models.explanation.explanation import NOTHING_SHARED
from oddcall.models.features import FeatureSpec
from oddcall.models.window import WindowBatch
from oddcall.training.recording import METADATA, RecordingWriter, read_batches, read_recording
from oddcall.training.report.looks import looks
from oddcall.training.synthetic import host

looks()
scratch = tempfile.TemporaryDirectory(prefix="oddcall-")
recording = os.environ.get("ODDCALL_RECORDING")
if not recording:
    recording = Path(scratch.name) / "clean"
    with RecordingWriter(recording, dict.fromkeys(METADATA, "made")) as writer:
        for batch in host(300, seed=4):
            writer.append(batch)

# %% [markdown]
# ## As a table
#
# `read_recording` gives a pandas DataFrame, one row a window of one process; counts are pairs of
# arrays. For many recordings at once there is `oddcall.training.lake.read_recordings`. As columns,
# the way oddcall itself reads, the same rows are a `WindowBatch`. `t_end` is when a window closed,
# UTC; shown are seconds since the recording began.

# %%
frame = read_recording(recording)
batch = WindowBatch.concat(list(read_batches(recording)))
scratch.cleanup()  # all is read
frame["name"] = [batch.programs[i].name for i in batch.program]
frame["second"] = (frame.t_end - frame.t_start.min()).dt.total_seconds().round(2)
frame[["second", "name", "pid", "n_events", "syscall_ids", "observed_s", "lost"]].head(3)

# %% [markdown]
# ## What programs do
#
# Shares of calls, by program: a darker field is a larger part of what the program asks of the
# kernel. The square root of the share is drawn (and is what the detectors see), since it shows
# what is rare beside what is common. Shown are the ten programs with the most windows; those of one
# name are taken together.

# %%
names = frame.name.value_counts().index[:10].tolist()
totals = np.zeros((len(names), 512))
for row, name in enumerate(names):
    mine = frame[frame.name == name]
    np.add.at(totals[row], np.concatenate(mine.syscall_ids.tolist()),
              np.concatenate(mine.syscall_counts.tolist()))  # fmt: skip
roots = np.sqrt(totals / np.maximum(totals.sum(axis=1, keepdims=True), 1))
columns = np.argsort(-roots.max(axis=0))[:24]
columns = columns[np.argsort(roots[:, columns].argmax(axis=0), kind="stable")]
figure, axes = plt.subplots(figsize=(9, 4))
field = axes.imshow(roots[:, columns], cmap="Blues", vmin=0, vmax=1, aspect="auto")
axes.set_xticks(range(len(columns)), [calls.name(c) for c in columns], rotation=60, ha="right")
axes.set_yticks(range(len(names)), names)
axes.grid(visible=False)
axes.set_title("Each program has its own few calls")
figure.colorbar(field, label="square root of the share of calls")
plt.show()

# %% [markdown]
# ## Where windows lie
#
# One vector a window (calls, steps between calls, failures and a few numbers), drawn in the two
# directions that hold most of their differences; of many windows, a sample of 4,000. Windows of a
# program lie together: that is why there is a baseline for each.

# %%
sample = np.sort(np.random.default_rng(0).permutation(len(batch))[:4000])
vectors = FeatureSpec().vectors(batch.take(sample)).toarray()
who = frame.name.to_numpy(str)[sample]
centred = vectors - vectors.mean(axis=0)
_, spread, directions = svds(centred, k=2, random_state=0)
place = centred @ directions[::-1].T
held = float((spread**2).sum() / (centred**2).sum())
figure, axes = plt.subplots(figsize=(8.5, 5))
for i, name in enumerate(names):
    mine = who == name
    axes.scatter(*place[mine].T, s=9, alpha=0.6, color=plt.colormaps["tab10"](i), label=name)
axes.set(xlabel="first direction", ylabel="second direction")
axes.set_title(f"Windows by program ({held:.0%} of the differences are in this plane)")
axes.legend(ncols=2, markerscale=2)
plt.show()

# %% [markdown]
# ## How far programs are from each other
#
# Left: the Hellinger distance of what programs do on the whole, divided by its largest value: 0 for
# the same calls and 1 for none in common. Right: how far each of 600 windows is from the nearest
# other one of its own program, and from the nearest of any other. These are distances of whole
# vectors, as detectors see them and `oddcall explain` prints them: calls, steps and failures each
# bring their own, up to 1.41, and windows that share neither a call nor a step lie 2 apart. Where
# the two histograms overlap, programs can be taken for each other.

# %%
apart = np.sqrt(np.maximum(1 - roots @ roots.T, 0))
chosen = np.random.default_rng(0).permutation(len(vectors))[:600]
drawn, label = vectors[chosen], who[chosen]
length = (drawn**2).sum(axis=1)
distance = np.sqrt(np.maximum(length[:, None] + length - 2 * drawn @ drawn.T, 0))
np.fill_diagonal(distance, np.inf)
same = label[:, None] == label
own = np.where(same, distance, np.inf).min(axis=1)
other = np.where(~same, distance, np.inf).min(axis=1)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4))
field = left.imshow(apart, cmap="magma_r", vmin=0, vmax=1)
left.set_xticks(range(len(names)), names, rotation=60, ha="right")
left.set_yticks(range(len(names)), names)
left.grid(visible=False)
left.set_title("Between programs")
figure.colorbar(field, ax=left, label="Hellinger distance")
edges = np.linspace(0, other[np.isfinite(other)].max(initial=NOTHING_SHARED), 41)
right.hist(own[np.isfinite(own)], edges, alpha=0.7, label="of its own program")
right.hist(other[np.isfinite(other)], edges, alpha=0.7, label="of another program")
right.axvline(NOTHING_SHARED, color="black", lw=1, ls=":", label="nothing in common")
right.set(xlabel="distance to the nearest window", ylabel="windows")
right.set_title("Between windows")
right.legend()
plt.show()
nearest_is_own = float(np.mean(own < other))
off = apart + 2 * np.eye(len(names))
closest = {names[i] for i in np.unravel_index(off.argmin(), off.shape)}
print(f"{nearest_is_own:.0%} of the windows are nearest to one of their own program")
print(f"most alike are {' and '.join(sorted(closest))}")
