// The list of messages in the open channel.

import { $, emojiNode, face, h, icon, replace, toast } from "./dom.js";
import { attachment, components, embed, emojiText } from "./components.js";
import { confirmDelete, openEmoji, openMenu, openModal, showPins } from "./dialogs.js";
import { inline, markdown } from "./markdown.js";
import { act, ask } from "./server.js";
import { emit, kept, nameOf, newer, on, state } from "./state.js";

const GROUP_WITHIN = 7 * 60 * 1000;
const KEEP = 250;
const EPHEMERAL = 64;
const LOADING = 128;
const HAS_THREAD = 32;

let editing = null;
let markUnread = null;
let stuck = true;

export const scroller = () => $("scroller");

// ---------------------------------------------------------------------- loading

export async function show(channelId) {
  state.messages = new Map();
  editing = null;
  markUnread = kept.get(`read.${channelId}`);
  replace($("messages"), h("li", { class: "empty" }, "Loading…"));
  const page = await ask(`messages?channel=${channelId}`);
  if (state.current !== channelId) return;
  take(page);
  drawAll();
  toEnd();
  read();
}

function take(page) {
  for (const message of page.messages) state.messages.set(message.id, message);
  state.messages = new Map([...state.messages].sort(([a], [b]) => (BigInt(a) < BigInt(b) ? -1 : 1)));
  state.older = page.older;
  state.newer = Boolean(page.newer);
}

export async function jump(id) {
  if (!state.messages.has(id)) {
    const page = await ask(`messages?channel=${state.current}&around=${id}`);
    state.messages = new Map();
    take(page);
    drawAll();
  }
  const node = row(id);
  if (!node) return toast("That message is gone.");
  stuck = false;
  node.scrollIntoView({ block: "center" });
  node.classList.add("flash");
  setTimeout(() => node.classList.remove("flash"), 2000);
  node.focus({ preventScroll: true });
}

async function loadOlder() {
  const first = state.messages.keys().next().value;
  if (!state.older || !first || loadOlder.busy) return;
  loadOlder.busy = true;
  try {
    const channel = state.current;
    const page = await ask(`messages?channel=${channel}&before=${first}`);
    if (channel !== state.current) return;
    const box = scroller();
    const fromEnd = box.scrollHeight - box.scrollTop;
    const newest = state.newer;
    take(page);
    state.newer = newest;
    drawAll();
    box.scrollTop = box.scrollHeight - fromEnd;
  } finally {
    loadOlder.busy = false;
  }
}

// ---------------------------------------------------------------------- drawing

const row = (id) => $("messages").querySelector(`[data-id="${CSS.escape(id)}"]`);

function drawAll() {
  const rows = [];
  let previous = null;
  if (!state.older) rows.push(beginning());
  for (const message of state.messages.values()) {
    rows.push(...dividers(previous, message), draw(message, previous));
    previous = message;
  }
  replace($("messages"), rows);
  $("to-present").hidden = !state.newer;
}

function beginning() {
  const channel = state.channels.get(state.current);
  return h("li", { class: "beginning" }, h("div", { class: "beginning-icon" }, icon(channel && (channel.type === 11 || channel.type === 12) ? "thread" : "hash", 40)),
    h("h3", {}, `Welcome to ${channel?.name || "the channel"}`), h("p", {}, channel?.topic || "This is where it begins."));
}

function dividers(previous, message) {
  const out = [];
  const day = new Date(message.timestamp).toDateString();
  if (!previous || new Date(previous.timestamp).toDateString() !== day) {
    const text = new Date(message.timestamp).toLocaleDateString(undefined, { dateStyle: "long" });
    out.push(h("li", { class: "divider", role: "separator" }, h("span", {}, text)));
  }
  const firstNew = markUnread && newer(message.id, markUnread) && (!previous || !newer(previous.id, markUnread));
  if (firstNew && message.author.id !== state.me) out.push(h("li", { class: "divider unread", role: "separator" }, h("span", {}, "New")));
  return out;
}

function follows(previous, message) {
  return previous && previous.type === 0 && message.type === 0 && !message.referenced_message && !message.interaction_metadata
    && previous.author.id === message.author.id && nameOf(previous) === nameOf(message)
    && new Date(message.timestamp) - new Date(previous.timestamp) < GROUP_WITHIN
    && new Date(message.timestamp).toDateString() === new Date(previous.timestamp).toDateString();
}

