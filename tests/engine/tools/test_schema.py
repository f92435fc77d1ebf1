"""Tool schemas hold nothing that a provider refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from engine.connectors.web.servers import WebOptions, web_tools
from engine.ports import ToolSpec
from engine.tools import BY_RUN, LEADING, MEMORY, TOOLS, specs_for
from engine.tools.schema import KEYWORDS, LIMITS, common_schema


def keywords(schema: Mapping[str, Any]) -> Iterator[str]:
    """Every keyword of a schema, names of properties left out."""
    for key, value in schema.items():
        yield key
        if key == "properties":
            for inner in value.values():
                yield from keywords(inner)
        elif isinstance(value, Mapping):
            yield from keywords(value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    yield from keywords(item)


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_every_tool_keeps_to_the_common_keywords(name: str) -> None:
    """Gemini, Mistral, Groq and the others refuse a request for one keyword they do not know."""
    parameters = TOOLS[name].spec().parameters
    assert parameters["type"] == "object"
    assert set(keywords(parameters)) <= KEYWORDS
    said = str(parameters)
    assert "Arguments of" not in said and "One " not in said and "'null'" not in said


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
        ({"type": "number", "exclusiveMinimum": 0}, {"type": "number"}),
        (
            {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None},
            {"type": "integer", "minimum": 1},
        ),
        ({"type": ["string", "null"]}, {"type": "string"}),
        ({"const": "a"}, {"enum": ["a"]}),
        (
            {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        ),
        ({"$ref": "#/$defs/Colour"}, {"type": "string", "enum": ["red"]}),
        (
            {"type": "integer", "default": 30, "description": "seconds"},
            {"type": "integer", "description": "seconds (default 30)"},
        ),
        ({"type": "string", "format": "uri", "pattern": "^h", "examples": ["x"]}, {"type": "string"}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
    ],
)
def test_what_providers_refuse_is_said_otherwise(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Foreign schemas, such as those of MCP servers, come out in the common keywords with their meaning."""
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"it": given},
        "required": ["it"],
        "$defs": {"Colour": {"type": "string", "enum": ["red"]}},
    }
    assert common_schema(schema) == {"type": "object", "properties": {"it": expected}, "required": ["it"]}


def test_a_schema_that_refers_to_itself_ends() -> None:
    """A tree of nodes is cut, not followed for ever."""
    node = {"type": "object", "properties": {"child": {"$ref": "#/$defs/Node"}}}
    made = common_schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert set(keywords(made)) <= KEYWORDS


@pytest.mark.parametrize("packages", [(), ("pytest",)])
def test_what_programs_have_is_said_once_to_those_who_can_use_it(packages: tuple[str, ...]) -> None:
    """The description of run names the shell, the network, Python and the packages; a small model's does
    not."""
    run = {spec.name: spec for spec in specs_for("member", packages=packages)}["run"]
    said = run.description
    assert '["sh", "-c", "..."]' in run.parameters["properties"]["command"]["description"]
    assert "No network" in said and "is kept" in said
    judges = {spec.name: spec.description for spec in specs_for("auditor", packages=packages)}["run"]
    assert "Nothing it writes is kept" in judges
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in said
    assert ("pytest" in said) == bool(packages)
    small = {spec.name: spec.description for spec in specs_for("member", small=True)}["run"]
    assert "sh" not in small


WEB = tuple(
    ToolSpec(tool.name, tool.description, tool.parameters) for tool in web_tools(WebOptions(), searches=True)
)


def test_a_member_first_carries_only_tools_that_it_can_use_and_few_tokens_of_them() -> None:
    """As the settings are by default: with the web, packages, pytest and people who answer."""
    default = partial(specs_for, "member", packages=("pytest",), installs=True, outside=WEB)
    first = default(leads=False, recalls=False, talks=False)
    later = {"send_input"} | LEADING | MEMORY
    assert {tool.name for tool in default()} - {tool.name for tool in first} == later
    alone = default(leads=False, recalls=False, talks=False, may_lead=False, attended=False)
    assert {tool.name for tool in first} - {tool.name for tool in alone} == {"recruit", "ask_human"}
    functions = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in first
    ]
    sent = [{"type": "function", "function": function} for function in functions]
    assert len(json.dumps(sent, separators=(",", ":"))) / 4 <= 1_300


def test_what_a_program_does_to_files_needs_no_tool_of_its_own() -> None:
    """Members delete and move files with programs where these run; the tools are accepted all the same."""
    here, without = ({tool.name for tool in specs_for("member", runs=runs)} for runs in (True, False))
    assert without - here == BY_RUN and set(TOOLS) > BY_RUN
    assert {tool.name for tool in specs_for("boss")} > BY_RUN


@pytest.mark.parametrize("got", ["leads", "recalls", "talks"])
def test_what_an_agent_gets_later_comes_after_all_that_it_had(got: str) -> None:
    """The web's tools keep their place too, so that a prompt's beginning changes as late as it can."""
    had: dict[str, Any] = {"leads": False, "recalls": False, "talks": False}
    before = specs_for("member", **had, outside=WEB)
    assert specs_for("member", **had | {got: True}, outside=WEB)[: len(before)] == before
    assert specs_for("head", **had, outside=WEB) == before


def test_limits_and_hidden_arguments_are_checked_though_they_are_not_shown() -> None:
    """The schema is shorter than what is accepted."""
    (edit,) = [tool for tool in specs_for("member") if tool.name == "edit_file"]
    assert set(edit.parameters["properties"]) == {"path", "edits"}
    assert not LIMITS & set(keywords(edit.parameters))
    assert TOOLS["edit_file"].arguments.model_validate({"path": "a", "old": "x", "new": "y"})
    with pytest.raises(ValidationError):
        TOOLS["run"].arguments.model_validate({"command": ["true"], "timeout_s": 10_000})


def test_only_a_boss_is_asked_for_a_title() -> None:
    """Others have the tool without the argument; a small model, which would repeat the goal, none at all."""

    def asked(tools: Sequence[ToolSpec]) -> dict[str, bool]:
        return {tool.name: "title" in tool.parameters["properties"] for tool in tools}

    boss, member, small = asked(specs_for("boss")), asked(specs_for("member")), specs_for("boss", small=True)
    assert boss["update_todo"] and boss["finish"] and boss["propose_plan"]
    assert not member["update_todo"]
    assert not asked(small)["finish"] and asked(small)["assign"]
