"""Promises of ``evaluate recordings``: what it learns, judges, counts and refuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from oddcall.models.bundle.bundle import load_bundle
from oddcall.models.window import WindowBatch
from oddcall.service.cli import run
from oddcall.service.evaluation.recordings_page import write
from oddcall.service.evaluation.recordings_text import as_dict, table
from oddcall.training.labels import Label, read_labels, write_labels
from oddcall.training.lake import lake
from oddcall.training.parts import read_metadata
from oddcall.training.recording import RecordingWriter, read_batches
from oddcall.training.synthetic import attacks, host

from .conftest import evaluate


def test_attacks_are_found_and_clean_time_is_quiet(small_lake, bundle, capsys):
    """By a model, later time of its host: each attack found within a second, nothing else."""
    found = json.loads(
        evaluate(
            capsys,
            "--model",
            bundle,
            "--test",
            small_lake.later("web1"),
            "--labels",
            small_lake.labels,
            "--json",
        )
    )
    assert found["windows"]["learned"] == 0
    assert found["windows"]["without_baseline"] == 0
    assert found["alerts"]["false"] == 0
    assert found["alerts"]["true"] > 0
    assert found["recall"]["count"] == found["recall"]["of"] == 4
    assert {attack["name"] for attack in found["attacks"]} == {
        "shell",
        "shell-child",
        "scan",
        "rewrite",
    }
    for attack in found["attacks"]:
        assert attack["found"]
        assert 0 <= attack["delay_s"] <= 2
        assert attack["needs_fpr"] == 0
        assert attack["p_value"] < 1e-6
    best = found["detectors"][found["default"]]
    low, high = best["intervals"]["auc"]
    assert low <= best["auc"] <= high
    assert found["found_at_fpr"] == {"0.01": 1.0, "0.05": 1.0, "0.10": 1.0}
    low, high = found["alerts"]["false_per_host_day"]["interval"]
    assert low == 0 < high
    for row in found["calibration"]:
        assert row["realised"] <= 1.5 * row["promised"]
        assert row["between"]["low"] <= row["realised"] <= row["between"]["high"]


def test_no_window_is_lost_or_counted_twice(small_lake, capsys):
    """Split by host, every window is judged once, and each host's attacks are found."""
    found = json.loads(
        evaluate(
            capsys,
            "--split",
            "host",
            "--test",
            small_lake.root,
            "--labels",
            small_lake.labels,
            "--json",
        )
    )
    counts = found["windows"]
    labels = read_labels(small_lake.labels)
    assert len(found["models"]) == len(set(found["models"])) == 2
    assert len(found["attacks"]) == len(labels) == 8
    assert all(attack["found"] for attack in found["attacks"])
    assert sum(program["windows"] for program in found["programs"]) == counts["judged"]
    # Learned from and judged: everything once, but what attacks touched is not learned from.
    assert counts["judged"] - 60 < counts["learned"] < counts["judged"]
    assert counts["left_out"] == 0
    kinds = ("clean", "attack", "left_behind", "without_baseline", "unsettled")
    assert sum(counts[kind] for kind in kinds) == counts["judged"]


def test_what_is_learned_is_the_model_that_train_makes(small_lake, tmp_path, capsys):
    """Of recordings that hold different programs too: each counts over those that hold it."""
    clean, part = small_lake.clean("web2"), tmp_path / "part"
    with RecordingWriter(part, read_metadata(small_lake.clean("web1"))) as writer:
        for batch in read_batches(small_lake.clean("web1")):
            kept = np.array([program.name == "redis-server" for program in batch.programs])
            writer.append(batch.take(kept[batch.program]))
    words = ("--train", part, "--train", clean, "--test", small_lake.later("web1"), "--json")
    (learned,) = json.loads(evaluate(capsys, *words))["models"]
    assert run(["train", str(part), str(clean), "-o", str(tmp_path / "m.oddcall")]) == 0
    assert load_bundle(tmp_path / "m.oddcall").id == learned


