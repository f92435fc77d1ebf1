// Overlays: forms of the bot, menus, the emoji picker, confirmations.

import { $, h, toast } from "./dom.js";
import { select } from "./select.js";
import { markdown } from "./markdown.js";
import { act } from "./server.js";
import { emit, state } from "./state.js";

// `holds` may keep it open when something else than its own buttons would close it.
export function dialog(title, content, { wide = false, footer = null, holds = () => false } = {}) {
  const back = document.activeElement;
  const close = h("button", { type: "button", class: "icon close", "aria-label": "Close" }, "✕");
  const box = h("dialog", { class: wide ? "dialog wide" : "dialog", "aria-label": title },
    h("header", {}, h("h2", {}, title), close), content, footer);
  const shut = () => {
    box.close();
    box.remove();
    // Chromium gives an element that was inert no caret until it has lost and regained the focus.
    document.activeElement?.blur();
    requestAnimationFrame(() => document.activeElement === document.body && back?.isConnected && back.focus());
  };
  const leave = () => holds() || shut();
  close.addEventListener("click", leave);
  box.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });
  // Chromium lets nobody refuse a second Escape in a row once it has become a "cancel".
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    leave();
  });
  box.addEventListener("pointerdown", (event) => event.target === box && leave());
  $("layer").append(box);
  box.showModal();
  return { box, shut };
}

// ------------------------------------------------------------------------ forms

export function openModal(shown) {
  const { modal, interaction } = shown;
  const fields = new Map();
  const form = h("form", { class: "form", novalidate: true }, modal.components.map((node) => formNode(node, fields)));
  const error = h("p", { class: "form-error", role: "alert" });
  const cancel = h("button", { type: "button", class: "button plain" }, "Cancel");
  const send = h("button", { type: "submit", class: "button primary" }, "Submit");
  form.append(error, h("div", { class: "form-end" }, cancel, send));
  // A press beside the form, or Escape, is easily a slip; what was written would be gone.
  let written = false;
  for (const event of ["input", "change"]) form.addEventListener(event, () => { written = true; });
  const holds = () => {
    if (written) error.textContent = "This is not sent yet. Submit it, or press Cancel to discard it.";
    return written;
  };
  const { box, shut } = dialog(modal.title, [h("p", { class: "form-note" }, `This form goes to ${state.users.get(state.bot)?.name || "the bot"}. Do not share passwords.`), form], { holds });
  cancel.addEventListener("click", shut);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = {};
    const files = [];
    for (const [id, read] of fields) {
      const value = read();
      if (Array.isArray(value) && value[0] instanceof File) value.forEach((file, index) => files.push([`${id}/${index}`, file]));
      else if (value !== null) values[id] = value;
    }
    send.setAttribute("aria-busy", "true");
    try {
      const result = await act("submit", { interaction, values }, files);
      shut();
      if (result.modal) openModal(result);
    } catch (problem) {
      error.textContent = problem.message === "The application did not respond" ? "Something went wrong. Try again." : problem.message;
    } finally {
      send.removeAttribute("aria-busy");
    }
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  box.querySelector("input, textarea, .select")?.focus();
}

function formNode(node, fields) {
  if (node.type === 10) return h("div", { class: "text-display" }, markdown(node.content));
  if (node.type === 1) return node.components.map((child) => labelled(child.label, null, child, fields));
  if (node.type === 18) return labelled(node.label, node.description, node.component, fields);
  return labelled(node.label, null, node, fields);
}

let ids = 0;

function labelled(text, note, node, fields) {
  const id = `field-${(ids += 1)}`;
  const needed = node.required ?? node.type !== 23;
  const control = (CONTROLS[node.type] || CONTROLS[4])(node, id, fields);
  const star = needed && node.type !== 23 && h("span", { class: "star", title: "Required" }, " *");
  return h("div", { class: "form-field" }, h("label", { for: id }, text || node.custom_id, star), note && h("p", { class: "form-hint" }, note), control);
}

const CONTROLS = {
  4: (node, id, fields) => {
    const long = node.style === 2;
    const input = h(long ? "textarea" : "input", { id, name: node.custom_id, placeholder: node.placeholder, rows: long ? "5" : null });
    input.value = node.value || "";
    fields.set(node.custom_id, () => input.value || null);
    return input;
  },
  19: (node, id, fields) => {
    const input = h("input", { id, type: "file", multiple: (node.max_values || 1) > 1 });
    fields.set(node.custom_id, () => (input.files.length ? [...input.files] : null));
    return input;
  },
  21: (node, id, fields) => boxes(node, id, fields, "radio"),
  22: (node, id, fields) => boxes(node, id, fields, "checkbox"),
  23: (node, id, fields) => {
    const input = h("input", { id, type: "checkbox" });
    input.checked = Boolean(node.default);
    fields.set(node.custom_id, () => input.checked);
    return input;
  },
};
for (const type of [3, 5, 6, 7, 8]) {
  CONTROLS[type] = (node, id, fields) => {
    const control = select(node, null);
    control.querySelector(".select").id = id;
    fields.set(node.custom_id, () => (control.values.length ? control.values : null));
    return control;
  };
}

