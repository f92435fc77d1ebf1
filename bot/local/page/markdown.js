// Discord's markdown as elements. Nothing a model or a person writes ever becomes markup.

import { copyText, emojiNode, h, safeLink } from "./dom.js";
import { state, emit } from "./state.js";

export function markdown(text, { big = true } = {}) {
  const root = document.createDocumentFragment();
  blocks(String(text || "").replace(/\r\n?/g, "\n"), root, big);
  return root;
}

// Quotes do not nest: what is quoted shows the marks of a further one.
function blocks(text, parent, big, quoted = false) {
  const fence = /```(?:([a-z0-9_+.-]+)\n)?\n?([\s\S]*?)\n?```/i;
  let rest = text;
  for (;;) {
    const match = fence.exec(rest);
    if (!match) break;
    const before = rest.slice(0, match.index);
    if (!quoted && /^>>> /m.test(before)) break;
    const start = before.lastIndexOf("\n") + 1;
    const inside = !quoted && /^(?:> ?[^\n]*(?:\n|$))+/.exec(rest.slice(start));
    if (inside) {
      const end = start + inside[0].length;
      lines(rest.slice(0, end).replace(/\n$/, ""), parent, big);
      rest = rest.slice(end);
      continue;
    }
    lines(before.replace(/\n$/, ""), parent, big, quoted);
    parent.append(codeBlock(match[2], match[1]));
    rest = rest.slice(match.index + match[0].length).replace(/^\n/, "");
  }
  lines(rest, parent, big, quoted);
}

function codeBlock(code, language) {
  const copy = h("button", { type: "button", class: "copy", onclick: () => copyText(code) }, "Copy");
  return h("pre", { class: "code", tabindex: "0", "data-language": language || null }, h("code", {}, code), copy);
}

