// Message composer: text, files, replies, slash commands.

import { $, bytes, entered, h, icon, replace, signs, toast } from "./dom.js";
import { commandBar, runCommand } from "./commands.js";
import { editLast } from "./message_actions.js";
import { focusLast, toEnd } from "./messages.js";
import { leafOf, picker } from "./picker.js";
import { act } from "./server.js";
import { kept, nameOf, on, state } from "./state.js";

const LIMIT = 2000;
const MAX_FILE = 10 * 1024 * 1024;
const ui = {};
let files = [];
let typedAt = 0;

function build() {
  ui.text = h("textarea", { id: "composer-text", rows: "1", role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "command-list", "aria-label": "Message" });
  ui.picker = picker(ui.text, openCommand);
  ui.reply = h("div", { class: "replying", hidden: true });
  ui.files = h("ul", { class: "chips", "aria-label": "Files to send", hidden: true });
  ui.count = h("span", { class: "left", "aria-live": "polite" });
  ui.pick = h("input", { type: "file", multiple: true, hidden: true, id: "composer-files" });
  ui.attach = h("button", { type: "button", class: "icon", "aria-label": "Attach files", title: "Attach files", onclick: () => ui.pick.click() }, icon("plus"));
  ui.send = h("button", { type: "button", class: "icon send", "aria-label": "Send", onclick: send }, icon("send"));
  ui.plain = h("div", { class: "line-box" }, ui.attach, ui.pick, ui.text, ui.count, ui.send);
  ui.status = h("div", { class: "status", role: "status" });
  replace($("composer"), ui.picker.node, ui.status, ui.reply, ui.files, ui.plain);
}

function openCommand(leaf) {
  ui.text.value = "";
  refresh();
  saveDraft();
  ui.bar?.remove();
  ui.plain.hidden = true;
  ui.bar = commandBar(leaf, { done: submit, cancel: closeCommand });
  $("composer").append(ui.bar);
}

function closeCommand() {
  ui.bar?.remove();
  ui.bar = null;
  ui.plain.hidden = false;
  ui.text.focus();
}

async function submit(command) {
  const channel = state.current;
  closeCommand();
  toEnd();
  const note = h("div", { class: "sending" }, h("b", {}, `/${command.name}`), " Sending command…");
  ui.status.append(note);
  try {
    await runCommand(command);
    note.remove();
  } catch (error) {
    note.classList.add("failed");
    replace(note, h("b", {}, `/${command.name}`), ` ${error.message} `, channel === state.current && h("button", { type: "button", class: "plain-link", onclick: () => note.remove() }, "Dismiss"));
  }
}

async function send() {
  const content = ui.text.value.trim();
  if (!content && !files.length) return;
  if (signs(content) > LIMIT) return toast(`A message can have up to ${LIMIT} characters; this one has ${signs(content)}. Shorten it.`);
  const body = { channel: state.current, content: mentions(content), reply_to: state.reply?.id || null };
  const [sending, reply] = [files, state.reply];
  ui.text.value = "";
  files = [];
  setReply(null);
  refresh();
  saveDraft();
  toEnd();
  try {
    await act("send", body, sending.map((file, index) => [`file${index}`, file]));
  } catch (error) {
    toast(error.message);
    giveBack(body.channel, content, sending);
    if (reply && state.current === body.channel && !state.reply) setReply(reply);
  }
}

// What could not be sent stands before what was written since, also in a channel that is not open any more.
function giveBack(channel, content, sending) {
  if (state.current !== channel) {
    kept.set(`draft.${channel}`, [content, kept.get(`draft.${channel}`)].filter(Boolean).join("\n"));
    return;
  }
  ui.text.value = [content, ui.text.value].filter(Boolean).join("\n");
  files = [...sending, ...files];
  refresh();
  saveDraft();
}

