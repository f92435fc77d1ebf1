"""Send one message, by webhook as a persona or as the bot itself, and find it again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import discord

from bot.discord.formatting import escape_marks
from bot.discord.limits import FILE_BYTES
from bot.outbox.forms import FORMS, Form, attached_names, file_names, in_form, next_form, safe_name
from bot.outbox.ledger import Delivery, Ledger, MessageLocation
from bot.outbox.outcomes import ConnectionFailed, Fault, PermissionMissing, Rejected, TargetDeleted
from bot.outbox.post import BOT, EmbedCard, OutgoingMessage
from bot.outbox.split import MESSAGE, excerpt
from bot.outbox.transport import RenderedMessage, Transport, embed
from bot.personas.avatars import Faces
from bot.places.notices import Notices
from bot.places.provision import Place
from bot.places.records import WebhookRecord
from bot.places.webhooks import Webhooks
from bot.storage.instance import nonce_of
from bot.texts import outbox as wording
from engine.errors import NotFound

_log = logging.getLogger(__name__)

FILES = 10
LABELS = 500

LoadGateButtons = Callable[[int], Awaitable[discord.ui.View | None]]
"""Return the buttons of a gate by its id; None if it is closed."""

ReadFile = Callable[[int, str], Awaitable[bytes]]
"""Return the content of a file by (task id, path); raises NotFound."""


@dataclass(slots=True)
class Posting:
    """Renders and sends outgoing messages for one client; chooses webhook or bot."""

    ledger: Ledger
    transport: Transport
    webhooks: Webhooks
    faces: Faces
    read_file: ReadFile
    gate_buttons: LoadGateButtons
    end_buttons: Callable[[int, bool], discord.ui.View | None]
    notices: Notices
    instance: Callable[[], Awaitable[str]]
    _refused_names: set[str] = field(default_factory=set, init=False)
    _forms: dict[int, Form] = field(default_factory=dict, init=False)
    _woken: set[int] = field(default_factory=set, init=False)

    async def post(self, place: Place, delivery: Delivery) -> MessageLocation:
        """Send once. Raises the errors of `outcomes`, `TargetDeleted` only for the place itself.

        Raises PlaceUnavailable too. After Rejected, `refused` says whether another form can be tried.
        """
        form = self._forms.get(delivery.id, "plain")
        wire = in_form(delivery.wire, form)
        hook = None if form == "bot" else await self._hook(place, wire)
        message = await self._message(wire, hook)
        if hook is None:
            return self._done(delivery, await self._by_bot(place, delivery, message, form))
        try:
            sent = await self.transport.by_webhook(hook, place.thread_id, message)
        except TargetDeleted as gone:
            moved = gone.what == "channel" and await self.transport.exists(place.target_id)
            if gone.what == "channel" and not moved:
                raise
            await self.webhooks.repair(place, hook)
            return await self.post(place, delivery)
        if sent.channel_id == place.target_id:
            return self._done(delivery, sent)
        await self.transport.unsend(hook, sent.message_id)
        await self.webhooks.repair(place, hook)
        return await self.post(place, delivery)

    def _done(self, delivery: Delivery, sent: MessageLocation) -> MessageLocation:
        self.begin_again(delivery)
        return sent

    def begin_again(self, delivery: Delivery) -> None:
        """Forget in which form the message was tried: what refused it had nothing to do with its words."""
        self._forms.pop(delivery.id, None)
        self._woken.discard(delivery.id)

    async def refused(self, place: Place, delivery: Delivery, error: Rejected) -> bool:
        """Choose how the message is tried next after `error`; False when only time or people can help.

        A refused name is replaced by a safe one, said once; everything else concerns this message alone.
        """
        persona = delivery.wire.persona
        if error.fault == "name" and persona and persona not in self._refused_names:
            self._refused_names.add(persona)
            text = wording.NAME_REFUSED.format(name=safe_name(persona))
            await self.notices.say(f"name:{place.task_id}:{persona}", place.task_id, place.group_id, text)
            return True
        if error.fault == "archived" and place.thread_id and delivery.id not in self._woken:
            self._woken.add(delivery.id)
            return await self.transport.wake(place.thread_id)
        if error.fault == "size" and not self._has_files(delivery):
            return False  # what has no files is not too large: something between is in trouble
        return self.simplify(delivery, error.fault)

    def _has_files(self, delivery: Delivery) -> bool:
        sent = in_form(delivery.wire, self._forms.get(delivery.id, "plain"))
        return bool(sent.files or sent.texts)

    def simplify(self, delivery: Delivery, fault: Fault = "other") -> bool:
        """Try the message in its next simpler form; False when there is none."""
        form = next_form(self._forms.get(delivery.id, "plain"), fault)
        if form is None or (fault == "archived" and form == "note"):
            return False
        self._forms[delivery.id] = form
        return True

    async def _by_bot(
        self, place: Place, delivery: Delivery, message: RenderedMessage, form: Form
    ) -> MessageLocation:
        """Send as the bot; where the bot lacks the permission, send through its webhook."""
        nonce = nonce_of(await self.instance(), "post", delivery.id, form, place.target_id)
        try:
            return await self.transport.by_bot(place.target_id, message, nonce=nonce)
        except PermissionMissing:
            hook = await self.webhooks.hook(place)
            if hook is None:
                raise
        except TargetDeleted as gone:
            if gone.what == "channel" and await self.transport.exists(place.target_id):
                raise ConnectionFailed(str(gone)) from gone  # a 404 of something else
            raise
        masked = replace(message, name=BOT)
        try:
            return await self.transport.by_webhook(hook, place.thread_id, masked)
        except TargetDeleted as gone:
            if gone.what != "webhook" or (fresh := await self.webhooks.repair(place, hook)) is None:
                raise
        return await self.transport.by_webhook(fresh, place.thread_id, masked)

    async def find(self, place: Place, delivery: Delivery) -> MessageLocation | None:
        """Return the message of an earlier delivery, None if it is not there. Raises like `recent`."""
        hook = await self.webhooks.kept(place)
        prints = {each.fingerprint for each in await self._variants(delivery.wire, hook)}
        recent = await self.transport.recent(place.target_id, delivery.begun_at, hook)
        known = await self.ledger.known([message.id for message in recent])
        for message in recent:
            if message.id not in known:
                mark = await self.transport.fingerprint_of(message, hook, place.thread_id)
                if mark in prints:
                    return MessageLocation(place.target_id, message.id, message.webhook_id or 0)
        return None

    async def _variants(self, message: OutgoingMessage, hook: WebhookRecord | None) -> list[RenderedMessage]:
        """The message in every form and voice in which it may have been sent."""
        variants: list[RenderedMessage] = []
        for form in FORMS:
            wire = in_form(message, form)
            spoken = await self._message(wire, None)
            variants += [spoken, replace(spoken, name=BOT)]
            if hook is not None and wire.persona:
                masked = await self._message(wire, hook)
                variants += [replace(masked, name=name) for name in (wire.persona, safe_name(wire.persona))]
        return variants

    async def _hook(self, place: Place, wire: OutgoingMessage) -> WebhookRecord | None:
        """Return the webhook to use, None to send as the bot itself."""
        if not wire.persona:
            return None
        return await self.webhooks.hook(place)

    async def _message(self, wire: OutgoingMessage, hook: WebhookRecord | None) -> RenderedMessage:
        files, note = await self._files(wire)
        content = wire.content
        if hook is None and wire.face:
            content = f"**{self._name(wire.persona)}**\n{content}"
        view = await self._view(wire)
        if view is not None and not wire.buttons:
            instead = wording.NO_END_BUTTONS if wire.gate_id is None else _instead_of(view)
            note, view = f"{note}\n{instead}".strip(), None
        if note:
            content = f"{excerpt(content, MESSAGE - len(note) - 1)}\n{note}"
        return RenderedMessage(
            content=excerpt(content, MESSAGE) if len(content) > MESSAGE else content,
            name=self._name(wire.persona) if hook else "",
            avatar=self.faces.url(wire.face) if hook and wire.face else "",
            embeds=tuple(map(self.embed_of, wire.cards)),
            files=files,
            pings=wire.pings,
            roles=wire.roles,
            silent=wire.silent,
            view=view,
        )

    def embed_of(self, card: EmbedCard) -> discord.Embed:
        """Return a card as Discord's embed."""
        return embed(card.author, self.faces.url(card.face) if card.face else "", card.text)

    async def _view(self, wire: OutgoingMessage) -> discord.ui.View | None:
        if wire.gate_id is not None:
            return await self.gate_buttons(wire.gate_id)
        return self.end_buttons(wire.task_id, wire.continues) if wire.ended else None

    def _name(self, persona: str) -> str:
        return safe_name(persona) if persona in self._refused_names else persona

    async def _files(self, wire: OutgoingMessage) -> tuple[tuple[tuple[str, bytes], ...], str]:
        """Return the attachments of a message, files before texts about them, and a line about files that
        cannot be attached."""
        about = [(each.name, each.text.encode("utf-8", "replace")) for each in wire.texts]
        kept: list[tuple[str, bytes]] = []
        room = FILE_BYTES - sum(len(data) for _, data in about)
        large, missing, others = [], [], []
        names = attached_names(wire.files, [each.name for each in wire.texts])
        for path, name in zip(wire.files, names, strict=True):
            if len(kept) + len(about) == FILES:
                others.append(path)
                continue
            try:
                data = await self.read_file(wire.task_id, path)
            except NotFound:
                missing.append(path)
                continue
            if len(data) > room:
                large.append(path)
                continue
            room -= len(data)
            kept.append((name, data))
        lines = [wording.TOO_LARGE.format(names=file_names(large))] if large else []
        lines += [wording.TOO_MANY.format(names=file_names(others))] if others else []
        lines += [wording.MISSING_FILE.format(names=file_names(missing))] if missing else []
        return (*kept, *about), "\n".join(lines)


def _instead_of(view: discord.ui.View) -> str:
    """Return the line that says how to answer without the buttons of `view`."""
    labels = [item.label for item in view.children if isinstance(item, discord.ui.Button) and item.label]
    return wording.NO_BUTTONS.format(labels=excerpt(escape_marks(" · ".join(labels)), LABELS))
