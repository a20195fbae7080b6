"""Promises of what people call normal: only that is, only then, and the model stays as it was."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, vstack

from oddcall.models.explanation.explanation import explain
from oddcall.models.features import FeatureSpec
from oddcall.models.model import Model
from oddcall.models.tolerance import KEPT, Behaviour, Span, Tolerances
from oddcall.models.window import Program, WindowBatch
from oddcall.training.fit import fit
from oddcall.training.synthetic import REDIS, WEB, attacks, host, window

SPEC = FeatureSpec()
EVER = Span(0)


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(host(420, seed=1))


def behaviour_of(model: Model, batch: WindowBatch) -> Behaviour:
    program = batch.programs[batch.program[0]]
    return Behaviour.of(program, model.unseen(batch), SPEC.vectors(batch))


def tolerant(model: Model, batch: WindowBatch, span: Span = EVER) -> Model:
    return replace(model, tolerances=Tolerances([(behaviour_of(model, batch), span)]))


def odd(kind: str, *seeds: int) -> WindowBatch:
    """Windows of one kind of attack on the web server's own process."""
    return WindowBatch.concat([attacks(seed, 900)[kind][-1] for seed in seeds])


def leaning(seeds: range, times: int = 40) -> WindowBatch:
    """The web server's windows with known calls in unknown proportions: it only grows its heap."""
    rows = []
    for seed in seeds:
        calls = [*WEB.walk(120, np.random.default_rng(seed)), *((9, 10, 202) * times)]
        rows.append(window(WEB, calls, second=900))
    return WindowBatch.concat(rows)


@pytest.mark.parametrize("kind", ["scan", "shell", "rewrite"])
def test_the_next_window_like_it_is_quiet_and_others_are_not(model: Model, kind: str) -> None:
    """What alerted as it never did before does not after it was tolerated; the other two do."""
    known, again = odd(kind, 1, 2), odd(kind, *range(10, 30))
    assert model.judge(again).alert.all()
    after = tolerant(model, known)
    assert not after.judge(again).alert.any()
    for other in {"scan", "shell", "rewrite"} - {kind}:
        assert after.judge(odd(other, *range(10, 20))).alert.all()


def test_known_calls_in_other_proportions_can_be_tolerated(model: Model) -> None:
    """Without anything new in it a behaviour is told by where it lies, and how far around."""
    strict = replace(model, threshold=0.006)
    known, again = leaning(range(3)), leaning(range(20, 40))
    assert strict.judge(again).alert.all()
    assert not len(strict.unseen(again))
    after = tolerant(strict, known)
    assert not after.judge(again).alert.any()
    assert after.judge(leaning(range(5), times=4000)).alert.all(), "far more of it is no more it"


def test_known_calls_in_bulk_can_be_tolerated(model: Model) -> None:
    """Where a call alerted by its amount alone, as much of it is quiet from then on."""
    brk = SPEC.column("syscalls", 12)

    def growing(seeds: range) -> WindowBatch:
        walks = [REDIS.walk(2000, np.random.default_rng(seed)) for seed in seeds]
        return WindowBatch.concat([window(REDIS, [*walk, *[12] * 3000]) for walk in walks])

    known, again = growing(range(3)), growing(range(20, 40))
    assert model.judge(again).alert.all()
    assert brk in model.unseen(known)
    after = tolerant(model, known)
    assert not after.judge(again).alert.any()
    assert after.judge(window(REDIS, [*[12] * 3000, *[74] * 3000])).alert.all()


def test_tolerance_never_makes_a_window_odder(model: Model) -> None:
    """No p-value falls, clean windows keep theirs, and other programs' are the same bits."""
    batch = WindowBatch.concat([*host(40, seed=2, start=900), odd("scan", 4), odd("shell", 5)])
    before = model.judge(batch)
    after = tolerant(model, odd("scan", 1)).judge(batch)
    assert (after.p_value >= before.p_value * (1 - 1e-6)).all()
    others = np.array([p.exe != WEB.program.exe for p in batch.programs])[batch.program]
    assert np.array_equal(after.p_value[others], before.p_value[others])


def test_taken_back_nothing_is_left(model: Model) -> None:
    """Without the tolerance verdicts are the same bits as before, and so are state and id."""
    batch = WindowBatch.concat([odd("scan", 4), odd("shell", 5)])
    before = model.judge(batch)
    with_it = tolerant(model, odd("scan", 1))
    assert with_it.id == model.id
    assert with_it.judge(batch).p_value[0] != before.p_value[0]
    after = replace(with_it, tolerances=Tolerances())
    assert np.array_equal(after.judge(batch).p_value, before.p_value)


def test_it_holds_for_windows_that_begin_within_its_span(model: Model) -> None:
    """The window that was open when it was said still alerts, and so does one after its end."""
    again = odd("scan", 7)
    start = int(again.t_start_ns[0])
    for span, quiet in (
        (Span(start), True),
        (Span(start + 1), False),
        (Span(0, start + 1), True),
        (Span(0, start), False),
    ):
        assert tolerant(model, odd("scan", 1), span).judge(again).alert[0] != quiet


def test_what_holds_at_some_time_of_a_stretch_is_told() -> None:
    """Within a stretch is what began before its end and did not end before its beginning."""
    told = Tolerances(forgotten=[(WEB.program, 5, Span(10, 20)), (WEB.program, 5, Span(30))])
    held = [len(told.within(*stretch).forgotten) for stretch in ((0, 10), (19, 30), (20, 31))]
    assert held == [0, 1, 1]


