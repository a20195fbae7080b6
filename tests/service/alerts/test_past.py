"""What makes an episode the same as one before: its strongest features, wherever they stand."""

from __future__ import annotations

from itertools import permutations

from oddcall.service.alerts.past import Kinds


def test_a_kind_is_its_strongest_features_in_any_order() -> None:
    """What a sentence names stands first, and may weigh less than what comes after it."""
    weights = {"bpf": 0.01, "read": 0.5, "write": 0.3, "futex": 0.1, "poll": 0.05}
    told = {
        Kinds.told(
            {
                "explanation": {
                    "top": [{"feature": name, "contribution": weights[name]} for name in order]
                },
                "attack_hints": [{"technique": "T1014"}],
            }
        )
        for order in permutations(weights)
    }
    assert told == {Kinds(frozenset({"read", "write", "futex", "T1014"}))}
