"""Payloads that a person's client sends for a command, a button, a menu or a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simcord.backend import serializers
from simcord.backend.command_access import command_access
from simcord.backend.errors import OptionError, SetupError
from simcord.components import walk_components
from simcord.enums import SELECT_TYPES, AppCommandType, ComponentType, OptionType
from simcord.interactions import check_options, nest_options, walk_to_subcommand

from bot.local.world import World

Wire = dict[str, Any]
File = tuple[str, bytes]

_ENTITIES = {
    OptionType.USER: ("users",),
    OptionType.CHANNEL: ("channels",),
    OptionType.ROLE: ("roles",),
    OptionType.MENTIONABLE: ("users", "roles"),
}
_SELECT_ENTITIES = {
    ComponentType.USER_SELECT: ("users",),
    ComponentType.ROLE_SELECT: ("roles",),
    ComponentType.MENTIONABLE_SELECT: ("users", "roles"),
    ComponentType.CHANNEL_SELECT: ("channels",),
}


class CannotError(Exception):
    """Raised when Discord's client would not let this person do that; the message says why."""


class Entities:
    """Ids that a person picked, with the objects that Discord resolves them to."""

    def __init__(self, world: World, guild_id: int, user_id: int, channel_id: int) -> None:
        self._world = world
        self._guild = world.get_guild(guild_id)
        self._user_id = user_id
        self._channel_id = channel_id
        self.resolved: dict[str, Wire] = {}

    def pick(self, value: object, kinds: Sequence[str]) -> str:
        """Resolve one id as one of ``kinds`` (users, roles, channels); return it as text."""
        if not str(value).isdecimal():
            raise CannotError(f"{value!r} is no id")
        known = int(str(value))
        if "users" in kinds and known in self._guild.members:
            self._user(known)
        elif "roles" in kinds and known in self._guild.roles:
            role = serializers.role_payload(self._guild.roles[known])
            self.resolved.setdefault("roles", {})[str(known)] = dict(role)
        elif "channels" in kinds and known in self._world.channels:
            self._channel(known)
        else:
            raise CannotError(f"nothing with the id {known} to choose here")
        return str(known)

    def _user(self, user_id: int) -> None:
        world, guild = self._world, self._guild
        user = serializers.user_payload(world.get_user(user_id))
        member = serializers.member_payload(world, guild, guild.members[user_id], with_user=False)
        self.resolved.setdefault("users", {})[str(user_id)] = dict(user)
        self.resolved.setdefault("members", {})[str(user_id)] = dict(member)

    def _channel(self, channel_id: int) -> None:
        world = self._world
        payload = dict(serializers.channel_payload(world, world.get_channel(channel_id)))
        allowed = world.compute_permissions(self._guild.id, self._user_id, channel_id)
        payload["permissions"] = str(allowed)
        self.resolved.setdefault("channels", {})[str(channel_id)] = payload

    def upload(self, file: File) -> str:
        """Store a file that the person attached; return the attachment's id."""
        attachment_id = self._world.snowflake()
        stored = self._world.cdn.store_attachment(attachment_id, self._channel_id, file[0], file[1], None)
        self.resolved.setdefault("attachments", {})[str(attachment_id)] = stored
        return str(attachment_id)


def find_command(
    world: World, name: str, kind: AppCommandType, *, guild_id: int, user_id: int, channel_id: int
) -> Wire:
    """Return a synced command that this person may use here; raise CannotError if there is none."""
    command = world.find_command(name, guild_id, type=kind)
    if command is None:
        raise CannotError(f"no command {name!r} has been synced")
    access = command_access(world, command, user_id=user_id, channel_id=channel_id)
    if not access.allowed:
        raise CannotError(f"/{name} is hidden from this person here ({access.reason})")
    return command


