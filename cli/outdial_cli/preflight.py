"""A file's preflight, put together from the answers of its batches; who can be called when, and who never."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

BATCH_LEADS = 500


def batches(leads: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The leads, 500 at a time; one empty batch when there are none, so that the gate is asked at all."""
    for start in range(0, max(1, len(leads)), BATCH_LEADS):
        yield leads[start : start + BATCH_LEADS]


def merged(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One answer out of those of the batches, which were judged at the same instants, with its groups."""
    results = [result for answer in answers for result in answer["results"]]
    return {
        **answers[-1],
        "callable": sum(answer["callable"] for answer in answers),
        "blocked": _added(answer["blocked"] for answer in answers),
        "blocked_total": sum(answer["blocked_total"] for answer in answers),
        "hours": [{"at": same[0]["at"], **_summed(same)} for same in zip(*(a["hours"] for a in answers), strict=True)],
        "places": _places(answers),
        "zones": _added(answer["zones"] for answer in answers),
        "lists": _lists(answers),
        "waiting": waiting(results),
        "never": never(results),
        "results": results,
    }


def waiting(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Groups of one reason and rule that become callable: how many, the first, the median and the last instant."""
    groups = defaultdict[tuple[Any, ...], list[datetime]](list)
    for result in results:
        if result["reasons"] and result["next_allowed_at"] is not None:
            groups[_group(result)].append(datetime.fromisoformat(result["next_allowed_at"]))
    return [
        {
            **_named(group),
            "leads": len(times),
            "earliest": min(times).isoformat(),
            "median": sorted(times)[(len(times) - 1) // 2].isoformat(),
            "last": max(times).isoformat(),
        }
        for group, times in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def never(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Groups that nothing known now will ever lift, within the 60 days that the gate looks ahead."""
    groups = Counter(_group(r) for r in results if r["reasons"] and r["next_allowed_at"] is None)
    return [
        {**_named(group), "leads": leads}
        for group, leads in sorted(groups.items(), key=lambda item: (-item[1], item[0]))
    ]


def _group(result: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(result["reasons"]), tuple(result["rule_ids"])


def _named(group: tuple[Any, ...]) -> dict[str, Any]:
    return {"reasons": list(group[0]), "rule_ids": list(group[1])}


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def _summed(sums: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"callable": sum(one["callable"] for one in sums), "blocked": _added(one["blocked"] for one in sums)}


def _places(answers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    names = sorted({name for answer in answers for name in answer["places"]})
    of = {name: [answer["places"][name] for answer in answers if name in answer["places"]] for name in names}
    return {name: {"leads": sum(one["leads"] for one in same), **_summed(same)} for name, same in of.items()}


def _lists(answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By list, the copy as it stood last; the leads of all batches."""
    newest = {one["list"]: one for answer in answers for one in answer["lists"]}
    leads = Counter[str]()
    for answer in answers:
        leads.update({one["list"]: one["leads"] for one in answer["lists"]})
    return [{**newest[name], "leads": leads[name]} for name in sorted(newest)]
