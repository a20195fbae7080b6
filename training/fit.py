"""Train a model on clean batches: gather, split by time, learn, calibrate, spend the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

import numpy as np

from oddcall.models.baseline import ProgramState, Readiness
from oddcall.models.budget import Plan, plan, runs
from oddcall.models.calibration import Calibration
from oddcall.models.detector import Detector
from oddcall.models.detectors import Novelty
from oddcall.models.errors import EvidenceError, SettingError
from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.model import Model
from oddcall.models.sparse import IntArray
from oddcall.models.window import WindowBatch
from oddcall.training.calibrate import Later, calibrate, later_scores
from oddcall.training.cautions import cautions
from oddcall.training.division import Division, learn
from oddcall.training.pools import Pool
from oddcall.training.presence import Presence
from oddcall.training.profiles import profiles
from oddcall.training.reservoir import Gathered, Reservoir
from oddcall.training.steadiness import unsteady

#: Share of later windows with behaviour first met then, above which a program still learns.
SETTLED = 0.1
_DAY_NS = 86_400e9
#: A recording shorter than this says too little about a day.
_SHORTEST_NS = 60e9
#: Windows in this part of a program's scores count as odd where runs are measured.
_ODD = 0.9

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How to train.

    Parameters
    ----------
    budget_per_day : float, default 1.0
        Alerts a day from this host.
    calibration_share : float, default 0.4
        Later part of each program's windows that is kept from the detectors and calibrates
        them; from 0.1 to 0.8.
    min_windows : int, default 40
        Windows a program needs for a baseline of its own; at least 10.
    components : int, default 20
        Most directions of a program's subspace.
    seed : int, default 0
        Of the sample of windows.
    windows_per_program : int, default 2048
        Windows kept of each program: bounds memory.
    """

    budget_per_day: float = 1.0
    calibration_share: float = 0.4
    min_windows: int = 40
    components: int = 20
    seed: int = 0
    windows_per_program: int = 2048

    def __post_init__(self) -> None:
        _within("budget_per_day", self.budget_per_day, 1e-6, 1e6)
        _within("calibration_share", self.calibration_share, 0.1, 0.8)
        _within("min_windows", self.min_windows, 10, 1_000_000)
        _within("components", self.components, 1, 200)
        _within("windows_per_program", self.windows_per_program, 64, 1_000_000)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingError(
            f"the training setting {name} is out of range",
            expected=f"{low:g} to {high:g}",
            got=f"{value:g}",
        )


def fit(
    batches: Iterable[WindowBatch],
    settings: FitSettings | None = None,
    metadata: dict[str, str] | None = None,
    progress: Progress | None = None,
    presence: Presence | None = None,
) -> Model:
    """Train a model; the same batches and settings give the same model.

    Parameters
    ----------
    batches : iterable of WindowBatch
        Clean windows in the order they were recorded.
    settings : FitSettings, optional
    metadata : dict of str, optional
        Provenance, kept in the model.
    progress : callable, optional
        Told what is being done and how much is done, 0 to 1.
    presence : Presence, optional
        How long each program could have been seen, once the batches are read. By default they are
        taken for one recording.

    Raises
    ------
    EvidenceError
        When no program has windows enough for a baseline.
    """
    chosen = settings or FitSettings()
    told = progress or _silent
    spec = FeatureSpec()
    reservoir = Reservoir(spec, chosen.windows_per_program, chosen.seed)
    seen = presence or Presence()
    for i, batch in enumerate(batches if presence else seen.pass_on(batches)):
        reservoir.add(batch)
        if i % 64 == 0:
            told(f"reading: {i} ticks", 0.3 * i / (i + 600))
    return _model(reservoir.gathered(), chosen, metadata or {}, told, seen)


def _silent(_what: str, _done: float) -> None:
    pass


def _model(
    gathered: Gathered,
    settings: FitSettings,
    metadata: dict[str, str],
    told: Progress,
    presence: Presence,
) -> Model:
    division = Division.of(gathered, settings.min_windows, settings.calibration_share)
    _require_own(division, settings)
    told("learning baselines", 0.35)
    pools = division.pools()
    arch = metadata.get("arch") or "x86_64"
    teach = partial(learn, gathered, components=settings.components, arch=arch)
    detectors = teach(pools)
    told("calibrating on later windows", 0.6)
    later = later_scores(division, detectors)
    calibration = calibrate(division, detectors, later, teach, told)
    told("spending the budget", 0.9)
    states = _states(division, presence)
    spent = _spend(division, states, calibration, later, settings)
    states = tuple(
        replace(state, expected_alerts_per_day=float(cost))
        for state, cost in zip(states, spent.by_program, strict=True)
    )
    changed = _changed(division, calibration, later)
    told("done", 1.0)
    return Model(
        FeatureSpec(),
        states,
        profiles(division, pools),
        _with_later_symbols(detectors, gathered, pools, arch),
        calibration,
        settings.budget_per_day,
        spent.expected_per_day,
        spent.threshold,
        spent.sequence_threshold,
        cautions(division, states, spent, calibration, changed, arch, presence.longest_ns / 1e9),
        metadata | _provenance(gathered, settings, presence),
    )


