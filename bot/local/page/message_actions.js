// Actions on a message: react, reply, edit, pin, delete, use an app command.

import { copyText, entered, h, icon, toast } from "./dom.js";
import { confirmDelete, openEmoji, openMenu, openModal } from "./dialogs.js";
import { act } from "./server.js";
import { emit, state } from "./state.js";

// The message being edited, if any, and what was typed so far.
export const editing = { id: null, text: null };

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
    { label: "Copy text", act: () => copyText(message.content) },
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
  Object.assign(editing, { id: message.id, text: null });
  emit("redraw", message.id);
  document.querySelector("textarea.edit")?.focus();
}

export function editLast() {
  const mine = [...state.messages.values()].filter((message) => message.author.id === state.me && [0, 19].includes(message.type)).pop();
  if (mine) startEdit(mine);
}

export function editor(message) {
  const area = h("textarea", { class: "edit", rows: "2", "aria-label": "Edit message" });
  area.value = editing.text ?? message.content;
  area.addEventListener("input", () => { editing.text = area.value; });
  const stop = () => {
    editing.id = null;
    emit("redraw", message.id);
    emit("focus-composer");
  };
  const save = async () => {
    const text = area.value;
    if (!text.trim() || text === message.content) return stop();
    try {
      await act("edit", { channel: message.channel_id, message: message.id, content: text });
      stop();
    } catch (error) {
      toast(error.message);  // what was typed stays
    }
    return undefined;
  };
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    else if (entered(event) && !event.shiftKey) {
      event.preventDefault();
      save();
    } else return;
    event.stopPropagation();
  });
  const link = (label, run) => h("button", { type: "button", class: "plain-link", onclick: run }, label);
  return h("div", {}, area, h("small", {}, "escape to ", link("cancel", stop), " • enter to ", link("save", save)));
}
