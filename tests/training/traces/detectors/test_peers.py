"""Promises of the detectors of whole traces, of those we compare with as well as of ours."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddcall.models.errors import EvidenceError
from oddcall.training.figures import own_threshold
from oddcall.training.traces.detectors.composition import Composition
from oddcall.training.traces.detectors.detector import Kindest, TraceDetector, firsts, folds, sample
from oddcall.training.traces.detectors.groups import apart
from oddcall.training.traces.detectors.ngrams import Index, mean_of, worst_mean
from oddcall.training.traces.detectors.order import Order
from oddcall.training.traces.detectors.peers import Stide
from oddcall.training.traces.detectors.sets import CallSet
from oddcall.training.traces.detectors.views import MEMBERS, Surprise, Views
from oddcall.training.traces.detectors.windows import as_windows
from oddcall.training.traces.evaluation import DETECTORS
from oddcall.training.traces.traces import FOLDS, TraceSet, Vocabulary

ALL = list(DETECTORS.values())
KINDEST: list[type[Kindest]] = [Order, CallSet, Composition]


def traces_of(lists: list[list[int]], vocabulary: Vocabulary | None = None) -> TraceSet:
    """Traces of made-up calls."""
    known = Vocabulary() if vocabulary is None else vocabulary
    return TraceSet.of([np.array([known.id(str(c)) for c in one]) for one in lists], known)


def program(random: np.random.Generator, calls: list[int], n: int) -> list[list[int]]:
    """Traces that walk through three fixed steps of ``calls`` in random order."""
    steps = [calls[:3], calls[3:7], calls[7:]]
    return [
        list(itertools.chain(*(steps[i] for i in random.integers(0, 3, random.integers(15, 30)))))
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def sets() -> tuple[TraceSet, TraceSet, TraceSet]:
    """Two programs to learn from, more of the same, and traces of what was never done."""
    random, vocabulary = np.random.default_rng(1), Vocabulary()
    one, two = list(range(10)), list(range(20, 32))
    clean = program(random, one, 60) + program(random, two, 60)
    later = program(random, one, 40) + program(random, two, 40)
    odd = [[40, 41, 40, 42] * 20 for _ in range(10)]
    odd += [random.permutation(one * 10).tolist() for _ in range(10)]
    random.shuffle(clean)
    return tuple(traces_of(part, vocabulary) for part in (clean, later, odd))


@pytest.fixture(scope="module")
def fitted(sets: tuple[TraceSet, TraceSet, TraceSet]) -> dict[str, TraceDetector]:
    return {detector.name: detector().fit(sets[0]) for detector in ALL}


@pytest.mark.parametrize("name", DETECTORS)
def test_scores_are_finite_repeatable_and_one_a_trace(
    name: str, fitted: dict[str, TraceDetector], sets: tuple[TraceSet, TraceSet, TraceSet]
) -> None:
    """Every detector gives each trace one finite score, the same when asked again."""
    judge = fitted[name]
    assert isinstance(judge, TraceDetector)
    for part in sets:
        scores = judge.score(part)
        assert scores.shape == (len(part),)
        assert np.isfinite(scores).all()
        assert np.array_equal(scores, judge.score(part))
    assert judge.held_out.shape == (len(sets[0]),)
    assert np.isfinite(judge.held_out).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_a_score_is_of_the_trace_alone(
    name: str, fitted: dict[str, TraceDetector], sets: tuple[TraceSet, TraceSet, TraceSet]
) -> None:
    """A trace's score does not depend on the traces it is judged with."""
    alone = sets[1].take(np.array([3]))
    assert fitted[name].score(alone)[0] == pytest.approx(fitted[name].score(sets[1])[3], rel=1e-4)


# Raw counts are there to show that they fail, and composition looks at the mixture of calls only.
@pytest.mark.parametrize(
    "name", [name for name in DETECTORS if name not in {"isolation-forest", "composition"}]
)
def test_higher_is_more_unusual(
    name: str, fitted: dict[str, TraceDetector], sets: tuple[TraceSet, TraceSet, TraceSet]
) -> None:
    """Calls that were never made score above what was learned."""
    _, later, odd = sets
    normal, strange = fitted[name].score(later), fitted[name].score(odd)[:10]
    assert np.median(strange) > np.quantile(normal, 0.9)


