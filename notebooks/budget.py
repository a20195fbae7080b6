# %% [markdown]
# # Choosing a budget
#
# How many alerts a day would one have read, on one's own history, under another budget? Here the
# history is a made one: five clean minutes to learn from, and five more in which three things
# were done to the web server. On a host that is watched with `--record kept/`, the command is
#
#     oddcall replay kept/ --model host.oddcall --what-if budget=5/day,budget=1/week,interval=5s

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from oddcall.models.budget import LAXEST
from oddcall.models.window import WindowBatch
from oddcall.service.config.settings import AlertSection
from oddcall.service.replay.alternatives import compare, parse
from oddcall.service.replay.alternatives_text import table
from oddcall.training.fit import FitSettings, fit
from oddcall.training.recording import METADATA, RecordingWriter
from oddcall.training.report.looks import ATTACK, CLEAN, COLOURS, looks
from oddcall.training.synthetic import attacks, host

looks()

# %% [markdown]
# ## A history, and a model of what came before it

# %%
model = fit(host(300, seed=1), FitSettings(budget_per_day=1.0))
ticks = host(300, seed=2, start=1000.0)
done = {}
for at, (name, batches) in zip((75, 150, 225), attacks(5, second=1000.0).items(), strict=True):
    odd = WindowBatch.concat(batches)
    by = at * 1_000_000_000
    odd = replace(odd, t_start_ns=odd.t_start_ns + by, t_end_ns=odd.t_end_ns + by)
    ticks[at] = WindowBatch.concat([ticks[at], odd])
    done[name] = at
scratch = tempfile.TemporaryDirectory(prefix="oddcall-")
history = Path(scratch.name) / "kept"
with RecordingWriter(history, dict.fromkeys(METADATA, "made") | {"interval_s": "1"}) as writer:
    for batch in ticks:
        writer.append(batch)
print(f"{sum(map(len, ticks)):,} windows in five minutes; done to it: {', '.join(done)}")

# %% [markdown]
# ## One line for the whole host
#
# A budget is one p-value for every program. Below, each dot is a window; a budget of one alert a
# week draws the line higher than one of a hundred a day. What is between two lines is what a
# larger budget would show. The lowest line there can be is p = 0.01, whatever the budget: this host
# does not make windows enough for 10,000 alerts a day at that.

# %%
whole = WindowBatch.concat(ticks)
verdicts = model.judge(whole)
minute = (whole.t_end_ns - whole.t_end_ns.min()) / 60e9
unlikely = -np.log10(verdicts.p_value)
figure, axes = plt.subplots(figsize=(9, 4))
shown = verdicts.ready & (unlikely > 0.3)
axes.scatter(minute[shown], unlikely[shown], s=7, color=CLEAN, label="windows")
alerting = verdicts.alert
axes.scatter(minute[alerting], unlikely[alerting], s=26, color=ATTACK, label="alerts at 1/day")
lines = ((1 / 7, "1/week"), (1, "1/day"), (100, "100/day"), (10_000, "10,000/day"))
for (per_day, name), colour in zip(lines, COLOURS[:4], strict=True):
    level = -np.log10(model.for_budget(per_day).threshold)
    axes.axhline(level, color=colour, lw=1.2, ls="--", label=f"budget of {name}")
for name, at in done.items():
    here = alerting & (abs(minute * 60 - at) < 10)
    axes.annotate(name, (minute[here].mean(), unlikely[here].max()), (7, 0), va="center",
                  textcoords="offset points", color=ATTACK, fontsize=9)  # fmt: skip
axes.set(xlabel="minutes", ylabel="unlikeliness: minus the logarithm of p")
axes.set(xlim=(0, 5.05), ylim=(0, None))
axes.set_title("A budget is a line")
figure.legend(loc="outside right upper")
plt.show()

# %% [markdown]
# ## Side by side
#
# The same table as `oddcall replay --what-if` prints. Alerts are episodes: windows that belong
# together are one. Longer intervals add windows up, exactly; shorter ones cannot be had from a
# recording.

# %%
ways = parse(["budget=1/week,budget=100/day,budget=10000/day,interval=5s"])
outcomes = compare(history, model, ways, AlertSection(), lambda _: None, lambda *_: None)
print("\n".join(table(outcomes, [])))
alerts = {outcome.alternative.name: outcome.account.alerts for outcome in outcomes}
scratch.cleanup()  # all is read

# %% [markdown]
# ## What a larger budget buys
#
# Windows that would alert, by budget, against what the model expects of clean time alone. Where
# the line is flat, more budget buys nothing: the three attacks are far beyond any of these lines.
# Where the dotted line comes near, most of what is bought is noise. A good budget is on the flat
# part, left of that. (This clean time is quieter than its promise: the dotted line passes.) Both
# lines end where the threshold is p = 0.01, which no budget makes laxer.

# %%
budgets = np.geomspace(1 / 30, 1e6, 400)
thresholds = np.array([model.for_budget(b).threshold for b in budgets])
budgets, thresholds = budgets[thresholds < LAXEST], thresholds[thresholds < LAXEST]
mine = verdicts.p_value[verdicts.ready]
would = np.array([np.count_nonzero(mine <= threshold) for threshold in thresholds])
clean_only = thresholds * len(mine)
figure, axes = plt.subplots(figsize=(8.5, 4))
axes.step(budgets, would, where="post", lw=2.2, label="this history")
axes.plot(budgets, clean_only, color="black", lw=1, ls=":", label="clean time, expected")
axes.axvline(1, color=COLOURS[1], lw=1, ls="--", label="one a day")
axes.set(xscale="log", yscale="log", ylim=(0.5, None))
axes.set(xlabel="budget, alerts a day", ylabel="windows that alert in five minutes")
axes.set_title("The flat part is the part to choose from")
axes.legend(loc="upper left")
plt.show()
at_one = int(would[np.searchsorted(budgets, 1.0)])
at_hundred = int(would[np.searchsorted(budgets, 100.0)])
print(f"alerting windows at a budget of 1 a day: {at_one}, of 100 a day: {at_hundred}")
