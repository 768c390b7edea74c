"""Hypothesis strategies for objects as they are on the wire: good ones from the generated schemas, and bent ones.

A bent object is a good one with one or two small things wrong, or merely odd: that is where two readers of the same
rules disagree, if they do.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

Json = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

LARGEST: Final = 2**53 - 1
_ONE_OF = re.compile(r"^\[has\(self\.(?P<names>.*)\)\]\.exists_one\(x, x\)$")

ODD_ADDRESSES: Final = (
    *("192.0.2.10/33", "192.0.2.10/024", "192.0.2.10", "192.0.2.010/24", "1.2.3/8", "0.0.0.0/0", "1.2.3.4/255.0.0.0"),
    *("::ffff:1.2.3.4/96", "::FFFF:1.2.3.4/96", "::ffff:c000:20a/120", "0:0:0:0:0:ffff:102:304/96", "::1.2.3.4/96"),
    *("2001:db8::10/129", "1::2::3/64", "::/0", "2001:DB8::a/64", "fe80::1/64", "1:2:3:4:5:6:7:8/128", ":::/1", "/24"),
)
GOOD_ADDRESSES: Final = ("192.0.2.10/24", "10.0.0.1/32", "2001:db8::10/64", "fe80::1/128")
GOOD_DEVICES: Final = (
    *(
        "/dev/sdb",
        "/dev/disk/by-uuid/0b-1",
        "UUID=0B-1",
        "LABEL=my data",
        "nas.example:/pg",
        "[2001:db8::1]:/",
        "vg0/data",
    ),
    *("/srv/shared", "/srv/...", "/srv/a b"),
)
ODD_DEVICES: Final = (
    *(
        "/dev/../etc",
        "/srv/.",
        "/srv//x",
        "/srv/",
        "UUID=",
        "UUID=a/b",
        "nas:pg",
        "nas://pg",
        ":/pg",
        "-x/y",
        "vg/lv/x",
        "vg/..",
    ),
    *("UID=x", "", "/", "sdb", "na s:/pg", "/dev/sdb\n", "NAS:/../x"),
)
ODD_TEXT: Final = (
    "",
    " ",
    "\n",
    "a\nb",
    "a\r",
    "\x00",
    "-",
    "A",
    "ä",
    "\u00a0",
    "a b",
    "/",
    "/\u2003x",
    "5",
    "True",
    "x" * 64,
)
ODD_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**6,
    "",
    "5",
    [],
    {},
    [None],
    ["x"],
    {"x": "y"},
    [[]],
    {"name": None},
)
ODD_LENGTHS: Final = (15, 16, 63, 64, 65, 128, 129, 255, 256, 1024, 1025, 4096, 4097)


@st.composite
def good(draw: Draw, schema: Json) -> Any:
    """A value that keeps the schema; rules across fields are kept where they say `exactly one of`."""
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if schema.get("x-kubernetes-int-or-string"):
        return draw(st.sampled_from([0, 2, "2", "1.5", "500m", "4Gi", "1e3"]))
    match schema.get("type"):
        case "string":
            return draw(_text(schema))
        case "integer":
            low = schema.get("minimum", -LARGEST)
            high = schema.get("maximum", LARGEST)
            return draw(st.one_of(st.integers(low, min(high, low + 3)), st.integers(low, high)))
        case "boolean":
            return draw(st.booleans())
        case "array":
            return draw(_list(schema))
        case _:
            return draw(_object(schema))


def _text(schema: Json) -> st.SearchStrategy[str]:
    low, high = schema.get("minLength", 0), schema["maxLength"]
    if pattern := schema.get("pattern"):
        if "/[0-9]{1,3}" in pattern:
            return st.sampled_from(GOOD_ADDRESSES)
        if "PARTUUID" in pattern:
            return st.sampled_from(GOOD_DEVICES)
        texts = st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="utf-8"))
        return texts.filter(lambda text: low <= len(text) <= high)
    free = st.text(st.characters(codec="utf-8"), min_size=low, max_size=min(high, low + 6))
    return st.one_of(st.sampled_from(["/bin/true", "a"]), free)


@st.composite
def _list(draw: Draw, schema: Json) -> list[Any]:
    low = schema.get("minItems", 0)
    items: list[Any] = draw(st.lists(good(schema["items"]), min_size=low, max_size=min(schema["maxItems"], low + 2)))
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        items = list({item[key]: item for item in items}.values())
    return items


@st.composite
def _object(draw: Draw, schema: Json) -> Json:
    if "additionalProperties" in schema:
        keys = st.one_of(st.sampled_from(["a", "b", "ip", "action", "x-1"]), st.text("abc-_A", min_size=1, max_size=8))
        entries: Json = draw(st.dictionaries(keys, good(schema["additionalProperties"]), max_size=2))
        return entries
    properties = schema.get("properties", {})
    wanted = {name for name in properties if name in schema.get("required", ()) or draw(st.booleans())}
    for rule in schema.get("x-kubernetes-validations", ()):
        if found := _ONE_OF.match(rule["rule"]):
            names = found["names"].split("), has(self.")
            wanted = (wanted - set(names)) | {draw(st.sampled_from(names))}
    return {name: draw(good(child)) for name, child in properties.items() if name in wanted}


@st.composite
def bent(draw: Draw, value: Any) -> Any:
    """The same value with one or two things odd; mostly they are wrong, and sometimes they are not."""
    result = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(result))
        if places:
            holder, key = draw(st.sampled_from(places))
            _bend(draw, holder, key)
    return result


def _places(value: Any) -> Any:
    """Every (holder, key) below."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield value, key
        yield from _places(child)