@pytest.mark.parametrize("name", ["order", "stide", "kneser-ney", "views"])
def test_order_is_seen(
    name: str, fitted: dict[str, TraceDetector], sets: tuple[TraceSet, TraceSet, TraceSet]
) -> None:
    """The calls of a known program, shuffled, score above the program."""
    _, later, odd = sets
    assert fitted[name].score(odd)[10:].min() > np.quantile(fitted[name].score(later), 0.9)


@pytest.mark.parametrize("name", ["order", "call-set", "composition", "views", "kneser-ney"])
def test_held_out_scores_are_those_of_clean_traces(
    name: str, fitted: dict[str, TraceDetector], sets: tuple[TraceSet, TraceSet, TraceSet]
) -> None:
    """A threshold for one in ten from held-out scores finds about so many later clean traces."""
    threshold = np.quantile(fitted[name].held_out, 0.9)
    assert np.mean(fitted[name].score(sets[1]) > threshold) <= 0.25


@pytest.mark.parametrize("detector", ALL)
def test_too_few_traces_are_refused(detector: type[TraceDetector]) -> None:
    """Copies do not make a baseline: fewer different traces than parts are refused."""
    copies = traces_of([[1, 2, 3]] * 40)
    with pytest.raises(EvidenceError, match="too few"):
        detector().fit(copies)


@pytest.mark.parametrize("detector", ALL)
def test_calls_met_only_later_do_no_harm(detector: type[TraceDetector]) -> None:
    """Calls that enter the vocabulary after learning are judged, not an error."""
    random, vocabulary = np.random.default_rng(0), Vocabulary()
    judge = detector().fit(traces_of(program(random, list(range(10)), 40), vocabulary))
    later = traces_of([[90 + i for i in range(20)], [1, 2]], vocabulary)
    assert np.isfinite(judge.score(later)).all()


def test_parts_are_alike_and_know_copies() -> None:
    """Parts have as many different traces, the same each time; copies are found, and in one."""
    made = traces_of([[i % 20, 3] for i in range(50)])
    part, first = folds(made), firsts(made)
    assert first.sum() == 20
    assert np.bincount(part[first]).tolist() == [4] * FOLDS
    assert np.array_equal(part[:20], part[20:40])
    assert np.array_equal(part, folds(made))


@pytest.mark.parametrize("detector", KINDEST)
def test_the_kindest_part_is_believed(
    detector: type[Kindest], sets: tuple[TraceSet, TraceSet, TraceSet]
) -> None:
    """A new trace has the least score of the five models, a held-out one that of its own part."""
    known, *others = sets
    # Calls that one part only makes are not known to the model without it.
    known = TraceSet.joined([known, others[1].take(np.arange(1))])
    part, judge = folds(known), detector().fit(known)
    models = [detector().learn(known.take(np.flatnonzero(part != f))) for f in range(FOLDS)]
    by_part = np.stack([model.score(known) for model in models])
    np.testing.assert_allclose(judge.held_out, by_part[part, np.arange(len(known))])
    for some in others:
        least = np.min([model.score(some) for model in models], axis=0)
        np.testing.assert_allclose(judge.score(some), least)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(40, 120), st.sampled_from(KINDEST))
def test_a_threshold_by_the_kindest_keeps_its_promise(
    seed: int, n: int, detector: type[Kindest]
) -> None:
    """Of later traces of the same kind no more lie above a threshold than were promised."""
    random, vocabulary = np.random.default_rng(seed), Vocabulary()
    made = traces_of([random.integers(0, 12, 15).tolist() for _ in range(n + 300)], vocabulary)
    judge = detector().fit(made.take(np.arange(n)))
    threshold = own_threshold(judge.held_out, 0.2)
    above = np.mean(judge.score(made.take(np.arange(n, n + 300))) > threshold)
    # Four standard deviations of a share of fifths among so few known traces and three hundred.
    assert above <= 0.2 + 4 * np.sqrt(0.2 * 0.8 * (1 / n + 1 / 300))