def _require_own(division: Division, settings: FitSettings) -> None:
    if len(division.own):
        return
    count = division.gathered.count
    programs = "program" if len(count) == 1 else "programs"
    raise EvidenceError(
        "no program was seen often enough for a baseline",
        expected=f"at least {settings.min_windows} windows of one program in a longer recording",
        got=f"{len(count)} {programs} with at most {int(count.max()) if len(count) else 0}",
    )


def _states(division: Division, presence: Presence) -> tuple[ProgramState, ...]:
    """Say of every program how it will be judged, before the budget is spent."""
    gathered = division.gathered
    spans = [max(presence.of(program), _SHORTEST_NS) for program in gathered.programs]
    profile = division.profile()
    new_rate = _new_rates(division)
    return tuple(
        ProgramState(
            program,
            int(gathered.count[i]),
            int(gathered.first_ns[i]),
            int(gathered.last_ns[i]),
            _readiness(bool(profile[i] < len(division.own)), float(new_rate[i])),
            float(new_rate[i]),
            "program" if profile[i] < len(division.own) else "similar",
            int(profile[i]),
            float(gathered.count[i] * _DAY_NS / spans[i]),
        )
        for i, program in enumerate(gathered.programs)
    )


def _readiness(own: bool, new_rate: float) -> Readiness:
    if not own:
        return "collecting"
    return "ready" if new_rate <= SETTLED else "learning"


def _new_rates(division: Division) -> FloatArray:
    """Share of each program's later windows in which a symbol was met for the first time."""
    gathered = division.gathered
    counted = gathered.first_met[:, : FeatureSpec().starts["scalars"]]
    later = np.maximum(gathered.count - division.split, 1)
    # One set of ordinals a program.
    fresh = [
        len(np.unique(first[(first >= begin) & (first < total)]))
        for first, begin, total in zip(counted, division.split, gathered.count, strict=True)
    ]
    rates: FloatArray = np.array(fresh, np.float64) / later
    return rates


def _spend(
    division: Division,
    states: tuple[ProgramState, ...],
    calibration: Calibration,
    later: Later,
    settings: FitSettings,
) -> Plan:
    per_window, sums = np.ones(len(states)), np.zeros(len(states))
    score = calibration.evidences(later.scores, later.profile).score
    per_window[division.own] = _episodes_per_window(division, later, score)
    sums[division.own] = 1.0
    return plan(
        settings.budget_per_day,
        np.array([state.windows_per_day for state in states]),
        per_window,
        np.array([state.can_alert and calibration.ready(state.profile) for state in states]),
        sums,
    )


def _changed(division: Division, calibration: Calibration, later: Later) -> IntArray:
    """Programs of their own whose later windows do not keep still, by number."""
    p_value = calibration.evidences(later.scores, later.profile).p_value
    ends = division.gathered.t_end_ns[later.rows]
    programs: IntArray = division.own[unsteady(p_value, ends, later.profile, len(division.own))]
    return programs


def _episodes_per_window(division: Division, later: Later, score: FloatArray) -> FloatArray:
    """Measure runs of odd later windows over odd later windows, for each program of its own."""
    gathered = division.gathered
    found = np.ones(len(division.own))
    # One series a program; a sampled program has gaps, which would look like runs' ends.
    for i, program in enumerate(division.own):
        mine = np.flatnonzero(later.profile == i)
        if len(mine) < gathered.count[program] - division.split[program]:
            continue
        rows = later.rows[mine]
        order = np.lexsort(
            (gathered.t_start_ns[rows], gathered.start_time_ns[rows], gathered.pid[rows])
        )
        process = _process_numbers(gathered, rows[order])
        odd = score[mine][order] > np.quantile(score[mine], _ODD)
        found[i] = runs(odd, process)
    return found


def _process_numbers(gathered: Gathered, rows: IntArray) -> IntArray:
    """Give consecutive rows of one process the same number."""
    pid, start = gathered.pid[rows], gathered.start_time_ns[rows]
    begins = (np.diff(pid) != 0) | (np.diff(start) != 0)
    return np.concatenate([[0], np.cumsum(begins)]).astype(np.int64)


def _with_later_symbols(
    detectors: tuple[Detector, ...], gathered: Gathered, pools: list[Pool], arch: str
) -> tuple[Detector, ...]:
    """Let novelty know the later windows too, once it is calibrated: fewer things are new."""
    met = gathered.symbols()
    seen = np.stack([met[part.members].any(axis=0) for part in pools])
    peaks = gathered.peaks.together([part.members for part in pools])
    return tuple(
        Novelty.of(seen, peaks, arch) if isinstance(detector, Novelty) else detector
        for detector in detectors
    )


def _provenance(gathered: Gathered, settings: FitSettings, presence: Presence) -> dict[str, str]:
    used = {name: version(name) for name in ("oddcall", "numpy", "scipy")}
    return {
        "windows": str(int(gathered.count.sum())),
        "windows_without_program": str(gathered.unnamed),
        "first_ns": str(int(gathered.first_ns.min())),
        "last_ns": str(int(gathered.last_ns.max())),
        "lasted_s": f"{presence.longest_ns / 1e9:.3f}",
        "min_windows": str(settings.min_windows),
        "calibration_share": str(settings.calibration_share),
        "components": str(settings.components),
        "seed": str(settings.seed),
        **{f"version_{name}": found for name, found in used.items()},
    }