def command_data(
    command: Wire,
    path: Sequence[str],
    values: Mapping[str, object],
    entities: Entities,
    *,
    focused: tuple[str, str] | None = None,
) -> Wire:
    """Return the ``data`` of a slash command; ``focused`` is (option, text typed) for autocomplete."""
    try:
        leaf, nesting = walk_to_subcommand(command, list(path))
        options = _options(" ".join([command["name"], *path]), leaf, values, entities, focused)
    except (OptionError, SetupError) as error:
        raise CannotError(str(error)) from error
    data = {
        "id": command["id"],
        "name": command["name"],
        "type": int(command.get("type", 1)),
        "options": nest_options(command, nesting, options),
    }
    if entities.resolved:
        data["resolved"] = entities.resolved
    if command.get("guild_id"):
        data["guild_id"] = command["guild_id"]
    return data


def _options(
    name: str,
    leaf: Wire,
    values: Mapping[str, object],
    entities: Entities,
    focused: tuple[str, str] | None,
) -> list[Wire]:
    declared = {option["name"]: option for option in leaf.get("options") or []}
    picked = {
        key: value
        for key, value in values.items()
        if key in declared and OptionType(declared[key]["type"]) in _ENTITIES
    }
    plain = {key: value for key, value in values.items() if key not in picked}
    missing = {**leaf, "options": [o for o in leaf.get("options") or [] if o["name"] not in picked]}
    accepted = check_options(name, missing, plain, partial=focused is not None)
    built = []
    for key, value in (picked | accepted).items():
        kind = OptionType(declared[key]["type"])
        if kind in _ENTITIES:
            value = entities.pick(value, _ENTITIES[kind])  # noqa: PLW2901
        elif kind is OptionType.ATTACHMENT:
            if focused is not None:
                continue
            value = entities.upload(value)  # type: ignore[arg-type]  # noqa: PLW2901
        built.append({"name": key, "type": int(kind), "value": value})
    if focused is not None:
        built.append(_focus(name, declared, focused))
    return built


def _focus(name: str, declared: Mapping[str, Wire], focused: tuple[str, str]) -> Wire:
    option = declared.get(focused[0])
    if option is None or not option.get("autocomplete"):
        raise CannotError(f"option {focused[0]!r} of /{name} has no autocomplete")
    kind = int(option["type"])
    return {"name": option["name"], "type": kind, "value": focused[1], "focused": True}


def find_component(
    components: list[Wire], kinds: Sequence[int], *, custom_id: str | None, label: str | None
) -> Wire:
    """Return the one enabled component that matches; raise CannotError if none or several do."""
    found = [
        component
        for component in walk_components(components)
        if component.get("type") in kinds
        and (custom_id is None or component.get("custom_id") == custom_id)
        and (label is None or component.get("label") == label)
    ]
    if len(found) != 1:
        raise CannotError(f"{len(found)} components fit {custom_id or label!r}")
    if found[0].get("disabled"):
        raise CannotError(f"{custom_id or label!r} is disabled")
    return found[0]


def button_data(components: list[Wire], *, custom_id: str | None, label: str | None) -> Wire:
    """Return the ``data`` of a pressed button."""
    button = find_component(components, (ComponentType.BUTTON,), custom_id=custom_id, label=label)
    if not button.get("custom_id"):
        raise CannotError("that button is a link")
    data = {"custom_id": button["custom_id"], "component_type": 2}
    return data | ({"id": button["id"]} if button.get("id") is not None else {})


def select_data(
    components: list[Wire], values: Sequence[str], entities: Entities, *, custom_id: str | None
) -> Wire:
    """Return the ``data`` of a used select menu."""
    menu = find_component(components, SELECT_TYPES, custom_id=custom_id, label=None)
    chosen = choose(menu, values, entities)
    data: Wire = {
        "custom_id": menu["custom_id"],
        "component_type": int(menu["type"]),
        "values": chosen,
    }
    if menu.get("id") is not None:
        data["id"] = menu["id"]
    if entities.resolved:
        data["resolved"] = entities.resolved
    return data


