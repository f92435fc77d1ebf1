// Channel list and quick switcher (Ctrl+K).

import { $, h, icon, inUse, replace } from "./dom.js";
import { dialog } from "./dialogs.js";
import { emit, isText, isThread, kept, newer, on, state } from "./state.js";

const byPosition = (a, b) => a.position - b.position || (BigInt(a.id) < BigInt(b.id) ? -1 : 1);

function tree() {
  const all = [...state.channels.values()];
  const inside = (id) => all.filter((channel) => !isThread(channel) && channel.type !== 4 && channel.type !== 1 && (channel.parent_id || null) === id).sort(byPosition);
  const groups = all.filter((channel) => channel.type === 4).sort(byPosition);
  const direct = all.filter((channel) => channel.type === 1);
  return [...(direct.length ? [{ group: { id: "direct", name: "Direct messages" }, channels: direct }] : []), { group: null, channels: inside(null) }, ...groups.map((group) => ({ group, channels: inside(group.id) }))];
}

const threadsOf = (id) => [...state.channels.values()].filter((channel) => isThread(channel) && channel.parent_id === id)
  .filter((thread) => !thread.thread_metadata.archived || thread.id === state.current || unread(thread)).sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));

export function unread(channel) {
  return channel.id !== state.current && isText(channel) && channel.last_message_id && newer(channel.last_message_id, kept.get(`read.${channel.id}`) || state.since);
}

// How many unread messages notified this person.
function count(channel) {
  if (!unread(channel)) return 0;
  const read = kept.get(`read.${channel.id}`) || state.since;
  return (channel.pings || []).filter((id) => newer(id, read)).length;
}

let drawn = "";

export function drawChannels() {
  const seen = JSON.stringify([state.current, [...state.channels.values()].map((c) => [c.id, c.name, c.parent_id, c.position, c.topic, c.thread_metadata?.archived, unread(c), count(c), kept.get(`folded.${c.id}`)])]);
  if (seen === drawn || inUse($("channels"), drawChannels)) return;
  drawn = seen;
  const focused = document.activeElement?.closest?.("#channels [data-id]")?.dataset.id;
  const nodes = [];
  for (const { group, channels } of tree()) {
    if (group) nodes.push(groupRow(group, channels));
    const folded = group && kept.get(`folded.${group.id}`);
    for (const channel of channels) {
      const threads = threadsOf(channel.id);
      if (!folded || unread(channel) || channel.id === state.current) nodes.push(channelRow(channel, group ? 2 : 1));
      for (const thread of threads) if (!folded || unread(thread) || thread.id === state.current) nodes.push(channelRow(thread, group ? 3 : 2));
    }
  }
  replace($("channels"), nodes);
  const rows = [...$("channels").querySelectorAll("[role=treeitem]")];
  const target = rows.find((node) => node.dataset.id === (focused || state.current)) || rows[0];
  if (target) target.tabIndex = 0;
  if (focused && target) target.focus();
  const waiting = [...state.channels.values()].reduce((sum, channel) => sum + count(channel), 0) || ([...state.channels.values()].some(unread) ? "•" : 0);
  document.title = `${waiting ? `(${waiting}) ` : ""}${state.channels.get(state.current)?.name || "MegaAgent"} | ${state.guild.name}`;
}

function groupRow(group, channels) {
  const folded = Boolean(kept.get(`folded.${group.id}`));
  const fold = () => {
    kept.set(`folded.${group.id}`, folded ? null : true);
    drawChannels();
  };
  return h("button", { type: "button", class: "group", role: "treeitem", "aria-level": "1", "aria-expanded": folded ? "false" : "true", tabindex: "-1", dataset: { id: group.id }, onclick: fold },
    h("span", { class: folded ? "fold folded" : "fold" }, icon("chevron", 12)), h("span", { class: "group-name" }, group.name), h("span", { class: "count" }, String(channels.length)));
}

function channelRow(channel, level) {
  const thread = isThread(channel);
  const here = channel.id === state.current;
  const fresh = unread(channel);
  const pinged = count(channel);
  return h("button", { type: "button", class: `channel${thread ? " thread" : ""}${here ? " here" : ""}${fresh ? " unread" : ""}`, role: "treeitem", "aria-level": String(level), "aria-current": here ? "page" : null, tabindex: "-1",
    dataset: { id: channel.id }, title: channel.topic || channel.name, "aria-label": `${channel.name}${thread ? ", thread" : ""}${pinged ? `, ${pinged} unread mention${pinged === 1 ? "" : "s"}` : fresh ? ", unread" : ""}`, onclick: () => emit("open", channel.id) },
  icon(thread ? "thread" : "hash", thread ? 15 : 18), h("span", { class: "channel-name" }, channel.name), pinged > 0 && h("span", { class: "pings", "aria-hidden": "true" }, String(pinged)));
}

