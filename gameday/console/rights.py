"""Who may do what on the page, and why not. Pure."""

from __future__ import annotations

from collections.abc import Mapping

#: Everybody who can be let in; the order is that of the page.
ROLES: Mapping[str, str] = {
    "commander": "leads the response, as in an incident",
    "coordinator": "runs the tool: prepares, opens gates, stops",
    "responder": "is on call: acknowledges, follows runbooks",
    "scribe": "writes down notes, decisions, things to do",
    "observer": "watches people and dashboards",
}
_ALL = frozenset(ROLES)
_LEADS = frozenset({"commander", "coordinator"})
#: What can be done -> the roles that may. The stop is everybody's.
MAY: Mapping[str, frozenset[str]] = {
    "stop": _ALL,
    "note": _ALL,
    "todo": _ALL,
    "handoff": _ALL,
    "decide": _LEADS | {"scribe"},
    "gate": _LEADS,
    "update": _LEADS | {"scribe"},
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
}
_BLIND = "in blind mode a gate tells what comes, so only the coordinator opens it"


def refusal(role: str, do: str, *, blind: bool = False) -> str | None:
    """Why *role* may not *do* this; None if it may. *blind*: the role must not know the fault."""
    allowed = MAY.get(do)
    if allowed is None:
        return f"`{do[:40]}` is nothing that can be done here"
    if role not in allowed:
        who = ", ".join(name for name in ROLES if name in allowed)
        why = _WHY.get(role, "") if do in _FIXES or role == "observer" else ""
        said = (
            f"a {role} may not do this; allowed: {who}"
            if role != "observer"
            else (f"an observer may not do this; allowed: {who}")
        )
        return f"{why}: {said}" if why else said
    if do == "gate" and blind:
        return _BLIND
    return None


def rights(role: str, *, blind: bool = False) -> dict[str, str | None]:
    """Everything that can be done, each with why this role may not (None: it may)."""
    return {do: refusal(role, do, blind=blind) for do in MAY}