// "@name" and "#channel" as Discord's client sends them, longest names first.
function mentions(text) {
  const names = [
    ...[...state.users.values()].map((user) => [`@${user.name}`, `<@${user.id}>`]),
    ...[...state.channels.values()].filter((channel) => channel.type !== 4).map((channel) => [`#${channel.name}`, `<#${channel.id}>`]),
  ].sort(([a], [b]) => b.length - a.length);
  const parts = text.split(/(```[\s\S]*?```|`[^`]*`|https?:\/\/\S+)/);
  return parts.map((part, index) => (index % 2 ? part : names.reduce((out, [name, mention]) => out.replaceAll(new RegExp(`(?<![\\w<])${escape(name)}(?![\\w-])`, "gi"), mention), part))).join("");
}

const escape = (name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

export function setReply(message) {
  state.reply = message;
  ui.reply.hidden = !message;
  if (!message) return;
  replace(ui.reply, h("span", {}, "Replying to ", h("b", {}, nameOf(message))), h("button", { type: "button", class: "icon", "aria-label": "Do not reply", onclick: () => (setReply(null), ui.text.focus()) }, "✕"));
  if (ui.bar) closeCommand();
  ui.text.focus();
}

function addFiles(list) {
  for (const file of list) {
    if (file.size > MAX_FILE) toast(`${file.name} is too large. Files can have up to 10 MB.`);
    else if (files.length >= 10) toast("A message can have up to 10 files.");
    else files.push(file);
  }
  refresh();
  ui.text.focus();
}

function refresh() {
  ui.text.style.height = "auto";
  ui.text.style.height = `${Math.min(ui.text.scrollHeight, 240)}px`;
  const left = LIMIT - signs(ui.text.value);
  ui.count.textContent = left < 200 ? String(left) : "";
  ui.count.classList.toggle("over", left < 0);
  ui.files.hidden = !files.length;
  replace(ui.files, files.map((file, index) => h("li", {}, icon("file", 18), h("span", {}, file.name), h("small", {}, bytes(file.size)), h("button", { type: "button", class: "icon", "aria-label": `Remove ${file.name}`, onclick: () => { files.splice(index, 1); refresh(); } }, "✕"))));
  ui.send.classList.toggle("ready", Boolean(ui.text.value.trim() || files.length));
}

const saveDraft = () => kept.set(`draft.${state.current}`, ui.text.value || null);

export function openedChannel() {
  if (ui.bar) closeCommand();
  const channel = state.channels.get(state.current);
  setReply(null);
  files = [];
  replace(ui.status);
  ui.picker.close();
  ui.text.value = kept.get(`draft.${state.current}`) || "";
  const wide = matchMedia("(min-width: 721px)").matches;
  ui.text.placeholder = channel ? `Message ${channel.type === 11 ? "" : "#"}${channel.name}${wide ? ", or / for commands" : ""}` : "No channel";
  ui.text.disabled = !channel;
  refresh();
  if (wide) ui.text.focus({ preventScroll: true });
}

function keys(event) {
  if (ui.picker.key(event)) return;
  if (entered(event) && !event.shiftKey) {
    event.preventDefault();
    send();
  } else if (event.key === "Escape") {
    if (state.reply) setReply(null);
  } else if (event.key === "ArrowUp" && !ui.text.value) {
    event.preventDefault();
    if (event.shiftKey) focusLast();
    else editLast();
  }
}

export function start() {
  build();
  ui.text.addEventListener("keydown", keys);
  ui.text.addEventListener("input", () => {
    refresh();
    saveDraft();
    ui.picker.search(ui.text.value);
    if (ui.text.value && !ui.text.value.startsWith("/") && Date.now() - typedAt > 8000) {
      typedAt = Date.now();
      act("typing", { channel: state.current }).catch(() => {});  // a sign that fails is not worth a word
    }
  });
  ui.text.addEventListener("blur", () => ui.picker.close());
  ui.text.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    addFiles(event.clipboardData.files);
  });
  ui.pick.addEventListener("change", () => {
    addFiles(ui.pick.files);
    ui.pick.value = "";
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) addFiles(event.dataTransfer.files);
  });
  on("reply", setReply);
  on("use-command", (name) => {
    const leaf = leafOf(name);
    if (leaf) openCommand(leaf);
    else toast(`/${name} cannot be used here.`);
  });
  on("focus-composer", () => (ui.bar ? ui.bar.querySelector("input, select, textarea") : ui.text).focus());
  on("commands", () => document.activeElement === ui.text && ui.picker.search(ui.text.value));
}
