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
// What was begun in a channel and is neither words of its draft nor a reply, while another one is open.
const left = new Map();
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

function openCommand(leaf, texts = {}) {
  if (ui.text.value.startsWith("/")) {
    ui.text.value = "";
    refresh();
    saveDraft();
  }
  showBar(commandBar(leaf, { done: submit, cancel: closeCommand, texts }));
}

function showBar(bar) {
  closeCommand();
  ui.plain.hidden = true;
  ui.bar = bar;
  $("composer").append(bar);
  bar.enter();
}

function takeBar() {
  const bar = ui.bar;
  bar?.remove();
  ui.bar = null;
  ui.plain.hidden = false;
  return bar;
}

// A command with something filled in can be opened again.
function closeCommand() {
  const bar = takeBar();
  if (bar?.filled()) offer(bar, "was closed.");
  else if (bar) saveCommand(null);
  ui.text.focus();
}

function offer(bar, why, note = h("div", { class: "sending" })) {
  const again = () => (note.remove(), showBar(bar));
  const forget = () => {
    note.remove();
    saveCommand(null);
  };
  note.bar = bar;
  replace(note, h("b", {}, `/${bar.command}`), ` ${why} `, h("button", { type: "button", class: "plain-link", onclick: again }, "Open it again"), " ", h("button", { type: "button", class: "plain-link", onclick: forget }, "Dismiss"));
  ui.status.append(note);
}

const saveCommand = (bar, channel = state.current) => kept.set(`command.${channel}`, bar?.filled() ? { name: bar.command, texts: bar.texts() } : null);

async function submit(command) {
  const channel = state.current;
  const bar = takeBar();
  toEnd();
  const note = h("div", { class: "sending" }, h("b", {}, `/${command.name}`), " Sending command…");
  ui.status.append(note);
  ui.text.focus();
  try {
    await runCommand(command);
    note.remove();
    saveCommand(null, channel);
  } catch (error) {
    if (channel !== state.current) {
      left.set(channel, { files: [], ...left.get(channel), bar });
      return toast(`/${command.name} in #${state.channels.get(channel)?.name}: ${error.message}`);
    }
    note.classList.add("failed");
    offer(bar, error.message, note);
  }
  return undefined;
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
    else if (reply && state.current !== body.channel) keepReply(body.channel, reply);
  }
}

// What could not be sent stands before what was written since, also in a channel that is not open any more.
function giveBack(channel, content, sending) {
  if (state.current !== channel) {
    kept.set(`draft.${channel}`, [content, kept.get(`draft.${channel}`)].filter(Boolean).join("\n"));
    const there = left.get(channel);
    left.set(channel, { ...there, files: [...sending, ...(there?.files || [])] });
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

// Whom the words of a draft are for is kept with them.
const keepReply = (channel, message) => kept.set(`reply.${channel}`, message && { id: message.id, channel_id: message.channel_id, author: { global_name: message.author.global_name, username: message.author.username } });

export function setReply(message) {
  keepReply(state.current, message);
  drawReply(message);
  if (!message) return;
  if (ui.bar) closeCommand();
  ui.text.focus();
}

function drawReply(message) {
  state.reply = message;
  ui.reply.hidden = !message;
  if (message) replace(ui.reply, h("span", {}, "Replying to ", h("b", {}, nameOf(message))), h("button", { type: "button", class: "icon", "aria-label": "Do not reply", onclick: () => (setReply(null), ui.text.focus()) }, "✕"));
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
  const channel = state.channels.get(state.current);
  const wide = matchMedia("(min-width: 721px)").matches;
  ui.text.placeholder = channel ? `Message ${channel.type === 11 ? "" : "#"}${channel.name}${wide ? ", or / for commands" : ""}` : "No channel";
  ui.text.disabled = !channel;
  if (ui.channel !== state.current) change();
  if (ui.bar) ui.bar.enter();
  else if (wide) ui.text.focus({ preventScroll: true });
}

// Put aside what was begun where one was, take up what was begun here.
function change() {
  const offered = [...ui.status.children].map((note) => note.bar).filter(Boolean).pop();
  if (ui.channel) left.set(ui.channel, { files, bar: takeBar() || offered });
  const begun = left.get(state.current);
  left.delete(state.current);
  ui.channel = state.current;
  ui.begins = !begun?.bar;
  files = begun?.files || [];
  drawReply(kept.get(`reply.${state.current}`));
  replace(ui.status);
  ui.picker.close();
  ui.text.value = kept.get(`draft.${state.current}`) || "";
  refresh();
  if (begun?.bar) showBar(begun.bar);
}

// After a reload the texts of a command are still there.
function takeUp() {
  const command = ui.begins && !ui.bar && kept.get(`command.${state.current}`);
  ui.begins = false;
  const leaf = command && leafOf(command.name);
  if (leaf) openCommand(leaf, command.texts);
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
  $("composer").addEventListener("input", () => ui.bar && saveCommand(ui.bar));
  on("commands", takeUp);
  on("commands", () => document.activeElement === ui.text && ui.picker.search(ui.text.value));
}
