"""Promises of splits: nothing that is judged was learned, nor anything too close to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oddcall.models.errors import SettingError
from oddcall.training.lake import lake, provenance
from oddcall.training.recording import read_batches
from oddcall.training.splits import (
    Fold,
    by_host,
    by_model,
    by_time,
    given,
    has_learned,
    times_of,
)


def batches_of(sources):
    """Every batch with the recording it is from."""
    return ((source, batch) for source in sources for batch in read_batches(source.path))


def sides(fold: Fold, sources):
    """What a fold learns and judges, as one row (host, start, end) each."""
    learned, judged = [], []
    for source, batch in batches_of(sources):
        learns, judges = fold.learns(source, batch), fold.judges(source, batch)
        assert not (learns & judges).any()
        for rows, side in ((learns, learned), (judges, judged)):
            side += [
                (source.host, int(batch.t_start_ns[i]), int(batch.t_end_ns[i]))
                for i in np.flatnonzero(rows)
            ]
    return learned, judged


@pytest.fixture
def sources(small_lake):
    return lake([small_lake.root])


def test_by_time_judges_only_what_is_later(sources):
    """All that is learned ended before all that is judged began, with a pause between."""
    (fold,) = by_time(sources)
    learned, judged = sides(fold, sources)
    assert learned
    assert judged
    apart = min(row[1] for row in judged) - max(row[2] for row in learned)
    assert apart >= 0.05 * (sources[-1].end_ns - sources[0].start_ns) - 1e9
    whole = sum(len(batch) for _, batch in batches_of(sources))
    assert len(learned) + len(judged) < whole


def test_by_host_learns_nothing_of_the_host(sources):
    """Each host is judged once, by a model that has seen no window of it."""
    folds = by_host(sources)
    assert len(folds) == 2
    seen = []
    for fold in folds:
        learned, judged = sides(fold, sources)
        assert not {row[0] for row in learned} & {row[0] for row in judged}
        seen += [row[0] for row in judged]
    assert len(seen) == sum(len(batch) for _, batch in batches_of(sources))


def test_given_recordings_must_be_others(small_lake):
    """A recording on both sides, or one that lies in the learned time of its host, is refused."""
    clean, later = (lake([path]) for path in (small_lake.clean("web1"), small_lake.later("web1")))
    learned, judged = sides(given(clean, later), [*clean, *later])
    assert learned
    assert len(judged) == sum(len(batch) for _, batch in batches_of(later))
    with pytest.raises(SettingError, match="the same one"):
        given(clean, clean)
    other = lake([small_lake.clean("web2")])
    given(clean, other)  # the same time of another host is another thing
    twin = replace(clean[0], path=later[0].path)
    with pytest.raises(SettingError, match="of the time that was learned from"):
        given(clean, [twin])


@pytest.mark.parametrize("ready", [False, True], ids=["learned", "given model"])
def test_windows_across_learning_are_left_out(small_lake, ready):
    """Where a recording goes on from the learned one, windows that began in that are not judged."""
    clean, later = (lake([path]) for path in (small_lake.clean("web1"), small_lake.later("web1")))
    middle = (later[0].start_ns + later[0].end_ns) // 2
    longer = replace(clean[0], end_ns=middle)
    model = {
        "host_id": longer.host, "first_ns": str(longer.start_ns), "last_ns": str(middle),
    }  # fmt: skip
    fold = by_model(model, later) if ready else given([longer], later)
    _, judged = sides(fold, later)
    windows = [b.t_start_ns >= middle for _, b in batches_of(later)]
    assert len(judged) == sum(int(after.sum()) for after in windows)
    assert 0 < len(judged) < sum(map(len, windows))
    assert min(row[1] for row in judged) >= middle


def test_a_model_is_not_judged_by_what_it_learned(sources):
    """A model's own training time on its host is refused; later time and other hosts are not."""
    first = sources[0]
    learned = {
        "host_id": first.host, "first_ns": str(first.start_ns), "last_ns": str(first.end_ns),
    }  # fmt: skip
    with pytest.raises(SettingError, match="of the time that was learned from"):
        by_model(learned, sources)
    apart = [s for s in sources if s.host != first.host or s.start_ns >= first.end_ns]
    nothing, judged = sides(by_model(learned, apart), apart)
    assert not nothing
    assert len(judged) == sum(len(batch) for _, batch in batches_of(apart)) > 0


def test_one_host_is_no_split(small_lake):
    """A split by host wants two of them."""
    with pytest.raises(SettingError, match="at least two"):
        by_host(lake([small_lake.clean("web1"), small_lake.later("web1")]))


def test_what_several_hosts_taught_is_kept_apart_on_each(sources):
    """A model of two hosts is not judged by its own time on the second of them either."""
    span = {"first_ns": str(sources[0].start_ns), "last_ns": str(max(s.end_ns for s in sources))}
    model = {"host_id": "web1", "hosts": "web1 web2", **span}
    (second,) = [s for s in sources if s.host == "web2"][:1]
    assert has_learned(model, second)
    assert not has_learned({"host_id": "web1", **span}, second)
    with pytest.raises(SettingError, match="of the time that was learned from"):
        by_model(model, [second])


def test_each_host_is_kept_apart_by_its_own_time(sources):
    """Where a model of two hosts tells when it learned of each, another time of one is judged."""
    first, second = (next(s for s in sources if s.host == name) for name in ("web1", "web2"))
    (later,) = [s for s in sources if s.host == "web2" and s.start_ns >= second.end_ns]
    longer = replace(first, end_ns=later.end_ns)
    span = {"first_ns": str(first.start_ns), "last_ns": str(later.end_ns)}
    model = provenance([longer, second]) | span
    assert not has_learned(model, later)
    _, judged = sides(by_model(model, [later]), [later])
    assert len(judged) == sum(len(batch) for _, batch in batches_of([later])) > 0
    for learned in (longer, second):
        assert has_learned(model, learned)
        with pytest.raises(SettingError, match="of the time that was learned from"):
            by_model(model, [learned])
    del model["hosts_ns"]  # as of a model of before it was told
    assert has_learned(model, later)


@pytest.mark.parametrize("named", [{}, {"host_id": "", "host_name": ""}])
def test_hosts_without_a_name_are_not_the_same(sources, named):
    """Of two that tell neither id nor name nobody knows that they are one."""
    source = replace(sources[0], metadata=named)
    model = named | {"first_ns": str(source.start_ns), "last_ns": str(source.end_ns)}
    assert times_of(model) == []
    assert not has_learned(model, source)
    by_name = {"host_id": "", "host_name": "web1"}
    assert has_learned(model | by_name, replace(source, metadata=by_name))