def test_a_sample_takes_a_piece_of_each_long_trace() -> None:
    """A large set gives as many calls in a row of each trace as fit, the same ones each time."""
    made = traces_of([list(range(i, i + 200)) for i in range(10)] + [[1, 2]] * 3)
    few = sample(made, 206)
    assert few.lengths.tolist() == [20] * 10 + [2] * 3
    assert all((np.diff(few.trace(i)) == 1).all() for i in range(10))
    assert np.array_equal(few.calls, sample(made, 206).calls)
    assert sample(made, 5_000) is made


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20), st.integers(20, 400))
def test_a_sample_holds_no_more_than_asked(lengths: list[int], most: int) -> None:
    """Whatever the lengths, a sample is within its bound and wastes less than a call a trace."""
    made = TraceSet.of([np.zeros(n, np.int64) for n in lengths], Vocabulary())
    held = len(sample(made, most).calls)
    assert held <= max(most, len(lengths))
    assert held >= min(most, sum(lengths)) - len(lengths)


def test_witten_bell_by_hand() -> None:
    """The probability of a call is what the counts say, worked out on paper."""
    # After 0 came 1 twice and 2 once. No continuation: runs are counted as they occur.
    text = traces_of([[0, 1, 0, 1, 0, 2]])
    model = Index(text, 2).model(np.ones(6, np.bool_), continuation=False)
    uniform = 1 / 4
    p1 = (2 + 3 * uniform) / (6 + 3)
    after0 = (2 + 2 * p1) / (3 + 2)
    bits = model.bits(traces_of([[0, 1]], text.vocabulary))
    assert bits[1] == pytest.approx(-np.log2(after0))


def test_kneser_ney_counts_what_comes_before() -> None:
    """A call that follows only one other is less likely elsewhere than its count says."""
    # 9 is frequent but only ever after 8; 1 follows many.
    lists = [[8, 9] * 6, [2, 1, 3, 1, 4, 1, 5, 1, 6, 1]]
    text = traces_of(lists)
    model = Index(text, 2).model(np.ones(22, np.bool_), "kneser-ney")
    nine, one = (model.bits(traces_of([[7, 7, call]], text.vocabulary))[2] for call in (9, 1))
    assert nine > one


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=12), min_size=1, max_size=6),
    st.sampled_from(["witten-bell", "kneser-ney"]),
    st.booleans(),
)
def test_probabilities_add_up(lists: list[list[int]], smoothing: str, continuation: bool) -> None:
    """After any calls the probabilities of all known calls and an unknown one add up to one."""
    text = traces_of(lists)
    used = np.ones(len(text.calls), np.bool_)
    model = Index(text, 3).model(used, smoothing, continuation=continuation)
    known = [int(t) for t in text.vocabulary.tokens]
    for before in ([], lists[0][:2], [4, 4]):
        ends = [traces_of([[*before, call]], text.vocabulary) for call in [*known, 99]]
        total = sum(2.0 ** -model.bits(end)[-1] for end in ends)
        assert total == pytest.approx(1, abs=1e-6)


def test_scores_from_the_index_are_those_from_the_model() -> None:
    """Probabilities of indexed text equal those found by looking the same text up."""
    random = np.random.default_rng(0)
    text = traces_of(random.integers(0, 6, (20, 15)).tolist())
    index = Index(text, 4)
    used = text.row % 3 > 0
    model = index.model(used)
    direct = -np.log2(model.probability[-1][index.orders[-1].place])
    np.testing.assert_allclose(direct, model.bits(text))
    assert mean_of(text, direct).shape == (20,)


def test_stide_is_the_share_of_unseen_windows() -> None:
    """Six calls that never followed each other count one window each."""
    judge = Stide().learn(traces_of([list(range(20))]))
    vocabulary = Vocabulary()
    for i in range(20):
        vocabulary.id(str(i))
    same = TraceSet.of([np.arange(20), np.array([*range(10), 0, *range(11, 20)])], vocabulary)
    assert judge.score(same).tolist() == [0.0, 6 / 20]


def test_a_known_trace_is_not_its_own_witness() -> None:
    """Held-out scores of the order and of the call set are by the other traces."""
    lists = [[0, 1, 2] * 5, [5, 6] * 7, [5, 7] * 7, [8, 9] * 7, [8, 7] * 7]
    made, twice = traces_of(lists), traces_of([lists[0], *lists])
    for detector in (Order, CallSet):
        assert detector().fit(made).held_out[0] > 0.5
        # A copy is no other trace: it does not vouch.
        assert detector().fit(twice).held_out[0] > 0.5


