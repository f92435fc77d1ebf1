// Message list of the open channel.

import { $, h, icon, inUse, replace, toast } from "./dom.js";
import { actions, attempt, below, editing, startEdit } from "./message_actions.js";
import { openMenu, showPins } from "./dialogs.js";
import { draw } from "./message.js";
import { ask } from "./server.js";
import { emit, isThread, kept, newer, on, state } from "./state.js";

const KEEP = 250;
const EPHEMERAL = 64;

let markUnread = null;
let stuck = true;

export const scroller = () => $("scroller");

// ---------------------------------------------------------------------- loading

export async function show(channelId) {
  state.messages = new Map();
  markUnread = kept.get(`read.${channelId}`);
  replace($("messages"), h("li", { class: "empty" }, "Loading…"));
  const page = await ask(`messages?channel=${channelId}`);
  if (state.current !== channelId) return;
  take(page);
  drawAll();
  toEnd();
  if (editing.id) document.querySelector("textarea.edit")?.focus();
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
  if (!node) return toast("That message no longer exists.");
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
  let pause = 3000;  // after a failure: each movement of the list would say it again
  try {
    const channel = state.current;
    const page = await ask(`messages?channel=${channel}&before=${first}`);
    pause = 0;
    if (channel !== state.current) return;
    const box = scroller();
    const fromEnd = box.scrollHeight - box.scrollTop;
    const newest = state.newer;
    take(page);
    state.newer = newest;
    drawAll();
    box.scrollTop = box.scrollHeight - fromEnd;
  } finally {
    if (pause) setTimeout(() => { loadOlder.busy = false; }, pause);
    else loadOlder.busy = false;
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
  return h("li", { class: "beginning" }, h("div", { class: "beginning-icon" }, icon(channel && isThread(channel) ? "thread" : "hash", 40)),
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

// ---------------------------------------------------------------------- live

function redraw(id) {
  const node = row(id);
  const message = state.messages.get(id);
  if (!node || !message || inUse(node, () => redraw(id))) return;
  const ids = [...state.messages.keys()];
  const previous = state.messages.get(ids[ids.indexOf(id) - 1]) || null;
  const active = node.contains(document.activeElement) ? document.activeElement : null;
  const again = draw(message, previous);
  const shown = [...node.querySelectorAll("details")].map((details) => details.open);
  [...again.querySelectorAll("details")].forEach((details, index) => { details.open = Boolean(shown[index]); });
  again.classList.toggle("tapped", node.classList.contains("tapped"));
  node.replaceWith(again);
  const customId = active?.dataset?.customId;
  if (active) (customId ? again.querySelector(`[data-custom-id="${CSS.escape(customId)}"]`) || again : again).focus({ preventScroll: true });
}

function add(message) {
  if (message.channel_id !== state.current) return;
  if (state.newer) {
    if (message.author.id === state.me || message.flags & EPHEMERAL) emit("open", state.current);
    return;
  }
  if (state.messages.has(message.id)) return void update(message);
  const previous = [...state.messages.values()].pop() || null;
  state.messages.set(message.id, message);
  $("messages").append(...dividers(previous, message), draw(message, previous));
  // One's own words, and what only this person sees: an answer to what they just did is never out of sight.
  if (message.author.id === state.me || message.flags & EPHEMERAL) intoSight(message.id);
  if (stuck) trim();
}

function update(message) {
  if (!state.messages.has(message.id)) return;
  state.messages.set(message.id, message);
  if (editing.id !== message.id) redraw(message.id);
  if (message.flags & EPHEMERAL && [...state.messages.keys()].pop() === message.id) intoSight(message.id);
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

// The newest message, from its beginning where it is taller than the window.
function intoSight(id) {
  const node = row(id);
  if (!node || node.offsetHeight <= scroller().clientHeight) return toEnd();
  stuck = false;
  node.scrollIntoView({ block: "start" });
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
  on("redraw", redraw);
  on("live-new", ({ message }) => add(message));
  on("live-message", ({ message }) => update(message));
  on("live-delete", ({ channel, id }) => channel === state.current && remove(id));
  on("live", () => {
    if (stuck) box.scrollTop = box.scrollHeight;
    read();
  });
  box.addEventListener("scroll", () => {
    stuck = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
    if (box.scrollTop < 300) attempt(loadOlder);
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
  $("messages").addEventListener("click", (event) => {
    // The tools of a tapped message stand below its words, which for the last one may be out of sight.
    const tapped = event.pointerType === "touch" && !event.target.closest("button, a, summary, [role=button]") && event.target.closest(".message");
    if (!tapped) return;
    for (const other of $("messages").querySelectorAll(".tapped")) other.classList.remove("tapped");
    tapped.classList.add("tapped");
    const tools = tapped.querySelector(":scope > .tools");
    if (!tools) return;
    const hidden = tools.getBoundingClientRect().bottom - box.getBoundingClientRect().bottom;
    if (hidden > 0 && hidden < 80) box.scrollTop += hidden + 4;
  });
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
