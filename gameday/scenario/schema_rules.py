"""What the JSON Schema of the files says beyond the shapes of the documents: which keys together.

Each function changes the definitions of a schema in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gameday.scenario.actions import action_schema
from gameday.scenario.fault_docs import FAMILY_KEYS, STAGED_KEYS
from gameday.scenario.generic_calls import CALL_METHODS
from gameday.scenario.shape_docs import PRESETS
from gameday.scenario.validate import JsonSchema


def one_of(schema: JsonSchema, *groups: Iterable[str]) -> None:
    """Exactly one of each group's keys."""
    rules = [{"oneOf": [{"required": [key]} for key in group]} for group in groups]
    schema.setdefault("allOf", []).extend(rules)


def preset_rules(defs: JsonSchema) -> None:
    """A preset of arrivals has no parameters of another one."""
    preset = defs["PresetDoc"]
    for name, takes in PRESETS.items():
        others = sorted({key for keys in PRESETS.values() for key in keys} - set(takes))
        preset.setdefault("allOf", []).append(
            {
                "if": {"properties": {"preset": {"const": name}}, "required": ["preset"]},
                "then": {"not": {"anyOf": [{"required": [key]} for key in others]}},
            }
        )


def breakpoint_rules(schema: JsonSchema) -> None:
    """A scenario breaks something, unless it searches the breakpoint of its load."""
    preset = {"properties": {"preset": {"const": "breakpoint"}}, "required": ["preset"]}
    arrivals = {"properties": {"arrivals": {"type": "object", **preset}}, "required": ["arrivals"]}
    nothing = {"properties": {"alerts": {"maxItems": 0}, "quiet": {"maxItems": 0}}}
    schema["if"] = {"properties": {"load": arrivals}, "required": ["load"]}
    schema["then"] = {"properties": {"faults": {"maxItems": 0}, "expect": nothing}}
    schema["else"] = {"properties": {"faults": {"minItems": 1}}}


def fault_rules(defs: JsonSchema) -> None:
    """Faults, their stages and their calls."""
    one_of(defs["FaultDoc"], FAMILY_KEYS)
    _stage_rules(defs)
    for name in ("HttpCallDoc", "HttpPresentDoc"):
        one_of(defs[name], CALL_METHODS)
        defs[name]["not"] = {"required": ["json", "body"]}
        _some(defs[name], "status", "gone_status")
    for name in ("CommandCallDoc", "CommandPresentDoc"):
        run = defs[name]["properties"]["run"]
        run["minItems"] = 1
        run["prefixItems"] = [{"type": "string", "pattern": r"\S"}]
        _some(defs[name], "exit", "gone_exit")
    one_of(defs["SecretDoc"], ("env", "file"))


def _stage_rules(defs: JsonSchema) -> None:
    """A stage has the key of its fault, with one of the types that can grow, and the same."""
    stage, fault = defs["StageDoc"], defs["FaultDoc"]
    one_of(stage, ("after", "when", "gate"), STAGED_KEYS)
    for key in set(STAGED_KEYS) - {"toxic"}:
        growing = action_schema(key, staged=True)
        stage["properties"][key] = {**growing, "description": fault_about(stage, key)}
    same: list[JsonSchema] = []
    for key in STAGED_KEYS:
        for kind in stage["properties"][key]["oneOf"]:
            type_ = {"properties": {"type": kind["properties"]["type"]}, "required": ["type"]}
            stages = {"items": {"required": [key], "properties": {key: type_}}}
            same.append({"required": [key], "properties": {key: type_, "stages": stages}})
    none = {"properties": {"stages": {"maxItems": 0}}}
    fault["allOf"].append({"anyOf": [none, *same]})


def fault_about(schema: JsonSchema, key: str) -> str:
    """The description of a key."""
    return str(schema["properties"][key].get("description", ""))


def _some(schema: JsonSchema, *names: str) -> None:
    """A list of these keys is not empty."""
    for name in names:
        for one in schema["properties"].get(name, {}).get("anyOf", ()):
            if one.get("type") == "array":
                one["minItems"] = 1


_SIGNALS: Mapping[str, Sequence[str]] = {
    "http": ("for", "every"),
    "promql": ("above", "below", "for", "every"),
    "alert": ("labels",),
}


def signal_rules(defs: JsonSchema) -> None:
    """A signal is of one kind, and has the keys of that."""
    schema = defs["StopSignalDoc"]
    kinds = []
    for kind, keys in _SIGNALS.items():
        others = [key for key in schema["properties"] if key not in (kind, *keys)]
        alternative: JsonSchema = {
            "required": [kind],
            "not": {"anyOf": [{"required": [key]} for key in others]},
        }
        if kind == "promql":
            alternative["oneOf"] = [{"required": ["above"]}, {"required": ["below"]}]
        kinds.append(alternative)
    schema["oneOf"] = kinds


def environment_rules(defs: JsonSchema) -> None:
    """Targets, and the policy of an environment."""
    defs["TargetDoc"]["dependentRequired"] = {
        "proxy": ["listen", "upstream"],
        "listen": ["proxy", "upstream"],
        "upstream": ["proxy", "listen"],
    }
    one_of(defs["ContainerDoc"], ("name", "label"))
    defs["ContainerDoc"]["dependentRequired"] = {"pick": ["label"]}
    one_of(defs["ProcessDoc"], ("pidfile", "start"))
    for name in ("start", "restart"):
        words = defs["ProcessDoc"]["properties"][name]
        words["minItems"] = 1
        words["prefixItems"] = [{"type": "string", "pattern": r"\S"}]
    clocked = {"required": ["clock"], "properties": {"clock": {"const": True}}}
    defs["ProcessDoc"]["if"], defs["ProcessDoc"]["then"] = clocked, {"required": ["start"]}
    defs["CertificateDoc"]["dependentRequired"] = {"ca": ["ca_key"], "ca_key": ["ca"]}
    one_of(defs["SecretDoc"], ("env", "file"))
    one_of(defs["BudgetDoc"], ("query", "file"))
    days = defs["HoursDoc"]["properties"]["days"]["anyOf"]
    next(one for one in days if one.get("type") == "array")["minItems"] = 1
