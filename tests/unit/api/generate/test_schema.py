"""Every row of FACTS 3.2: what pydantic writes and a real API server refuses, or silently loses, is translated or refused by us."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints

from backstay_api.generate.definitions import definition, object_schema
from backstay_api.generate.schema import Untranslatable, structural
from backstay_api.objects.models import ALL_OBJECTS, HAInstance, HAService, Host, HostAssignment
from backstay_api.objects.models.base import ListMap, Model, Rule
from backstay_api.objects.models.instance import HAInstanceSpec

Short = Annotated[str, StringConstraints(max_length=5)]


class Part(Model):
    """A part."""

    size: int = 3
    """How big."""


class Plain(Model):
    """Nothing hangs on it."""

    note: Short | None = None


class Ruled(Model):
    rules = (Rule("self.note != 'x'", "not x", lambda s: s.note != "x"),)
    note: Short | None = None


class Named(Model):
    name: Short = ""


class Endless(Model):
    child: Endless | None = None


class Cat(BaseModel):
    type: Literal["cat"]


class Dog(BaseModel):
    type: Literal["dog"]


def property_of(hint: Any, default: Any = ...) -> dict[str, Any]:
    """What one field with this type becomes."""
    model: Any = type("Made", (Model,), {"__annotations__": {"field": hint}, "field": default})
    result: dict[str, Any] = structural(model.model_json_schema(by_alias=True))["properties"]["field"]
    return result


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        pytest.param(int | None, {"type": "integer", "format": "int64"}, id="optional is the one type"),
        pytest.param(int | Short, {"x-kubernetes-int-or-string": True}, id="int or string has a word of its own"),
        pytest.param(Literal["a"], {"type": "string", "enum": ["a"]}, id="a const becomes an enum"),
        pytest.param(Literal["a"] | None, {"type": "string", "enum": ["a"]}, id="an optional const too"),
        pytest.param(
            Annotated[float, Field(gt=0)],
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            id="exclusive bounds are flags",
        ),
        pytest.param(
            Annotated[dict[str, Short], Field(max_length=2)],
            {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string", "maxLength": 5}},
            id="a map",
        ),
        pytest.param(
            Annotated[dict[str, Any], Field(max_length=2)],
            {"type": "object", "maxProperties": 2, "x-kubernetes-preserve-unknown-fields": True},
            id="a map of anything",
        ),
        pytest.param(
            Annotated[set[Short], Field(max_length=2)],
            {
                "type": "array",
                "maxItems": 2,
                "x-kubernetes-list-type": "set",
                "items": {"type": "string", "maxLength": 5},
            },
            id="a set is a list of its own type",
        ),
    ],
)
def test_a_type_is_translated(hint: Any, expected: dict[str, Any]) -> None:
    assert property_of(hint) == expected


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        pytest.param(int | bool, "a union of 2 types", id="union"),
        pytest.param(tuple[int, Short], "a tuple", id="tuple"),
        pytest.param(Annotated[Cat | Dog, Field(discriminator="type")], "a discriminated union", id="tagged union"),
        pytest.param(Endless, "contains itself", id="recursion"),
        pytest.param(Annotated[str, Field(max_length=3, pattern=r"^\s$")], "RE2", id="Unicode class"),
        pytest.param(str, "string without maxLength", id="unbounded string"),
        pytest.param(list[int], "list without maxItems", id="unbounded list"),
        pytest.param(dict[str, int], "map without maxProperties", id="unbounded map"),
    ],
)
def test_what_cannot_be_said_is_refused_when_generated(hint: Any, why: str) -> None:
    with pytest.raises(Untranslatable, match=why):
        property_of(hint)


def test_a_pattern_that_re2_does_not_know_is_refused() -> None:
    look_ahead = {"type": "string", "maxLength": 3, "pattern": "^a(?=b)"}
    with pytest.raises(Untranslatable, match="RE2"):
        structural({"type": "object", "properties": {"field": look_ahead}})


@pytest.mark.parametrize(
    ("hint", "default", "expected"),
    [
        pytest.param(int, 3, 3, id="a number"),
        pytest.param(int, 0, 0, id="zero is a default"),
        pytest.param(bool, False, False, id="so is false"),
        pytest.param(Short, "", None, id="empty text is the same as none"),
        pytest.param(int | None, None, None, id="none is none"),
        pytest.param(Part, Part(), {}, id="a part with defaults inside must be there for them"),
        pytest.param(Ruled, Ruled(), {}, id="a part with rules must be there, or leaving it out evades them"),
        pytest.param(Plain, Plain(), None, id="a part on which nothing hangs may be left out"),
        pytest.param(Part | None, None, None, id="an optional part stays optional"),
    ],
)
def test_defaults(hint: Any, default: Any, expected: Any) -> None:
    assert property_of(hint, default).get("default") == expected


def test_the_key_of_a_list_map_is_required_unless_it_has_a_default() -> None:
    listed = property_of(Annotated[list[Named], ListMap("name"), Field(max_length=3)])
    assert (listed["x-kubernetes-list-type"], listed["x-kubernetes-list-map-keys"]) == ("map", ["name"])
    assert listed["items"]["required"] == ["name"]


def test_keys_of_a_map_are_bound_by_rules_because_no_schema_word_does_it() -> None:
    key = Annotated[str, StringConstraints(max_length=4, pattern="^[a-z]+$")]
    rules = property_of(Annotated[dict[key, int], Field(max_length=3)])["x-kubernetes-validations"]
    assert [rule["rule"] for rule in rules] == [
        "self.all(key, size(key) <= 4)",
        'self.all(key, key.matches("^[a-z]+$"))',
    ]


def test_the_words_of_the_field_come_before_those_of_the_type() -> None:
    resources = object_schema(HAService)["properties"]["spec"]["properties"]["resources"]
    assert resources["description"] == "Started top to bottom, stopped bottom to top."
    assert resources["items"]["description"].startswith("One thing a service needs.")
    systemd = resources["items"]["properties"]["systemd"]["description"]
    assert systemd.splitlines()[0] == "A systemd unit."


def test_rules_stand_beside_the_fields_they_bind() -> None:
    spec = object_schema(HAInstance)["properties"]["spec"]
    assert spec["x-kubernetes-validations"] == [{"rule": r.cel, "message": r.message} for r in HAInstanceSpec.rules]


def test_a_status_that_is_left_out_does_not_evade_its_rules() -> None:
    assert object_schema(HostAssignment)["properties"]["status"]["default"] == {}


@pytest.mark.parametrize("kind", ALL_OBJECTS)
def test_everything_people_can_ask_about_is_described(kind: Any) -> None:
    assert list(undescribed(object_schema(kind), kind.__name__)) == [f"{kind.__name__}.metadata"]


def undescribed(node: dict[str, Any], path: str) -> Any:
    if not node.get("description"):
        yield path
    for name, child in node.get("properties", {}).items():
        yield from undescribed(child, f"{path}.{name}")


@pytest.mark.parametrize("kind", ALL_OBJECTS)
def test_nothing_of_a_later_issue_has_a_default(kind: Any) -> None:
    assert [path for path in defaulted(object_schema(kind), kind.__name__) if "(later)" in path] == []


def defaulted(node: dict[str, Any], path: str) -> Any:
    for name, child in node.get("properties", {}).items():
        if child.get("default") not in (None, {}):
            yield f"{path}.{name}: {child.get('description')}"
        yield from defaulted(child, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            yield from defaulted(node[word], path)


def test_how_kubectl_shows_a_service() -> None:
    spec = definition(HAService)["spec"]
    assert spec["names"]["shortNames"] == ["hasvc"]
    assert "all" in spec["names"]["categories"]
    columns = spec["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns if not column.get("priority")] == [
        "Ready",
        "Copies",
        "Host",
        "State",
        "Since",
    ]
    assert [column["name"] for column in columns if column.get("priority")] == ["Promoted", "Reason"]


@pytest.mark.parametrize(("kind", "subresources"), [(Host, {"status": {}}), (HAInstance, None)])
def test_only_kinds_with_a_status_have_the_subresource(kind: Any, subresources: Any) -> None:
    assert definition(kind)["spec"]["versions"][0].get("subresources") == subresources