export function draw(message, previous = null, { quiet = false } = {}) {
  if (![0, 19, 20, 23].includes(message.type)) return service(message);
  const short = !quiet && follows(previous, message);
  const node = h("li", { class: `message${short ? " short" : ""}${message.flags & EPHEMERAL ? " ephemeral" : ""}${pings(message) ? " pinged" : ""}`, dataset: { id: message.id }, tabindex: "-1" });
  if (short) node.append(h("time", { class: "side-time", datetime: message.timestamp }, clock(message.timestamp)));
  else node.append(face(nameOf(message), message.face, message.author.avatar || ""));
  const body = h("div", { class: "body" }, !short && [above(message), headline(message)]);
  body.append(...content(message));
  node.append(body);
  if (!quiet && !(message.flags & EPHEMERAL)) node.append(toolbar(message));
  return node;
}

function pings(message) {
  return message.author.id !== state.me && (message.mention_everyone || message.mentions.some((user) => user.id === state.me));
}

const clock = (time) => new Date(time).toLocaleTimeString(undefined, { timeStyle: "short" });

function above(message) {
  if (message.message_reference && message.type === 19) return replied(message.referenced_message);
  const used = message.interaction_metadata;
  if (!used?.name) return null;
  const who = state.users.get(used.user.id)?.name || used.user.username;
  const mark = used.command_type === 1 || message.type === 20 ? "/" : "";
  return h("div", { class: "above" }, face(who, null), h("b", {}, used.user.id === state.me ? "You" : who), " used ", h("span", { class: "mention" }, mark + used.name));
}

function replied(target) {
  if (!target) return h("div", { class: "above" }, icon("reply", 14), h("i", {}, "Original message was deleted"));
  const text = target.content || (target.embeds.length || target.components.length ? "Click to see the message" : "Click to see the attachment");
  const line = h("span", { class: "above-text" });
  inline(text.slice(0, 140).replace(/\n/g, " "), line);
  return h("button", { type: "button", class: "above", onclick: () => emit("jump", { channel: target.channel_id, id: target.id }) },
    face(nameOf(target), target.face, target.author.avatar || ""), h("b", {}, nameOf(target)), target.author.bot && tag(), line);
}

const tag = () => h("span", { class: "tag" }, "APP");

function headline(message) {
  const when = new Date(message.timestamp);
  const today = when.toDateString() === new Date().toDateString();
  const name = h("span", { class: "name" }, nameOf(message));
  name.style.setProperty("--hue", message.author.bot ? hueOf(nameOf(message)) : 0);
  if (message.webhook_id && !message.interaction_metadata) name.classList.add("persona");
  return h("div", { class: "headline" }, name, message.author.bot && tag(), h("time", { datetime: message.timestamp, title: when.toLocaleString() }, today ? `Today at ${clock(when)}` : when.toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" })));
}

const hueOf = (name) => [...name].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 360, 7);

function content(message) {
  const parts = [];
  if (editing === message.id) parts.push(editor(message));
  else if (message.flags & LOADING) parts.push(h("div", { class: "thinking" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {})), `${nameOf(message)} is thinking…`));
  else if (message.content) {
    const text = h("div", { class: "text" }, markdown(message.content));
    if (onlyEmoji(message.content)) text.classList.add("jumbo");
    if (message.edited_timestamp) text.append(h("span", { class: "edited", title: new Date(message.edited_timestamp).toLocaleString() }, "(edited)"));
    parts.push(text);
  }
  parts.push(...message.embeds.map(embed));
  const shown = JSON.stringify(message.components || []);
  parts.push(...message.attachments.filter((file) => !shown.includes(file.url)).map(attachment));
  parts.push(...components(message).filter(Boolean));
  if (message.flags & HAS_THREAD) parts.push(threadLink(message.id));
  if (message.reactions?.length) parts.push(reactions(message));
  if (message.flags & EPHEMERAL) parts.push(onlyYou(message));
  return parts;
}

const onlyEmoji = (text) => text.length < 40 && /^(?:\p{Extended_Pictographic}|\u200d|\ufe0f|\s)+$/u.test(text);

function onlyYou(message) {
  return h("div", { class: "only-you" }, "Only you can see this • ", h("button", { type: "button", class: "plain-link", onclick: () => perform(() => act("delete", { channel: message.channel_id, message: message.id })) }, "Dismiss message"));
}

function threadLink(id) {
  const thread = state.channels.get(id);
  return h("button", { type: "button", class: "thread-link", onclick: () => thread && emit("open", id) }, icon("thread", 16), h("b", {}, thread?.name || "Thread"), thread ? `${thread.message_count || 0} messages ›` : "");
}

