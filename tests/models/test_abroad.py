"""Programs on another host than the model's: known by place, an update still seen as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oddcall.models.abroad import Abroad, hosts_of
from oddcall.models.model import Model
from oddcall.models.window import Program, WindowBatch
from oddcall.training.fit import fit
from oddcall.training.synthetic import REDIS, WEB, Chain, attacks, host, window


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(host(240, seed=1), metadata={"host_id": "a"})


@pytest.fixture(scope="module")
def batch() -> WindowBatch:
    odd = [part for group in attacks(5, 900).values() for part in group]
    return WindowBatch.concat([*host(40, seed=2, start=900), *odd])


def moved(batch: WindowBatch, by: int, exe: str = "") -> WindowBatch:
    """The same windows of other binaries: of all programs, or of one."""
    programs = (replace(p, ino=p.ino + by) if exe in ("", p.exe) else p for p in batch.programs)
    return replace(batch, programs=tuple(programs))


def test_another_hosts_binaries_are_those_of_their_places(model: Model, batch: WindowBatch):
    """Other inodes throughout: every verdict is the one of the model's own host."""
    here = model.judge(batch)
    there = model.judge(Abroad("b", model).told(moved(batch, 70_000)))
    assert here.alert.any()
    for column in ("p_value", "alert", "ready", "level", "profile"):
        assert np.array_equal(getattr(here, column), getattr(there, column)), column


@pytest.mark.parametrize("host_id", ["a", ""])
def test_at_home_nothing_is_taken_for_another(model: Model, batch: WindowBatch, host_id: str):
    """On the model's own host, or one that is not told, a batch stays the very same."""
    other = moved(batch, 1)
    assert Abroad(host_id, model).told(other) is other
    unsaid = replace(model, metadata={})
    assert Abroad("b", unsaid).told(other) is other


def test_the_second_binary_of_a_place_is_a_successor(model: Model, batch: WindowBatch):
    """An update while another host is watched is shadowed, as it is at home; others judge on."""
    abroad = Abroad("b", model)
    first = moved(batch, 70_000)
    abroad.told(first)
    updated = abroad.told(moved(first, 5, WEB.program.exe))
    verdicts = model.judge(updated)
    web = np.array([p.exe == WEB.program.exe for p in updated.programs])[updated.program]
    assert set(verdicts.level[web]) == {"predecessor"}
    assert not verdicts.ready[web].any()
    assert verdicts.ready[~web].any()
    assert model.judge(abroad.told(first)).ready[web].all(), "the first one stays who it is"


def test_whose_binary_is_not_sure_takes_no_place(model: Model):
    """A process gone before it was looked at may be named by another number: it is no first."""
    abroad = Abroad("b", model)
    gone, seen = (
        Chain(replace(REDIS.program, ino=ino), REDIS.paths, REDIS.weights) for ino in (1, 2)
    )
    calls = REDIS.walk(300, np.random.default_rng(0))
    unsure = replace(window(gone, calls), identity_complete=np.array([False]))
    assert not model.judge(abroad.told(unsure)).ready.any()
    assert model.judge(abroad.told(window(seen, calls))).ready.all()
    assert abroad.same(gone.program) == gone.program
    assert abroad.same(seen.program) == REDIS.program


def test_whom_a_model_knows_exactly_is_that_one(model: Model):
    """Hosts of one image share inodes: the same binary is itself, and another its successor."""
    abroad = Abroad("b", model)
    calls = REDIS.walk(300, np.random.default_rng(0))
    other = Chain(replace(REDIS.program, ino=9), REDIS.paths, REDIS.weights)
    abroad.told(window(REDIS, calls))
    abroad.told(window(other, calls))
    assert abroad.same(other.program) == other.program
    assert abroad.same(REDIS.program) == REDIS.program


def test_nobody_guesses_between_two_containers():
    """Two programs of one path in containers: on another host neither is taken for either."""
    random = np.random.default_rng(0)
    chains = [
        Chain(Program("/usr/bin/node", 0, ino, "", container), WEB.paths[:5], WEB.weights[:5])
        for ino, container in ((1, "docker"), (2, "docker"), (3, ""), (4, ""))
    ]
    ticks = [window(c, c.walk(300, random), second=i) for i in range(60) for c in chains]
    model = fit(ticks, metadata={"host_id": "a"})
    abroad = Abroad("b", model)
    inside, outside = (replace(chains[i].program, ino=77) for i in (0, 3))
    for program in (inside, outside):
        abroad.told(window(replace(chains[0], program=program), [0]))
    assert abroad.same(inside) == inside
    assert abroad.same(outside) == chains[3].program


def test_a_model_learned_meanwhile_keeps_who_was_first(model: Model, batch: WindowBatch):
    """Another budget or another training changes nobody's identity."""
    abroad = Abroad("b", model)
    here = moved(batch, 70_000)
    told = abroad.told(here).programs
    abroad.take(model.for_budget(3.0))
    assert abroad.told(here).programs == told
    more = replace(model.programs[0], program=replace(WEB.program, ino=70_200))
    abroad.take(replace(model, programs=(*model.programs, more)))
    assert abroad.told(here).programs == told
    assert abroad.same(more.program) == more.program


def test_a_model_of_several_hosts_knows_what_only_the_others_ran(model: Model, batch: WindowBatch):
    """Programs of its own it knows by their binaries, all others by their places."""
    several = replace(model, metadata={"host_id": "a", "hosts": "a b"})
    for other in (moved(batch, 70_000), batch):
        assert (
            model.judge(batch).ready.tolist()
            == several.judge(Abroad("b", several).told(other)).ready.tolist()
        )
    assert not Abroad("b", replace(model, metadata={"host_id": "b"})).away


def test_hosts_are_told_by_the_metadata():
    """One host by its id, several by all of theirs, none where nothing is told."""
    assert hosts_of({"host_id": "a"}) == {"a"}
    assert hosts_of({"host_id": "a", "hosts": "a b"}) == {"a", "b"}
    assert hosts_of({}) == frozenset()
