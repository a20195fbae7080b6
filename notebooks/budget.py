# %% [markdown]
# # Choosing a budget
#
# How many alerts a day would one have read, on one's own history, under another budget? A larger
# budget shows fainter things: quieter attacks, and more of the ordinary work that is merely rare.
# Here the history is a made one. For your own, set `ODDCALL_RECORDING=kept/`: the first 60 % of its
# time are learned from, the rest is the history. On a host that is watched with `--record kept/`,
# the command is
#
#     oddcall replay kept/ --model host.oddcall --what-if budget=5/day,budget=1/week,interval=5s

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from oddcall.models.window import WindowBatch
from oddcall.service.config.settings import AlertSection
from oddcall.service.replay.alternatives import compare, parse
from oddcall.service.replay.alternatives_text import table
from oddcall.training.fit import FitSettings, fit
from oddcall.training.lake import lake
from oddcall.training.recording import (
    METADATA,
    RecordingWriter,
    read_batches,
    read_metadata,
    summary,
)
from oddcall.training.report.looks import ATTACK, CLEAN, COLOURS, looks
from oddcall.training.splits import by_time
from oddcall.training.synthetic import REDIS, SHORT, WEB, host, window

looks()
own = os.environ.get("ODDCALL_RECORDING")
scratch = tempfile.TemporaryDirectory(prefix="oddcall-")
history = Path(scratch.name) / "kept"

# %% [markdown]
# ## A history, and a model of what came before it
#
# Ten clean minutes to learn from, and eight more into which what is rare in weeks is packed: four
# attacks on the web server, two of them loud and two quiet, and seven pieces of ordinary work that
# did not come up while it was learned. A detector sees of each only how much was done, and how
# foreign that is to the program. Each is done by a process of its own.

# %%
BEFORE_S, AFTER_S = 600, 480
MAKE, TAR, GIT = (
    next(chain for chain in SHORT if chain.program.name == name) for name in ("make", "tar", "git")
)
#: What is done: whether it is an attack, by whom, which calls (negative: failing), how often.
DONE = {
    "scan": (True, WEB, (41, -42, 3), 100),
    "shell": (True, WEB, (293, 13, 14, 58, 14, 3, 0, 61, 3), 4),
    "quiet rewrite": (True, WEB, (257, 0, 1, 82, 3), 4),
    "quiet theft": (True, WEB, (3, 3, 48), 40),
    "first deploy": (False, WEB, (4,), 16),
    "log turned over": (False, WEB, (82,), 4),
    "folder listed": (False, WEB, (217,), 8),
    "dump to disk": (False, REDIS, (74, 3), 110),
    "files cleared": (False, TAR, (87,), 2),
    "whole build": (False, MAKE, (58, 61), 110),
    "repacking": (False, GIT, (217,), 110),
}


def made(random):
    """Batches of the history, one a second, and the process of everything that is done in it."""
    ticks, pids = host(AFTER_S, seed=2, start=1000.0), {}
    times = np.linspace(30, AFTER_S - 30, len(DONE)).astype(int)
    random.shuffle(times)
    for i, (name, (_, chain, path, often)) in enumerate(DONE.items()):
        at, pid = times[i], 5000 + i
        around = chain.walk(400, random), chain.walk(400, random)
        calls = np.concatenate([around[0], np.tile(path, often), around[1]])
        odd = window(chain, calls, second=1000.0 + at, pid=pid)
        ticks[at] = WindowBatch.concat([ticks[at], odd])
        pids[name] = pid
    return ticks, pids


if own:
    (source,) = lake([own])
    (fold,) = by_time([source])
    metadata, kept = read_metadata(own), list(read_batches(own))
    learned = [batch.take(np.flatnonzero(fold.learns(source, batch))) for batch in kept]
    later = [batch.take(np.flatnonzero(fold.judges(source, batch))) for batch in kept]
    pids = {}
else:
    metadata = dict.fromkeys(METADATA, "made") | {"interval_s": "1"}
    learned = host(BEFORE_S, seed=1)
    later, pids = made(np.random.default_rng(5))
later = [batch for batch in later if len(batch)]
with RecordingWriter(history, metadata) as writer:
    for batch in later:
        writer.append(batch)
model = fit([batch for batch in learned if len(batch)], FitSettings(budget_per_day=1.0))
whole = WindowBatch.concat(later)
minute = (whole.t_end_ns - whole.t_end_ns.min()) / 60e9
print(
    f"{len(whole):,} windows in {minute.max():.0f} minutes; {len(pids)} things are known to be done"
)

# %% [markdown]
# ## One line for the whole host
#
# A budget is one p-value for every program. Below, each dot is a window; a budget of one alert in
# ten days draws the line higher than one of a hundred a day. What is between two lines is what the
# larger budget shows more. The lowest line there can be is p = 0.01, whatever the budget.