function reactions(message) {
  return h("div", { class: "reactions" }, message.reactions.map((reaction) => h("button", {
    type: "button", class: reaction.me ? "reaction mine" : "reaction", "aria-pressed": reaction.me ? "true" : "false", "aria-label": `${emojiText(reaction.emoji)}, ${reaction.count}`,
    onclick: () => react(message, reaction.emoji.id ? `${reaction.emoji.name}:${reaction.emoji.id}` : reaction.emoji.name, !reaction.me),
  }, emojiNode(reaction.emoji), h("span", {}, String(reaction.count)))));
}

const SERVICE = { 6: ["pin", "pinned a message to this channel."], 7: ["smile", "joined the server."], 18: ["thread", "started a thread:"] };

function service(message) {
  const [shape, text] = SERVICE[message.type] || ["smile", message.content];
  const thread = message.type === 18 && [...state.channels.values()].find((c) => c.parent_id === message.channel_id && c.name === message.content);
  return h("li", { class: "message service", dataset: { id: message.id }, tabindex: "-1" }, h("span", { class: "service-icon" }, icon(shape, 18)),
    h("div", { class: "body" }, h("b", {}, nameOf(message)), ` ${text} `, message.type === 18 && h("button", { type: "button", class: "plain-link", onclick: () => thread && emit("open", thread.id) }, message.content), h("time", { datetime: message.timestamp }, clock(message.timestamp))));
}

// ---------------------------------------------------------------------- acting

async function perform(work) {
  try {
    return await work();
  } catch (error) {
    return toast(error.message);
  }
}

const react = (message, emoji, on_) => perform(() => act("react", { channel: message.channel_id, message: message.id, emoji, on: on_ }));

function toolbar(message) {
  const button = (label, shape, run) => h("button", { type: "button", class: "icon", title: label, "aria-label": label, tabindex: "-1", onclick: run }, icon(shape, 18));
  return h("div", { class: "tools" },
    button("Add reaction", "smile", (event) => openEmoji(below(event.currentTarget), (emoji) => react(message, emoji, true))),
    button("Reply", "reply", () => emit("reply", message)),
    button("More", "more", (event) => openMenu(below(event.currentTarget), actions(message))));
}

const below = (node) => ({ x: node.getBoundingClientRect().right, y: node.getBoundingClientRect().bottom + 4 });

function actions(message) {
  const apps = state.commands.message.map((command) => ({ label: command.name, act: () => useApp(command, message) }));
  const mine = message.author.id === state.me;
  return [
    { label: "Reply", act: () => emit("reply", message) },
    { label: "Add reaction", act: () => openEmoji(below(row(message.id)), (emoji) => react(message, emoji, true)) },
    mine && { label: "Edit message", act: () => startEdit(message) },
    { label: message.pinned ? "Unpin message" : "Pin message", act: () => perform(() => act("pin", { channel: message.channel_id, message: message.id, on: !message.pinned })) },
    { label: "Copy text", act: () => navigator.clipboard.writeText(message.content) },
    ...(apps.length ? [null, { heading: "Apps" }, ...apps] : []),
    null,
    { label: "Delete message", danger: true, act: () => confirmDelete(message, () => perform(() => act("delete", { channel: message.channel_id, message: message.id }))) },
  ].filter((item) => item !== false);
}

function useApp(command, message) {
  return perform(async () => {
    const result = await act("menu", { channel: message.channel_id, message: message.id, name: command.name });
    if (result.modal) openModal(result);
  });
}

function startEdit(message) {
  editing = message.id;
  redraw(message.id);
  row(message.id)?.querySelector("textarea")?.focus();
}

export function editLast() {
  const mine = [...state.messages.values()].filter((message) => message.author.id === state.me && message.type !== 18).pop();
  if (mine) startEdit(mine);
}

function editor(message) {
  const area = h("textarea", { class: "edit", rows: "2", "aria-label": "Edit message", maxlength: "2000" });
  area.value = message.content;
  const stop = () => {
    editing = null;
    redraw(message.id);
    emit("focus-composer");
  };
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      const text = area.value;
      stop();
      if (text.trim() && text !== message.content) perform(() => act("edit", { channel: message.channel_id, message: message.id, content: text }));
    } else return;
    event.stopPropagation();
  });
  return h("div", {}, area, h("small", {}, "escape to cancel • enter to save"));
}

// ---------------------------------------------------------------------- live

