"""Who may do what on the page, and why not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: Everybody who can be let in; the order is that of the page.
ROLES: Mapping[str, str] = {
    "commander": "leads the response, as in an incident",
    "coordinator": "runs the tool: prepares, opens gates, stops",
    "responder": "is on call: acknowledges, follows runbooks",
    "scribe": "writes down notes, decisions, things to do",
    "observer": "watches people and dashboards",
    "owner": "decides go or no-go",
    "approver": "approved the plan",
    "safety-officer": "watches stop conditions",
    "liaison": "tells others",
    "business-owner": "judges what customers feel",
    "facilitator": "leads the debrief",
    "shadow": "learns",
}
#: Who is offered where no plan names roles.
USUAL = ("commander", "coordinator", "responder", "scribe", "observer")
_ALL = frozenset(ROLES)
_LEADS = frozenset({"commander", "coordinator", "owner"})
#: What can be done -> the roles that may. The stop is everybody's.
MAY: Mapping[str, frozenset[str]] = {
    "stop": _ALL,
    "end": _ALL,
    "note": _ALL,
    "todo": _ALL,
    "handoff": _ALL,
    "take": _ALL,
    "decide": _LEADS | {"scribe", "safety-officer"},
    "go": _LEADS,
    "gate": _LEADS,
    "update": _LEADS | {"scribe", "liaison"},
    "ack": frozenset({"responder"}),
    "step": frozenset({"responder"}),
    "opened": frozenset({"responder"}),
    "invite": frozenset({"coordinator"}),
    "reveal": frozenset({"coordinator"}),
}
_FIXES = frozenset({"ack", "step", "opened"})
_WHY: Mapping[str, str] = {
    "commander": "the commander leads and does not fix things with their own hands",
    "coordinator": "the coordinator knows the fault, and so does not respond to it",
    "scribe": "the scribe writes down what others do, and does not debug",
    "observer": "an observer watches, and does not prompt or act",
    "safety-officer": "the safety officer watches, and does not respond",
    "shadow": "a shadow learns, and does not act",
}
_WATCH = frozenset({"observer", "shadow"})
_BLIND = "in blind mode a gate tells what comes, so only those who know open it"


def refusal(role: str, do: str, *, blind: bool = False, enders: Collection[str] = ()) -> str | None:
    """Why *role* may not *do* this; None if it may. *blind*: the role must not know the fault.

    *enders* are the roles that the plan lets end the day; without any it is everybody.
    """
    allowed = MAY.get(do)
    if allowed is None:
        return f"`{do[:40]}` is nothing that can be done here"
    if do == "end" and enders:
        allowed = frozenset(enders)
    if role not in allowed:
        who = ", ".join(name for name in ROLES if name in allowed)
        why = _WHY.get(role, "") if do in _FIXES or role in _WATCH else ""
        an = "an" if role[:1] in "aeiou" else "a"
        said = f"{an} {role} may not do this; allowed: {who}"
        return f"{why}: {said}" if why else said
    if do == "gate" and blind:
        return _BLIND
    return None


def rights(
    role: str, *, blind: bool = False, enders: Collection[str] = ()
) -> dict[str, str | None]:
    """Everything that can be done, each with why this role may not (None: it may)."""
    return {do: refusal(role, do, blind=blind, enders=enders) for do in MAY}