def test_windows_between_learning_and_judging_are_told(small_lake, tmp_path, capsys):
    """Split by time, windows across the two parts are neither, and their number is said."""
    (source,) = lake([small_lake.clean("web1")])
    early = Label("early", source.start_ns, source.start_ns + 10**9, pid=100)
    write_labels(tmp_path / "labels", [early])
    words = ("--split", "time", "--test", source.path, "--labels", tmp_path / "labels")
    found = json.loads(evaluate(capsys, *words, "--json"))
    assert [label["name"] for label in found["labels"]["learned_or_left_out"]] == ["early"]
    counts = found["windows"]
    whole = sum(map(len, read_batches(small_lake.clean("web1"))))
    assert counts["left_out"] > 0
    # What is of an attack, or of the moments after it, is not learned from.
    assert 0 < whole - counts["learned"] - counts["judged"] - counts["left_out"] < 20
    text = evaluate(capsys, *words)
    said = "windows in, across or just after the learned time left out"
    assert f"{counts['left_out']:,} {said}" in text
    assert "1 of 1 lies in what was learned from or left out: early." in text


def test_two_recorders_of_one_time_are_one_host_day(small_lake, tmp_path, capsys):
    """What two recordings of a host share counts once: alerts a day are no fewer for it."""
    later = small_lake.later("web1")
    with RecordingWriter(tmp_path / "beside", read_metadata(later)) as writer:
        for batch in read_batches(later):  # a recorder whose ticks come a little later
            writer.append(replace(batch, t_end_ns=batch.t_end_ns + 1_000_000))
    words = ("--split", "time", "--json", "--test", later)
    alone = json.loads(evaluate(capsys, *words))["alerts"]
    both = json.loads(evaluate(capsys, *words, "--test", tmp_path / "beside"))["alerts"]
    assert both["host_days"] == pytest.approx(alone["host_days"], rel=0.1)


def test_programs_that_were_never_met_are_unknown(unknown):
    """oddcall says that it knows none of them, and alerts on nothing."""
    found = as_dict(unknown, "by one program", {})
    assert found["windows"]["without_baseline"] == found["windows"]["judged"]
    assert found["alerts"]["false"] == found["alerts"]["true"] == 0


def test_what_was_not_judged_is_neither_found_nor_missed(unknown, tmp_path):
    """Without a baseline an attack is no miss: not in recall, the table, the page or the JSON."""
    found = as_dict(unknown, "by one program", {})
    assert found["recall"]["of"] == 0
    assert found["recall"]["not_judged"] == len(found["attacks"]) == 8
    assert set(found["found_at_fpr"].values()) == {None}
    assert {(a["judged"], a["found"], a["p_value"]) for a in found["attacks"]} == {
        (False, None, None)
    }
    assert sum(program["attacks"] for program in found["programs"]) == 0
    assert sum(program["attacks_not_judged"] for program in found["programs"]) == 8
    text = "\n".join(table(unknown, "by one program", {}))
    assert "attacks       8 not judged: without a baseline" in text
    assert not re.search(r"[0-9] of [0-9]|\bno$", text)
    write(tmp_path / "report.html", unknown, "by one program", {})
    page = (tmp_path / "report.html").read_text()
    assert "none judged" in page
    assert 'class="miss"' not in page