def choose(menu: Wire, values: Sequence[str], entities: Entities) -> list[str]:
    """Check the values chosen from a select menu and return them."""
    least, most = menu.get("min_values"), menu.get("max_values")
    low, high = 1 if least is None else least, most or 1
    if not low <= len(values) <= high or len(set(values)) != len(values):
        raise CannotError(f"choose between {low} and {high} different values")
    kind = ComponentType(menu["type"])
    if kind in _SELECT_ENTITIES:
        return [entities.pick(value, _SELECT_ENTITIES[kind]) for value in values]
    offered = {option["value"] for option in menu.get("options") or []}
    unknown = [value for value in values if value not in offered]
    if unknown:
        raise CannotError(f"{unknown[0]!r} is not offered")
    return list(values)


def modal_data(modal: Wire, values: Mapping[str, object], entities: Entities) -> Wire:
    """Return the ``data`` of a submitted form; ``values`` by custom_id."""
    known = {c["custom_id"] for c in walk_components(modal["components"]) if c.get("custom_id")}
    unknown = set(values) - known
    if unknown:
        raise CannotError(f"the form has no field {sorted(unknown)[0]!r}")
    nodes = [_modal_node(node, values, entities) for node in modal["components"]]
    data: Wire = {"custom_id": modal["custom_id"], "components": nodes}
    return data | ({"resolved": entities.resolved} if entities.resolved else {})


def _modal_node(node: Wire, values: Mapping[str, object], entities: Entities) -> Wire:
    out: Wire = {"type": int(node["type"]), "id": node.get("id", 0)}
    if node.get("components"):
        out["components"] = [_modal_node(n, values, entities) for n in node["components"]]
    elif isinstance(node.get("component"), dict):
        out["component"] = _modal_node(node["component"], values, entities)
    elif node.get("custom_id"):
        out["custom_id"] = node["custom_id"]
        out |= _modal_value(node, values.get(node["custom_id"]), entities)
    return out


def _modal_value(field: Wire, value: object, entities: Entities) -> Wire:
    kind = ComponentType(field["type"])
    needed = bool(field.get("required", kind is not ComponentType.CHECKBOX))
    if kind is ComponentType.TEXT_INPUT:
        return {"value": _modal_text(field, value, needed=needed)}
    if kind is ComponentType.CHECKBOX:
        return {"value": bool(field.get("default", False) if value is None else value)}
    many = list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]
    if kind is ComponentType.RADIO_GROUP:
        chosen = _modal_choices(field, many, needed=needed)
        return {"value": chosen[0] if chosen else None}
    return {"values": _modal_values(kind, field, many, entities, needed=needed)}


def _modal_values(
    kind: ComponentType, field: Wire, many: list[Any], entities: Entities, *, needed: bool
) -> list[str]:
    if kind is ComponentType.FILE_UPLOAD:
        _modal_count(field, len(many), needed=needed)
        return [entities.upload(file) for file in many]
    if kind in SELECT_TYPES:
        return choose(field, [str(v) for v in many], entities) if many or needed else []
    return _modal_choices(field, many, needed=needed)


def _modal_text(field: Wire, value: object, *, needed: bool) -> str:
    text = str(field.get("value") or "") if value is None else str(value)
    low = field.get("min_length") or (1 if needed else 0)
    high = field.get("max_length") or 4000
    if (text or needed) and not low <= len(text) <= high:
        raise CannotError(f"{field['custom_id']!r} takes {low} to {high} characters; this has {len(text)}")
    return text


def _modal_choices(field: Wire, values: Sequence[object], *, needed: bool) -> list[str]:
    chosen = [str(value) for value in values]
    if not set(chosen) <= {option["value"] for option in field.get("options") or []}:
        raise CannotError(f"{field['custom_id']!r} does not offer that")
    _modal_count(field, len(chosen), needed=needed)
    return chosen


def _modal_count(field: Wire, count: int, *, needed: bool) -> None:
    least = field.get("min_values")
    low = (1 if least is None else least) if needed or count else 0
    high = field.get("max_values") or max(1, len(field.get("options") or []))
    if not low <= count <= high:
        raise CannotError(f"{field['custom_id']!r} takes {low} to {high} values")
