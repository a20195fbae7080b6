# %% [markdown]
# # A baseline, and what it makes of an odd minute
#
# Cells are marked with `# %%`: Jupyter (through jupytext), VS Code and others open this file as a
# notebook, and `python notebooks/baseline.py` runs it from top to bottom. It makes its own small
# host of a web server, a database and compiler work, so it needs no root. To look at a real host
# instead, record one with `oddcall record -o clean/` and use `read_batches("clean/")` below.

# %%
import tempfile
from pathlib import Path

import numpy as np

from oddcall.models.explanation import explain
from oddcall.models.window import WindowBatch
from oddcall.training.fit import FitSettings, fit
from oddcall.training.recording import METADATA, RecordingWriter, read_recording
from oddcall.training.synthetic import attacks, host

# %% [markdown]
# ## Ten clean minutes
# A tick is one batch of columns, a row for each window that closed.

# %%
clean = host(600, seed=1)
every = WindowBatch.concat(clean)
print(f"{len(every):,} windows of {len(every.programs)} programs, {every.n_events.sum():,} calls")

# %% [markdown]
# ## As a recording, in pandas
# `read_recording` gives one row a window; the counts are pairs of arrays.

# %%
with tempfile.TemporaryDirectory() as folder:
    with RecordingWriter(Path(folder) / "clean", dict.fromkeys(METADATA, "made")) as writer:
        for batch in clean:
            writer.append(batch)
    frame = read_recording(Path(folder) / "clean")
print(frame.groupby("exe").n_events.describe()[["count", "50%", "max"]].round(0).to_string())

# %% [markdown]
# ## Training
# Earlier windows teach, later ones calibrate; the budget becomes one p-value for the whole host.

# %%
model = fit(clean, FitSettings(budget_per_day=1.0))
for known in model.programs:
    state = f"{known.readiness:10} by {known.level}"
    print(f"{known.program.name:12} {known.windows:5} windows  {state}")
print(f"a window alerts at p <= {model.threshold:.1e}; {model.expected_alerts_per_day:.1f} a day")

# %% [markdown]
# ## Ten later minutes, and three attacks
# Later clean time should stay below the budget. Each attack is a handful of windows of the web
# server's own process.

# %%
later = host(600, seed=2, start=600.0)
false_alerts = sum(int(model.judge(batch).alert.sum()) for batch in later)
print(f"later clean time: {false_alerts} alerting windows of {sum(map(len, later)):,}")

found = {}
for name, batches in attacks(seed=3, second=1300.0).items():
    batch = WindowBatch.concat(batches)
    verdicts = model.judge(batch)
    row = int(np.argmin(verdicts.p_value))
    found[name] = bool(verdicts.alert[row])
    print(f"\n{name}: p = {verdicts.p_value[row]:.1e}, {'alert' if found[name] else 'missed'}")
    print(f"  {explain(model, batch, row, verdicts).sentence}")
