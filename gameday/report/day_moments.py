"""The lines of a day's timeline, from its journal and those of its runs."""

from __future__ import annotations

from gameday.model.event import Event, Phase

#: What people do that is an event, in words.
SAID = {
    "human.note": "noted", "human.ack": "acknowledged", "human.decide": "decided",
    "human.todo": "to do", "human.handoff": "handed over", "human.update": "told others",
}  # fmt: skip


def day_moment(event: Event) -> str:
    """What a line of the timeline says of an event of the day's journal; empty for none."""
    data = event.data
    if event.kind in SAID:
        return f"{event.subject} {SAID[event.kind]}: {text_of(event)}"
    match event.kind:
        case "day.opened":
            return "the day began"
        case "day.closed" if data.get("stopped"):
            return f"the day was stopped: {data.get('reason')}"
        case "day.closed":
            return "the day was over"
        case "day.role":
            return f"{event.subject} was {'taken' if data.get('taken') else 'given back'}"
        case "day.asked":
            return f"go or no-go for {event.subject} was asked"
        case "day.revealed":
            return f"{data.get('by')} showed to all what was broken"
        case "day.go":
            return f"{data.get('by')}: {'go' if data.get('go') else 'no-go'} for {event.subject}"
        case _:
            return _item_moment(event)


def _item_moment(event: Event) -> str:
    data = event.data
    match event.kind, event.phase:
        case "day.item", Phase.STARTED:
            return f"{event.subject} began"
        case "day.item", _:
            return f"{event.subject} ended: {data.get('outcome') or data.get('error')}"
        case "day.declared", _:
            return f"the loss of {event.subject} was declared"
        case "day.card", _:
            return f"{event.subject}: {data.get('inject')}"
        case "day.step", _:
            word = "ok" if data.get("ok") else f"failed: {data.get('why')}"
            return f"{data.get('part')} `{event.subject}` {word}"
    return ""


def run_moment(event: Event) -> str:
    """The same of an event of a run."""
    if event.kind in SAID:
        return f"{event.subject} {SAID[event.kind]}: {text_of(event)}"
    match event.kind, event.phase:
        case "fault.inject", Phase.OK:
            return f"the fault `{event.subject}` was in"
        case "fault.revert", Phase.OK:
            return f"the fault `{event.subject}` was out, read back"
        case "alert.firing", _:
            return f"the alert {event.subject} fired"
        case "alert.delivered", _:
            word = event.data.get("status")
            return (
                f"the alert {event.subject} was delivered ({word}) to {event.data.get('receiver')}"
            )
        case "alert.acknowledged", _:
            return f"{event.subject} was acknowledged"
        case "stop.tripped", _:
            return f"the run was stopped: {event.data.get('reason')}"
        case "gate.opened", _:
            return f"the gate {event.subject} was opened"
    return ""


def text_of(event: Event) -> str:
    """What somebody said."""
    return str(event.data.get("text", ""))