def test_a_step_is_odd_where_neither_model_expects_it() -> None:
    """What all traces do, and what the trace most alike does, both excuse; neither is odd."""
    # Everyone walks 0 1 2 3; of those that also call 9, most go on with 8 and one with 7.
    common = [[0, 1, 2, 3] * (9 + i % 5) for i in range(30)]
    usual, rare = [9, 8, 0, 1, 9, 8, 2, 3] * 6, [9, 7, 4, 5, 9, 7, 5, 4] * 6
    made = traces_of([*common, *[usual + [0] * i for i in range(20)], rare])
    judge = Order().fit(made)
    later = traces_of([[0, 1, 2, 3] * 10, usual, rare, [9, 3, 4, 1, 9, 2, 5, 0] * 6])
    by_all, by_one, by_rare, odd = judge.score(
        TraceSet(later.calls, later.indptr, later.labels, made.vocabulary)
    )
    assert max(by_all, by_one, by_rare) < 1
    assert odd > 3


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 15), st.integers(1, 7))
def test_the_worst_stretch_is_what_a_search_finds(lengths: list[int], most: int, step: int) -> None:
    """The worst stretch of a long trace and the mean of a short one are what a search finds."""
    made = TraceSet.of([np.zeros(n, np.int64) for n in lengths], Vocabulary())
    values = np.random.default_rng(sum(lengths)).random(sum(lengths))
    found = worst_mean(made, values, most, step)
    for i, n in enumerate(lengths):
        own = values[made.indptr[i] : made.indptr[i + 1]]
        begins = [*range(0, n - most, step), n - most] if n > most else [0]
        assert found[i] == pytest.approx(max(own[b : b + most].mean() for b in begins))


def test_a_short_attack_does_not_drown_in_a_long_trace() -> None:
    """A hundred strange calls among twenty thousand known ones score above any clean trace."""
    random, vocabulary = np.random.default_rng(2), Vocabulary()
    steps = [[0, 1, 2], [3, 4, 5, 6], [7, 8]]

    def long() -> list[int]:
        return list(itertools.chain(*(steps[i] for i in random.integers(0, 3, 7_000))))

    known = traces_of([long() for _ in range(8)], vocabulary)
    clean, attacked = [long() for _ in range(4)], long()
    attacked[9_000:9_100] = random.integers(0, 9, 100).tolist()
    later = traces_of([*clean, attacked], vocabulary)
    scores = Order().fit(known).score(later)
    assert scores[4] > scores[:4].max() + 3 * scores[:4].std()


def test_surprise_goes_on_past_every_known_score() -> None:
    """Surprise never falls as scores rise, and tells apart scores beyond all that was known."""
    surprise = Surprise(np.random.default_rng(0).normal(size=500))
    values = surprise.of(np.linspace(-5, 20, 400))
    assert (np.diff(values) >= -1e-9).all()
    assert values[-1] > values[-2] > 5
    assert surprise.of(np.array([-99.0]))[0] == pytest.approx(0)
    flat = Surprise(np.zeros(50))
    assert np.isfinite(flat.of(np.array([-1.0, 0.0, 1.0]))).all()


def test_the_default_gives_each_view_one_vote(
    fitted: dict[str, TraceDetector], sets: tuple[TraceSet, TraceSet, TraceSet]
) -> None:
    """The score is the plain sum of the surprises of the order, the set and the composition.

    Each is held against traces of programs that were not learned from.
    """
    names = ["order", "call-set", "composition"]
    assert [member.name for member in MEMBERS] == names
    assert list(Views().parts) == names
    part = apart(sets[0])
    surprises = [
        Surprise(member.scores_without(sets[0], part)).of(fitted[member.name].score(sets[2]))
        for member in MEMBERS
    ]
    np.testing.assert_allclose(fitted["views"].score(sets[2]), np.sum(surprises, axis=0))


def test_windows_count_calls_and_pairs() -> None:
    """A trace becomes one window with every call and as many transitions as calls."""
    made = traces_of([[1, 2, 1], [3]])
    batch = as_windows(made)
    assert batch.n_events.tolist() == [3, 1]
    assert batch.transitions.row_sums().tolist() == [3, 1]
    assert batch.syscalls.to_dense()[0, :2].tolist() == [2, 1]


def test_the_order_holds_parts_out() -> None:
    """A step made in one trace only is unexpected in its held-out score, not in its own."""
    lists = [[0, 1, 2, 3] * (4 + i) for i in range(20)] + [[0, 1, 7, 8] * 4]
    made = traces_of(lists)
    judge = Order().fit(made)
    assert judge.held_out[-1] > judge.score(made)[-1] + 0.5