def test_what_was_not_done_to_its_end_is_neither_found_nor_missed(
    small_lake, bundle, tmp_path, capsys
):
    """What raised is called failed, with why, whatever alerted; figures pass it over."""
    labels = [
        replace(label, failure="it\nraised <b>" if label.name == "scan" else "")
        for label in read_labels(small_lake.labels)
        if label.host == "web1"
    ]
    write_labels(tmp_path / "labels", labels)
    words = ("--model", bundle, "--test", small_lake.later("web1"), "--labels", tmp_path / "labels")
    text = evaluate(capsys, *words, "--html", tmp_path / "report.html")
    assert re.search(r"^scan .* failed ", text, re.MULTILINE)
    assert "\nscan failed: it raised <b>\n" in text
    assert "attacks       3 of 3 found" in text
    assert "1 was not done to the end: neither found nor missed" in text
    rows = re.findall(r"<tr.*?</tr>", (tmp_path / "report.html").read_text())
    (row,) = (row for row in rows if "<td>scan</td>" in row)
    assert row.startswith('<tr class="">')
    assert "<td>failed: it raised &lt;b&gt;</td>" in row
    page = (tmp_path / "report.html").read_text()
    marked = re.findall(r'<rect class="(\w+)"[^>]*><title>(.*?)</title>', page)
    assert ("undone", "scan, failed") in marked
    shaded = {title for style, title in marked if style == "shade"}
    assert shaded
    assert not any("scan" in title for title in shaded)
    assert re.search('class="(dot|ring) failed"', page)
    assert "What failed is outlined, and its windows are grey." in page
    found = json.loads(evaluate(capsys, *words, "--json"))
    assert (found["recall"]["of"], found["recall"]["failed"]) == (3, 1)
    (scan,) = (attack for attack in found["attacks"] if attack["name"] == "scan")
    assert (scan["failure"], scan["found"]) == ("it\nraised <b>", None)
    assert scan["windows"] > 0
    # Its windows are neither clean nor of an attack.
    write_labels(tmp_path / "labels", [replace(label, failure="") for label in labels])
    done = json.loads(evaluate(capsys, *words, "--json", "--html", tmp_path / "done.html"))
    assert '<rect class="undone"' not in (tmp_path / "done.html").read_text()
    assert done["windows"]["clean"] == found["windows"]["clean"]
    assert done["windows"]["attack"] > found["windows"]["attack"]
    assert sum(p["attacks"] for p in found["programs"]) == 3