function lines(text, parent, big, within = false) {
  if (!text) return;
  const all = text.split("\n");
  let plain = [];
  const flush = () => {
    if (plain.length) {
      const block = h("div", { class: "line" });
      inline(plain.join("\n"), block);
      parent.append(block);
    }
    plain = [];
  };
  for (let index = 0; index < all.length; index += 1) {
    const line = all[index];
    const heading = big && /^(#{1,3}) +(.+)$/.exec(line);
    const small = big && /^-# +(.+)$/.exec(line);
    const item = /^( *)([-*]|\d+\.) +(.+)$/.exec(line);
    if (!within && line.startsWith(">>> ")) {
      flush();
      quote([line.slice(4), ...all.slice(index + 1)], parent, big);
      return;
    }
    if (!within && /^> /.test(line)) {
      flush();
      const quoted = [];
      while (index < all.length && /^> ?/.test(all[index])) quoted.push(all[index++].replace(/^> ?/, ""));
      index -= 1;
      quote(quoted, parent, big);
    } else if (heading) {
      flush();
      const node = h(`h${heading[1].length + 2}`, { class: `h${heading[1].length}` });
      inline(heading[2], node);
      parent.append(node);
    } else if (small) {
      flush();
      const node = h("small", { class: "subtext" });
      inline(small[1], node);
      parent.append(node);
    } else if (item) {
      flush();
      const items = [];
      while (index < all.length) {
        const next = /^( *)([-*]|\d+\.) +(.+)$/.exec(all[index]);
        if (!next) break;
        items.push({ depth: Math.floor(next[1].length / 2), ordered: /\d/.test(next[2]), start: parseInt(next[2], 10), text: next[3] });
        index += 1;
      }
      index -= 1;
      list(items, parent);
    } else {
      plain.push(line);
    }
  }
  flush();
}

function quote(quoted, parent, big) {
  const node = h("blockquote", {});
  blocks(quoted.join("\n"), node, big, true);
  parent.append(node);
}

function list(items, parent) {
  const stack = [];
  for (const item of items) {
    while (stack.length > item.depth + 1) stack.pop();
    const level = stack[item.depth];
    if (level && (level.tagName === "OL") !== item.ordered) stack.pop();
    if (!stack.length || stack.length <= item.depth) {
      const node = h(item.ordered ? "ol" : "ul", item.ordered ? { start: String(item.start) } : {});
      const outer = stack[stack.length - 1];
      (outer ? outer.lastElementChild || outer : parent).append(node);
      stack.push(node);
    }
    const entry = h("li", {});
    inline(item.text, entry);
    stack[stack.length - 1].append(entry);
  }
}

const RULES = [
  [/^\\([^\p{L}\p{N}\s])/u, (m) => m[1]],
  [/^(`+)([\s\S]*?[^`])\1(?!`)/, (m) => h("code", { class: "inline" }, m[2].replace(/^ (.*) $/, "$1"))],
  [/^\*\*\*([\s\S]+?)\*\*\*/, (m) => h("strong", {}, wrap("em", m[1]))],
  [/^\*\*([\s\S]+?)\*\*(?!\*)/, (m) => wrap("strong", m[1])],
  [/^__([\s\S]+?)__(?!_)/, (m) => wrap("u", m[1])],
  [/^~~([\s\S]+?)~~/, (m) => wrap("s", m[1])],
  [/^\|\|([\s\S]+?)\|\|/, (m) => spoiler(m[1])],
  [/^\*(?!\s)([^*\n]+?)\*(?!\*)/, (m) => wrap("em", m[1])],
  [/^_(?!\s)([^_]+?)_(?![\p{L}\p{N}_])/u, (m) => wrap("em", m[1])],
  // A label that is an address itself could lead elsewhere than it says: as in Discord's client, both are shown.
  [/^\[([^\]\n]+)\]\(<?(https?:\/\/(?:\([^\s()<>]*\)|[^\s()<>])+)>?(?: "[^"]*")?\)/, (m) => (/https?:\/\//i.test(m[1]) ? null : link(m[2], m[1]))],
  [/^<(https?:\/\/[^\s>]+)>/, (m) => link(m[1])],
  [/^https:\/\/discord\.com\/channels\/(\d+)\/(\d+)\/(\d+)/, (m) => messageLink(m[1], m[2], m[3])],
  [/^https?:\/\/(?:\([^\s()<]*\)|[^\s()<])*(?:\([^\s()<]*\)|[^\s<.,:;"'()\]])/, (m) => link(m[0])],
  [/^<@!?(\d+)>/, (m) => mention(`@${state.users.get(m[1])?.name || "unknown-user"}`)],
  [/^<@&(\d+)>/, (m) => mention(`@${state.roles.get(m[1])?.name || "unknown-role"}`)],
  [/^<#(\d+)>/, (m) => channelMention(m[1])],
  [/^@(everyone|here)\b/, (m) => mention(`@${m[1]}`)],
  [/^<\/([^:>]+):\d+>/, (m) => h("button", { type: "button", class: "mention", onclick: () => emit("use-command", m[1]) }, `/${m[1]}`)],
  [/^<a?:(\w+):(\d+)>/, (m) => emojiNode({ name: m[1], id: m[2] })],
  [/^<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/, (m) => timestamp(Number(m[1]), m[2] || "f")],
];
const SPECIAL = /[\\`*_~|[<@h\n]/;

export function inline(text, parent) {
  let rest = text;
  let plain = "";
  let before = "";
  const flush = () => {
    if (plain) parent.append(plain);
    plain = "";
  };
  while (rest) {
    let node = null;
    for (const [pattern, make] of SPECIAL.test(rest[0]) ? RULES : []) {
      const match = pattern.exec(rest);
      if (!match || (/^[_h]/.test(rest) && /[\p{L}\p{N}]/u.test(before))) continue;
      node = make(match);
      if (node === null) continue;
      flush();
      parent.append(node);
      before = match[0].slice(-1);
      rest = rest.slice(match[0].length);
      break;
    }
    if (node !== null) continue;
    if (rest[0] === "\n") {
      flush();
      parent.append(h("br", {}));
    } else {
      plain += rest[0];
    }
    before = rest[0];
    rest = rest.slice(1);
  }
  flush();
  return parent;
}

const wrap = (tag, text) => inline(text, h(tag, {}));
const mention = (text) => h("span", { class: "mention" }, text);

function link(url, label) {
  const href = safeLink(url);
  if (!href) return null;
  const node = h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" });
  return label ? inline(label, node) : (node.append(url), node);
}

function spoiler(text) {
  const show = () => node.classList.add("shown");
  const node = h("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Show the spoiler", onclick: show,
    onkeydown: (event) => (event.key === "Enter" || event.key === " ") && show() });
  return inline(text, node);
}

function channelMention(id) {
  const channel = state.channels.get(id);
  if (!channel) return mention("#unknown");
  return h("button", { type: "button", class: "mention", onclick: () => emit("open", id) }, `#${channel.name}`);
}

// A link to a message here: its channel's name and a bubble, as Discord's client shows it; null for elsewhere.
function messageLink(guild, channel, id) {
  const known = guild === state.guild.id && state.channels.get(channel);
  if (!known) return null;
  const label = `Go to the message in #${known.name}`;
  return h("button", { type: "button", class: "mention", "aria-label": label, onclick: () => emit("jump", { channel, id }) }, `#${known.name} › 💬`);
}

const STYLES = {
  t: { timeStyle: "short" }, T: { timeStyle: "medium" }, d: { dateStyle: "short" }, D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" }, F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" }, S: { dateStyle: "short", timeStyle: "medium" },
};

function timestamp(seconds, style) {
  const moment = new Date(seconds * 1000);
  if (Number.isNaN(moment.getTime())) return null;
  const node = h("time", { class: "stamp", datetime: moment.toISOString(), title: moment.toLocaleString() });
  if (style === "R") node.dataset.relative = String(seconds);
  node.textContent = style === "R" ? relative(seconds) : new Intl.DateTimeFormat(undefined, STYLES[style]).format(moment);
  return node;
}

const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function relative(seconds) {
  const gap = seconds - Date.now() / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(gap) >= length) || UNITS[5];
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.round(gap / size), unit);
}

setInterval(() => {
  for (const node of document.querySelectorAll("time[data-relative]")) node.textContent = relative(Number(node.dataset.relative));
}, 5000);