def _bend(draw: Draw, holder: Any, key: Any) -> None:
    value = holder[key]
    how = draw(st.sampled_from(["odd", "drop", "near", "near", "near"]))
    if how == "drop":
        del holder[key]
    elif how == "odd":
        holder[key] = draw(st.sampled_from(ODD_VALUES))
    elif isinstance(value, str):
        pool = ODD_ADDRESSES if "/" in value and value[:1] != "/" else ODD_TEXT
        lengths = st.sampled_from(ODD_LENGTHS).map(lambda size: (value[:1] or "a") * size)
        holder[key] = draw(st.one_of(st.sampled_from(pool), lengths, st.just(value + "\n"), st.just(value.upper())))
    elif isinstance(value, bool) or value is None:
        holder[key] = draw(st.sampled_from(ODD_VALUES))
    elif isinstance(value, int):
        holder[key] = draw(st.sampled_from([value - 1, value + 1, -value, 0, 1001, 65536, str(value), value + 0.5]))
    elif isinstance(value, list):
        holder[key] = draw(st.sampled_from([[], [*value, *value[:1]], value * 70, value[:1] * 9, {}, [*value, None]]))
    elif isinstance(value, dict):
        name = draw(st.sampled_from(["unknown", "", "x" * 64, "x" * 65, "A b", "action", "systemd", "check"]))
        holder[key] = {**value, name: draw(st.sampled_from(["x", {"unit": "a.service"}, ["x"], 1]))}


def perhaps_bent(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(strategy, strategy.flatmap(bent), strategy.flatmap(bent))


# --- services ---------------------------------------------------------------------------------------------------------


def tidy(spec: Json) -> Json:
    """A service without those fields that do not go with the others: with so many rules between fields, chance alone hardly ever keeps all."""
    spec = copy.deepcopy(spec)
    mode, placement = spec.get("mode", "Single"), spec.get("placement", {})
    unwanted = {
        **dict.fromkeys(("promoted", "promotion"), mode != "Promotable"),
        "replicas": mode not in ("Replicated", "Promotable"),
        "dependsOn": any("/" in one.get("service", "") for one in spec.get("dependsOn", ())),
    }
    _without(spec, {name for name, is_unwanted in unwanted.items() if is_unwanted})
    if placement.get("failback") == "Window" or "window" in placement:
        _without(placement, {"failback", "window"})
    for rule in (*placement.get("together", ()), *placement.get("apart", ())):
        _without(rule, {"weight"})
        rule["required"] = True
    for resource in spec["resources"]:
        _without(resource, {"reloadedAt"} if "systemd" not in resource else set())
        _without(resource, {"role"} if mode != "Promotable" else set())
        _without(resource.get("systemd", {}), {"overrides"})
        if "command" in resource and resource["command"].get("convention") != "lsb":
            resource["command"] = {"start": ["/bin/true"], "stop": ["/bin/true"]}
    return spec


def _without(values: Json, names: set[str]) -> None:
    for name in names:
        values.pop(name, None)