# %%
verdicts = model.judge(whole)
unlikely = -np.log10(verdicts.p_value)
BUDGETS = (0.1, 1, 10, 100, 1000)
least = {name: float(verdicts.p_value[whole.pid == pid].min()) for name, pid in pids.items()}
figure, axes = plt.subplots(figsize=(9.5, 5))
axes.scatter(minute[verdicts.ready], unlikely[verdicts.ready], s=7, color=CLEAN, label="windows")
for per_day, colour in zip(BUDGETS, COLOURS, strict=False):
    level = -np.log10(model.for_budget(per_day).threshold)
    axes.axhline(level, color=colour, lw=1.2, ls="--", label=f"budget of {per_day:g}/day")
for name, pid in pids.items():
    (place,) = np.flatnonzero(whole.pid == pid)
    colour = ATTACK if DONE[name][0] else "black"
    axes.scatter(minute[place], unlikely[place], s=26, color=colour)
    late = minute[place] > 0.75 * minute.max()
    axes.annotate(name, (minute[place], unlikely[place]), (-6 if late else 6, 0), va="center",
                  ha="right" if late else "left", textcoords="offset points",
                  color=colour, fontsize=9,
                  bbox={"facecolor": "white", "alpha": 0.8, "pad": 0.6, "lw": 0})  # fmt: skip
top = max(9.0, 1.3 * unlikely.max())
ticks = [digits for digits in (1, 2, 3, 4, 5, 7, 10, 20, 40, 80, 160) if digits <= top]
axes.set(yscale="log", ylim=(0.9, top), xlim=(0, None))
axes.set_yticks(ticks, [f"1e-{digits}" for digits in ticks])
axes.minorticks_off()
axes.set(xlabel="minutes", ylabel="p-value; further up is more unusual")
axes.set_title("A budget is a line")
figure.legend(loc="outside right upper")
plt.show()

# %% [markdown]
# ## Side by side
#
# The same table as `oddcall replay --what-if` prints; as it is, the budget is one a day. Alerts are
# episodes: windows that belong together are one. Longer intervals add windows up, exactly; shorter
# ones cannot be had from a recording. Over five times the interval what is short is diluted.

# %%
longer = 5 * float(metadata["interval_s"])
asked = [f"budget={per_day:g}/day" for per_day in BUDGETS if per_day != 1]
ways = parse([*asked, f"interval={longer:g}s"])
recorded = (history, summary(history))
outcomes = compare(*recorded, model, ways, AlertSection(), lambda _: None, lambda *_: None)
print("\n".join(table(outcomes, [])))
alerts = {outcome.alternative.name: outcome.account.alerts for outcome in outcomes}
scratch.cleanup()  # all is read

# %% [markdown]
# ## What a larger budget buys, and what it costs
#
# Each step up of the red line is an attack bought, each of the black one is ordinary work to be
# read for it. The dotted line is the budget itself: what may alert in so short a time without
# anything being done. On the made history the loud attacks show at any budget. One a day costs one
# piece of ordinary work more and buys nothing; ten a day buys a quiet attack for another piece; a
# hundred buys ordinary work alone; the last attack takes nearly a thousand a day, which nobody
# reads. A good budget is no more than one reads in a day, and ends where the next attack is too
# dear.
#
# Single windows are counted here. The table above has the sums over a program's windows as well,
# and so an alert more at small budgets: several faint things of one program add up.
#
# In a recording of your own nothing is known to be an attack: one line has all that alerts.

# %%
kinds = {
    "attacks": (ATTACK, [pid for name, pid in pids.items() if DONE[name][0]]),
    "ordinary work": ("black", [pid for name, pid in pids.items() if not DONE[name][0]]),
}
rest = sorted(set(whole.pid.tolist()) - set(pids.values()))
kinds = {**(kinds if pids else {}), "all else" if pids else "this history": (COLOURS[0], rest)}


def bought(per_day):
    """How many processes of each kind alert under a budget."""
    alerting = verdicts.ready & (verdicts.p_value <= model.for_budget(per_day).threshold)
    odd = set(whole.pid[alerting].tolist())
    return [len(odd & set(members)) for _, members in kinds.values()]


budgets = np.geomspace(0.1, 1000, 41)
would = np.array([bought(per_day) for per_day in budgets])
figure, axes = plt.subplots(figsize=(8.5, 4))
for (name, (colour, _)), column in zip(kinds.items(), would.T, strict=True):
    axes.step(budgets, column, where="post", lw=2, color=colour, label=name)
days = minute.max() / 1440
axes.plot(budgets, budgets * days, color="black", lw=1, ls=":", label="the budget, in this time")
axes.axvline(1, color=COLOURS[1], lw=1, ls="--", label="one a day")
axes.set(xscale="log", ylim=(-0.1, None), xlabel="budget, alerts a day")
axes.set(ylabel="processes that alert")
axes.yaxis.get_major_locator().set_params(integer=True)
axes.set_title("What is bought, and what is paid")
axes.legend(loc="upper left")
plt.show()
told = {per_day: dict(zip(kinds, bought(per_day), strict=True)) for per_day in BUDGETS}
print(f"{'budget':>10}{'alerts at p':>13}" + "".join(f"{name:>15}" for name in kinds))
for per_day, found in told.items():
    threshold = model.for_budget(per_day).threshold
    counts = "".join(f"{many:>15}" for many in found.values())
    print(f"{per_day:>6g}/day{threshold:>13.1e}{counts}")
