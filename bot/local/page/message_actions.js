// Actions on a message: react, reply, edit, pin, delete, use an app command.

import { h, icon, toast } from "./dom.js";
import { confirmDelete, openEmoji, openMenu, openModal } from "./dialogs.js";
import { act } from "./server.js";
import { emit, state } from "./state.js";

// The message being edited, if any.
export const editing = { id: null };

export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    return toast(error.message);
  }
}

export const react = (message, emoji, on_) => attempt(() => act("react", { channel: message.channel_id, message: message.id, emoji, on: on_ }));

export function toolbar(message) {
  const button = (label, shape, run) => h("button", { type: "button", class: "icon", title: label, "aria-label": label, tabindex: "-1", onclick: run }, icon(shape, 18));
  return h("div", { class: "tools" },
    button("Add reaction", "smile", (event) => openEmoji(below(event.currentTarget), (emoji) => react(message, emoji, true))),
    button("Reply", "reply", () => emit("reply", message)),
    button("More", "more", (event) => openMenu(below(event.currentTarget), actions(message))));
}

export const below = (node) => ({ x: node.getBoundingClientRect().right, y: node.getBoundingClientRect().bottom + 4 });

export function actions(message) {
  const apps = state.commands.message.map((command) => ({ label: command.name, act: () => useApp(command, message) }));
  const mine = message.author.id === state.me;
  return [
    { label: "Reply", act: () => emit("reply", message) },
    { label: "Add reaction", act: () => openEmoji(below(document.querySelector(`#messages [data-id="${CSS.escape(message.id)}"]`)), (emoji) => react(message, emoji, true)) },
    mine && { label: "Edit message", act: () => startEdit(message) },
    { label: message.pinned ? "Unpin message" : "Pin message", act: () => attempt(() => act("pin", { channel: message.channel_id, message: message.id, on: !message.pinned })) },
    { label: "Copy text", act: () => navigator.clipboard.writeText(message.content) },
    ...(apps.length ? [null, { heading: "Apps" }, ...apps] : []),
    null,
    { label: "Delete message", danger: true, act: () => confirmDelete(message, () => attempt(() => act("delete", { channel: message.channel_id, message: message.id }))) },
  ].filter((item) => item !== false);
}

function useApp(command, message) {
  return attempt(async () => {
    const result = await act("menu", { channel: message.channel_id, message: message.id, name: command.name });
    if (result.modal) openModal(result);
  });
}

export function startEdit(message) {
  editing.id = message.id;
  emit("redraw", message.id);
  document.querySelector("textarea.edit")?.focus();
}

export function editLast() {
  const mine = [...state.messages.values()].filter((message) => message.author.id === state.me && [0, 19].includes(message.type)).pop();
  if (mine) startEdit(mine);
}

export function editor(message) {
  const area = h("textarea", { class: "edit", rows: "2", "aria-label": "Edit message", maxlength: "2000" });
  area.value = message.content;
  const stop = () => {
    editing.id = null;
    emit("redraw", message.id);
    emit("focus-composer");
  };
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      const text = area.value;
      stop();
      if (text.trim() && text !== message.content) attempt(() => act("edit", { channel: message.channel_id, message: message.id, content: text }));
    } else return;
    event.stopPropagation();
  });
  return h("div", {}, area, h("small", {}, "escape to cancel • enter to save"));
}