// -------------------------------------------------------------------- switcher

// A channel of that name comes before one whose category has it.
function fit(channel, text) {
  const name = channel.name.toLowerCase();
  if (!text) return 0;
  return name.startsWith(text) ? 0 : name.includes(text) ? 1 : 2;
}

export function openSwitcher() {
  if (document.querySelector(".switcher")) return;
  const input = h("input", { class: "switcher-input", placeholder: "Where would you like to go?", "aria-label": "Channel or thread", role: "combobox", "aria-expanded": "true", "aria-controls": "switcher-list", autocomplete: "off" });
  const list = h("ul", { id: "switcher-list", class: "switcher-list", role: "listbox" });
  const { box, shut } = dialog("Find a channel", [input, list]);
  box.classList.add("switcher");
  let found = [];
  let active = 0;
  const go = (index) => {
    shut();
    if (found[index]) emit("open", found[index].id);
  };
  const draw = () => {
    replace(list, found.map((channel, index) => h("li", { role: "option", id: `switch-${index}`, "aria-selected": index === active ? "true" : "false", class: index === active ? "active" : "", onclick: () => go(index) },
      icon(isThread(channel) ? "thread" : "hash", 18), h("span", {}, channel.name), h("small", {}, state.channels.get(channel.parent_id)?.name || ""))));
    input.setAttribute("aria-activedescendant", `switch-${active}`);
    list.children[active]?.scrollIntoView({ block: "nearest" });
  };
  const search = () => {
    const text = input.value.trim().toLowerCase().replace(/^#/, "");
    found = [...state.channels.values()].filter((channel) => isText(channel) && `${channel.name} ${state.channels.get(channel.parent_id)?.name || ""}`.toLowerCase().includes(text))
      .sort((a, b) => fit(a, text) - fit(b, text) || count(b) - count(a) || Number(unread(b) || 0) - Number(unread(a) || 0) || (newer(a.last_message_id || 0, b.last_message_id || "1") ? -1 : 1)).slice(0, 12);
    active = 0;
    draw();
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) active = (active + step + found.length) % found.length;
    else if (event.key === "Enter") return void (event.preventDefault(), go(active));
    else return;
    event.preventDefault();
    draw();
  });
  search();
  input.focus();
}

let pending = false;
export function drawSoon() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    drawChannels();
  });
}

export function start() {
  on("live-channel", ({ channel }) => {
    state.channels.set(channel.id, { pings: state.channels.get(channel.id)?.pings, ...channel });
    drawSoon();
    if (channel.id === state.current) emit("headline");
  });
  on("live-channel-deleted", ({ id }) => {
    state.channels.delete(id);
    for (const channel of [...state.channels.values()]) if (isThread(channel) && channel.parent_id === id) state.channels.delete(channel.id);
    drawSoon();
    if (!state.channels.has(state.current)) emit("open", null);
  });
  on("live-new", ({ message }) => {
    const channel = state.channels.get(message.channel_id);
    if (!channel) return;
    channel.last_message_id = message.id;
    channel.message_count = (channel.message_count || 0) + 1;
    if (message.pings) channel.pings = [...(channel.pings || []), message.id];
    if (message.author.id === state.me) kept.set(`read.${channel.id}`, message.id);
    drawSoon();
  });
  on("read", drawSoon);
  $("switcher-open").append(icon("search", 18));
  $("switcher-open").addEventListener("click", openSwitcher);
  $("channels").addEventListener("keydown", (event) => {
    const rows = [...$("channels").querySelectorAll("[role=treeitem]")];
    const index = rows.indexOf(document.activeElement);
    const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 }[event.key];
    const fold = event.key === "ArrowLeft" || event.key === "ArrowRight";
    if (fold && rows[index]?.getAttribute("aria-expanded") === String(event.key === "ArrowLeft")) rows[index].click();
    else if (to !== undefined && rows[to]) rows[to].focus();
    else return;
    event.preventDefault();
  });
}