function redraw(id) {
  const node = row(id);
  const message = state.messages.get(id);
  if (!node || !message) return;
  const ids = [...state.messages.keys()];
  const previous = state.messages.get(ids[ids.indexOf(id) - 1]) || null;
  const active = node.contains(document.activeElement) ? document.activeElement : null;
  const again = draw(message, previous);
  node.replaceWith(again);
  const customId = active?.dataset?.customId;
  if (active) (customId ? again.querySelector(`[data-custom-id="${CSS.escape(customId)}"]`) || again : again).focus({ preventScroll: true });
}

function add(message) {
  if (message.channel_id !== state.current || state.newer) return;
  if (state.messages.has(message.id)) return void update(message);
  const previous = [...state.messages.values()].pop() || null;
  state.messages.set(message.id, message);
  $("messages").append(...dividers(previous, message), draw(message, previous));
  if (message.author.id === state.me) stuck = true;
  if (stuck) trim();
}

function update(message) {
  if (!state.messages.has(message.id)) return;
  state.messages.set(message.id, message);
  if (editing !== message.id) redraw(message.id);
}

function remove(id) {
  if (!state.messages.delete(id)) return;
  row(id)?.remove();
  for (const node of $("messages").querySelectorAll(".divider + .divider:not(.unread)")) node.previousElementSibling.remove();
}

function trim() {
  while (state.messages.size > KEEP) {
    const id = state.messages.keys().next().value;
    state.messages.delete(id);
    row(id)?.remove();
    state.older = true;
  }
}

export function toEnd() {
  stuck = true;
  scroller().scrollTop = scroller().scrollHeight;
}

export function read() {
  const last = [...state.messages.keys()].pop();
  if (!last || document.hidden || !stuck) return;
  if (newer(last, kept.get(`read.${state.current}`))) kept.set(`read.${state.current}`, last);
  emit("read", state.current);
}

async function pins() {
  const channel = state.current;
  await showPins(channel, async (list) => {
    const found = (await ask(`pins?channel=${channel}`)).messages;
    for (const message of found.reverse()) {
      const node = draw(message, null, { quiet: true });
      node.append(h("button", { type: "button", class: "button secondary", dataset: { jump: message.id } }, "Jump"));
      list.append(node);
    }
    return found.length;
  });
}

export function start() {
  const box = scroller();
  on("live-new", ({ message }) => add(message));
  on("live-message", ({ message }) => update(message));
  on("live-delete", ({ channel, id }) => channel === state.current && remove(id));
  on("live", () => {
    if (stuck) box.scrollTop = box.scrollHeight;
    read();
  });
  box.addEventListener("scroll", () => {
    stuck = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
    if (box.scrollTop < 300) perform(loadOlder);
    $("to-present").hidden = stuck && !state.newer;
    if (stuck) read();
  });
  const sizes = new ResizeObserver(() => stuck && (box.scrollTop = box.scrollHeight));
  sizes.observe($("messages"));
  sizes.observe(box);
  $("to-present").addEventListener("click", () => (state.newer ? emit("open", state.current) : toEnd()));
  $("pins-open").append(icon("pin"));
  $("pins-open").addEventListener("click", pins);
  document.addEventListener("visibilitychange", read);
  $("messages").addEventListener("contextmenu", (event) => {
    const node = event.target.closest(".message");
    const message = node && state.messages.get(node.dataset.id);
    if (!message || event.target.closest("a, img, textarea") || message.flags & EPHEMERAL) return;
    event.preventDefault();
    const at = event.clientX || event.clientY ? { x: event.clientX, y: event.clientY } : below(node);
    openMenu(at, actions(message));
  });
  $("messages").addEventListener("keydown", keys);
}

function keys(event) {
  const node = event.target.closest(".message");
  if (!node || event.target !== node) return;
  const message = state.messages.get(node.dataset.id);
  const all = [...$("messages").querySelectorAll(".message")];
  const index = all.indexOf(node);
  if (event.key === "ArrowUp") all[Math.max(0, index - 1)].focus();
  else if (event.key === "ArrowDown") all[Math.min(all.length - 1, index + 1)].focus();
  else if (event.key === "Escape") emit("focus-composer");
  else if (event.key === "r" && message) emit("reply", message);
  else if (event.key === "e" && message?.author.id === state.me) startEdit(message);
  else if (event.key === "Enter" && message) openMenu(below(node), actions(message));
  else return;
  event.preventDefault();
}

export function focusLast() {
  [...$("messages").querySelectorAll(".message")].pop()?.focus();
}