def test_labels_that_meet_nothing_are_told(small_lake, bundle, tmp_path, capsys):
    """Of another time, another host or no process: each is named, with the time that was judged."""
    (scan,) = (x for x in read_labels(small_lake.labels) if (x.name, x.host) == ("scan", "web1"))
    hour = 3600 * 10**9
    labels = [
        scan,
        replace(scan, name="slipped", start_ns=scan.start_ns + hour, end_ns=scan.end_ns + hour),
        replace(scan, name="elsewhere", host="web9"),
        replace(scan, name="short", pid=None, program="python3.11"),
    ]
    write_labels(tmp_path / "labels", labels)
    words = ("--model", bundle, "--test", small_lake.later("web1"), "--labels", tmp_path / "labels")
    assert run(["evaluate", "recordings", *map(str, words), "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    told = found["labels"]
    assert told["given"] == 4
    assert [x["name"] for x in told["outside"]] == ["slipped"]
    assert [x["name"] for x in told["other_host"]] == ["elsewhere"]
    assert [x["name"] for x in told["without_windows"]] == ["short"]
    assert list(told["judged_time"]) == ["web1"]
    assert {a["name"]: a["found"] for a in found["attacks"]} == {"scan": True, "short": None}
    assert (found["recall"]["of"], found["recall"]["not_judged"]) == (1, 1)
    said = " ".join(evaluate(capsys, *words).split())
    for sentence in (
        "1 of 4 lies outside the judged time, 2023-10-02 09:04:00 to 09:08:00 UTC: slipped.",
        "1 of 4 is of a host that was not judged (judged: web1): elsewhere of web9.",
        (
            "1 of 4 has no window of its own: short (program python3.11). "
            "A program is named by its path: /usr/bin/python3.11 was judged."
        ),
    ):
        assert sentence in said
        assert sentence in err


def test_without_labels_it_measures_promises(small_lake, bundle, capsys):
    """Everything is taken as clean: what was done shows as false alerts."""
    out = evaluate(capsys, "--model", bundle, "--test", small_lake.later("web1"))
    assert "p-values on clean windows" in out
    assert not re.search(r"^attack", out, re.MULTILINE)
    assert "false alerts  0" not in out


def test_what_came_back_is_counted_apart(small_lake, bundle, tmp_path, capsys, monkeypatch):
    """By default a repeat is an update of its alert; without a cooldown, as in a trial, another."""
    ticks = host(240, seed=10, start=240)
    for second in (60, 120, 180):
        ticks[second] = WindowBatch.concat([ticks[second], *attacks(0, 240 + second)["scan"]])
    with RecordingWriter(tmp_path / "scans", read_metadata(small_lake.later("web1"))) as writer:
        for batch in ticks:
            writer.append(batch)
    words = ("--model", bundle, "--test", tmp_path / "scans")
    monkeypatch.setenv("ODDCALL_ALERTS_COOLDOWN", "1d")
    text = evaluate(capsys, *words, "--html", tmp_path / "page.html")
    default = json.loads(evaluate(capsys, *words, "--json"))["alerts"]
    counts = ("false", "false_returns", "cooldown_s")
    assert [default[name] for name in counts] == [1, 2, 86400]
    said = "and 2 times one came back as an update (alerts.cooldown)"
    assert said in text
    assert said in (tmp_path / "page.html").read_text()
    monkeypatch.setenv("ODDCALL_ALERTS_COOLDOWN", "0s")
    without = json.loads(evaluate(capsys, *words, "--json"))["alerts"]
    assert [without[name] for name in counts] == [3, 0, 0]


def test_a_programs_row_counts_the_attacks_that_recall_counts(small_lake, bundle, tmp_path, capsys):
    """What counts cannot show is in neither, whether it alerted or not."""
    labels = [
        replace(label, visible=label.name != "scan")
        for label in read_labels(small_lake.labels)
        if label.host == "web1"
    ]
    write_labels(tmp_path / "labels", labels)
    words = ("--model", bundle, "--test", small_lake.later("web1"), "--labels", tmp_path / "labels")
    found = json.loads(evaluate(capsys, *words, "--json", "--html", tmp_path / "page.html"))
    assert found["recall"]["of"] == 3
    assert sum(program["attacks"] for program in found["programs"]) == 3
    assert re.search("<td[^>]*>3 of 3</td>", (tmp_path / "page.html").read_text())


def test_a_model_is_held_to_the_budget_that_was_asked_for(small_lake, bundle, capsys):
    """With --budget the model's own no longer holds: alerts are counted at the one asked for."""
    words = ("--model", bundle, "--test", small_lake.later("web1"), "--json")
    words = (*words, "--labels", small_lake.labels)
    own, larger = (
        json.loads(evaluate(capsys, *words, *more))["alerts"]
        for more in ((), ("--budget", "900000/day"))
    )
    assert (own["budget_per_day"], larger["budget_per_day"]) == (1, 900_000)
    assert own["false"] == 0 < larger["false"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--test", "{later}"], 2, "none of them"),
        (["--test", "{later}", "--split", "time", "--model", "{bundle}"], 2, "--model and --split"),
        (["--test", "{later}", "--model", "{bundle}", "--min-windows", "50"], 2, "Leave --min-"),
        (["--test", "{clean}", "--train", "{clean}"], 2, "the same one"),
        (["--test", "{clean}", "--model", "{bundle}"], 2, "of the time that was learned from"),
        (["--test", "{later}", "--split", "host"], 2, "at least two"),
        (["--test", "{later}", "--split", "pid"], 2, "'time', 'host', 'program'"),
        (["--test", "{later}", "--split", "time", "--labels", "/nowhere"], 2, "/nowhere"),
        (["--test", "/nowhere", "--split", "time"], 5, "/nowhere"),
        (["--test", "/nowhere", "--split", "time", "--html", "/nodir/x.html"], 7, "not exist"),
        (["--test", "/nowhere", "--split", "time", "--html", "/dev/null"], 7, "not a file"),
    ],
)
def test_what_would_leak_or_cannot_be_is_refused(
    words: list[str], code: int, said: str, small_lake, bundle, capsys
):
    """A wrong command line ends with the promised exit code and one sentence, before any work."""
    places = {
        "later": small_lake.later("web1"),
        "clean": small_lake.clean("web1"),
        "bundle": bundle,
    }
    assert run(["evaluate", "recordings", *(word.format(**places) for word in words)]) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