def test_it_holds_for_the_program_and_what_replaces_it(model: Model) -> None:
    """Another inode at the same place is tolerated the same, another program is not."""
    known = odd("scan", 1)
    upgraded = replace(model, programs=tuple(_other_binary(p) for p in model.programs))
    again = replace(odd("scan", 8), programs=(replace(WEB.program, ino=4242),))
    assert upgraded.judge(again).alert.all()
    assert not tolerant(upgraded, known).judge(again).alert.any()
    theirs = attacks(3, 900, REDIS)["scan"][0]
    assert tolerant(model, known).judge(theirs).alert.all()


def _other_binary(known):
    if known.program != WEB.program:
        return known
    return replace(known, program=replace(known.program, ino=4242))


def test_an_explanation_leaves_out_what_is_tolerated(model: Model) -> None:
    """A window that does more than was tolerated alerts, and says only what is more."""
    usual = WEB.walk(400, np.random.default_rng(3))
    batch = window(WEB, [*usual, *(41, -42, 3) * 100, *(101, 319, 322) * 30], second=900)
    after = tolerant(model, odd("scan", 1, 2))
    assert after.judge(batch).alert[0]
    said = after.contributions(batch, 0)
    named = {SPEC.names[column] for column in said.features[said.novel]}
    assert "syscalls:101" in named
    assert not named & {"syscalls:41", "syscalls:42", "errors:42"}


def test_what_is_tolerated_is_not_named_as_the_cause_of_something_else(model: Model) -> None:
    """A call that was called normal, beside one that was not: only that one is the cause."""
    random = np.random.default_rng(11)

    def beside(extra: tuple[int, ...]) -> WindowBatch:
        calls = np.concatenate([WEB.walk(600, random), [101] * 3, extra]).astype(np.int64)
        return window(WEB, calls, second=1000.0)

    quiet = tolerant(model, beside(()))
    batch = beside((308,) * 9)
    verdicts = quiet.judge(batch)
    assert verdicts.alert[0]
    told = explain(quiet, batch, 0, verdicts)
    assert "9 setns" in told.sentence
    assert "ptrace" not in told.sentence
    assert not any("ptrace" in hint.why for hint in told.hints)
    assert "ptrace" in explain(model, batch, 0, model.judge(batch)).sentence


def test_a_forgotten_program_is_unknown_until_it_is_learned_anew(model: Model) -> None:
    """From then on its windows are not judged; a baseline begun later judges them again."""
    again = odd("scan", 7)
    start = int(again.t_start_ns[0])
    for before_ns, span, known in (
        (start, Span(start), False),
        (start, Span(start + 1), True),
        (0, Span(0), True),
    ):
        told = Tolerances(forgotten=[(WEB.program, before_ns, span)])
        verdicts = replace(model, tolerances=told).judge(again)
        assert bool(verdicts.alert[0]) is known
        assert (verdicts.level[0] == "unknown") is not known
    theirs = attacks(3, 900, REDIS)["scan"][0]
    told = Tolerances(forgotten=[(WEB.program, start, Span(start))])
    assert replace(model, tolerances=told).judge(theirs).alert.all()


@pytest.mark.parametrize("at_once", [1, 5, 31])
def test_the_windows_kept_are_few_and_unlike_each_other(at_once: int) -> None:
    """However many windows come, and however many at once, so many stay, the rare one with them."""
    rare = csr_matrix(([1.0], ([0], [900])), shape=(1, SPEC.width), dtype=np.float32)
    alike = SPEC.vectors(odd("scan", *range(30)))
    come = vstack([alike[:25], rare, alike[25:]], format="csr")
    nothing = np.zeros(0, np.int64)
    kept = Behaviour.of(WEB.program, nothing, come[:at_once])
    for row in range(at_once, come.shape[0], at_once):
        kept = kept.joined(nothing, come[row : row + at_once])
    assert kept.windows.shape[0] == KEPT
    assert kept.windows[:, 900].nnz == 1
    assert (kept.windows[0] != come[0]).nnz == 0


def test_what_is_written_down_comes_back(model: Model) -> None:
    """Through JSON and back a behaviour has the same bits, and so have the verdicts by it."""
    kept = behaviour_of(model, odd("scan", 1, 2))
    back = Behaviour.from_dict(json.loads(json.dumps(kept.as_dict())))
    assert back.program == kept.program
    assert np.array_equal(back.symbols, kept.symbols)
    assert (back.windows != kept.windows).nnz == 0
    again = odd("scan", 9)
    judged = [replace(model, tolerances=Tolerances([(b, EVER)])).judge(again) for b in (kept, back)]
    assert np.array_equal(judged[0].p_value, judged[1].p_value)


def test_columns_of_other_features_are_left_alone(model: Model) -> None:
    """A behaviour kept under another set of features tolerates nothing."""
    other = replace(behaviour_of(model, odd("scan", 1)), features="0" * 64)
    told = Tolerances([(other, EVER)])
    assert replace(model, tolerances=told).judge(odd("scan", 7)).alert.all()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9999) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
WHOLE = Behaviour.of(Program("/bin/x"), np.array([3, 9]), SPEC.vectors(odd("scan", 1))).as_dict()


@given(st.sampled_from([*WHOLE, "windows.columns", "windows.values"]), JSON)
@example("windows.values", 3.4028235677973366e38)
@example("novel", 9.223372036854776e18)
@example("windows", [])
def test_what_is_no_behaviour_is_refused(name: str, value: object) -> None:
    """Any part replaced by anything gives a behaviour whose columns exist, or a ValueError."""
    told = json.loads(json.dumps(WHOLE))
    if "." in name:
        told["windows"][0][name.split(".")[1]] = value
    else:
        told[name] = value
    try:
        found = Behaviour.from_dict(told)
    except ValueError:
        return
    assert found.symbols.size == 0 or 0 <= found.symbols.min() <= found.symbols.max() < SPEC.width
    assert np.isfinite(found.windows.data).all()
    assert found.windows.shape[0] > 0