function boxes(node, id, fields, kind) {
  const inputs = node.options.map((option, index) => {
    const input = h("input", { type: kind, name: node.custom_id, value: option.value, id: index ? `${id}-${index}` : id });
    input.checked = Boolean(option.default);
    return [input, h("label", { class: "box" }, input, h("span", {}, option.label, option.description && h("small", {}, option.description)))];
  });
  fields.set(node.custom_id, () => {
    const chosen = inputs.filter(([input]) => input.checked).map(([input]) => input.value);
    if (!chosen.length) return null;
    return kind === "radio" ? chosen[0] : chosen;
  });
  return h("div", { role: kind === "radio" ? "radiogroup" : "group" }, inputs.map(([, label]) => label));
}

// ------------------------------------------------------------------------ menus

export function openMenu(at, items) {
  const back = document.activeElement;
  const node = h("div", { class: "menu", role: "menu" });
  const shut = () => {
    node.remove();
    document.removeEventListener("pointerdown", outside, true);
    if (back?.isConnected) back.focus();
  };
  const outside = (event) => node.contains(event.target) || shut();
  for (const item of items) {
    if (item === null) node.append(h("hr", {}));
    else if (item.heading) node.append(h("div", { class: "menu-heading" }, item.heading));
    else node.append(h("button", { type: "button", role: "menuitem", tabindex: "-1", class: item.danger ? "danger" : "", onclick: () => { shut(); item.act(); } }, item.label));
  }
  node.addEventListener("keydown", (event) => {
    const entries = [...node.querySelectorAll("[role=menuitem]")];
    const index = entries.indexOf(document.activeElement);
    if (event.key === "ArrowDown") entries[(index + 1) % entries.length].focus();
    else if (event.key === "ArrowUp") entries[(index - 1 + entries.length) % entries.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") shut();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  $("layer").append(node);
  const { width, height } = node.getBoundingClientRect();
  node.style.left = `${Math.max(8, Math.min(at.x, innerWidth - width - 8))}px`;
  node.style.top = `${Math.max(8, Math.min(at.y, innerHeight - height - 8))}px`;
  document.addEventListener("pointerdown", outside, true);
  node.querySelector("[role=menuitem]")?.focus();
  return { node, shut };
}

const EMOJI = [..."❓⏸✅🔁👍👎❤️😂😮😢🎉🚀👀❌▶⏹🔥💡🐛📎📌❗🤔🙏💯⭐🛠📈🧪⚠🟢🔴🔵"].filter((char) => char.codePointAt(0) !== 0xfe0f);

export function openEmoji(at, done) {
  const grid = h("div", { class: "emoji-grid" });
  const { node, shut } = openMenu(at, []);
  node.setAttribute("aria-label", "Choose a reaction");
  for (const char of EMOJI) {
    const text = char === "❤" ? "❤️" : char;
    grid.append(h("button", { type: "button", role: "menuitem", class: "emoji-pick", "aria-label": text, onclick: () => { shut(); done(text); } }, text));
  }
  node.append(grid);
  const { width, height } = node.getBoundingClientRect();
  node.style.left = `${Math.max(8, Math.min(at.x - width, innerWidth - width - 8))}px`;
  node.style.top = `${Math.max(8, Math.min(at.y, innerHeight - height - 8))}px`;
  grid.firstElementChild.focus();
}

export function confirmDelete(message, act_) {
  const no = h("button", { type: "button", class: "button plain" }, "Cancel");
  const yes = h("button", { type: "button", class: "button danger" }, "Delete");
  const { shut } = dialog("Delete message", [h("p", {}, "Are you sure you want to delete this message?"), h("div", { class: "form-end" }, no, yes)]);
  no.addEventListener("click", shut);
  yes.addEventListener("click", () => {
    shut();
    act_();
  });
  yes.focus();
}

export async function showPins(channel, draw) {
  const list = h("ol", { class: "messages pins" });
  const { shut } = dialog("Pinned messages", list, { wide: true });
  try {
    const messages = await draw(list);
    if (!messages) list.append(h("li", { class: "empty" }, "This channel has no pinned messages yet."));
  } catch (error) {
    toast(error.message);
  }
  list.addEventListener("click", (event) => {
    const target = event.target.closest("[data-jump]");
    if (!target) return;
    shut();
    emit("jump", { channel, id: target.dataset.jump });
  });
}
