// The only place that creates elements: text always becomes a text node, never markup.

import { state } from "./state.js";

export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
  return parent;
}

export const $ = (id) => document.getElementById(id);

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

const SHAPES = {
  hash: "M9 4 7 20M17 4l-2 16M4 9h17M3 15h17",
  thread: "M5 4v9a3 3 0 0 0 3 3h11M15 12l4 4-4 4",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM20 20l-4.5-4.5",
  menu: "M4 6h16M4 12h16M4 18h16",
  pin: "M9 4h6l-1 6 4 4H6l4-4-1-6ZM12 14v6",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2v2M12 20v2M4 12H2M22 12h-2M5 5l1.5 1.5M17.5 17.5 19 19M19 5l-1.5 1.5M6.5 17.5 5 19",
  plus: "M12 5v14M5 12h14",
  reply: "M10 6 4 11l6 5v-3c5 0 8 1 10 5 0-6-4-9-10-9V6Z",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9 10h.01M15 10h.01M8 14c1 2 2.5 3 4 3s3-1 4-3",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  file: "M6 3h8l5 5v13H6V3ZM14 3v5h5",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  chevron: "M6 9l6 6 6-6",
  lock: "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
  send: "M4 12 20 4l-6 16-3-7-7-1Z",
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name, size = 20) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": name === "more" ? 3 : 2, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  })) svg.setAttribute(key, value);
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

function hash(text) {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ char.codePointAt(0), 16777619) >>> 0;
  return value;
}

// Default avatar for users without an image on this server; the same name always gets the same one.
export function face(name, path, seed = "") {
  const node = h("span", { class: "face", "aria-hidden": "true" });
  if (path) {
    node.append(h("img", { src: path, alt: "", loading: "lazy" }));
    return node;
  }
  const value = hash(`${name} ${seed}`);
  node.style.setProperty("--hue", value % 360);
  node.style.setProperty("--turn", `${(value >>> 9) % 360}deg`);
  node.textContent = initials(name);
  return node;
}

function initials(name) {
  const words = name.split(/[\s_.·|-]+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const first = [...(words[0] || "?")];
  return ((words.length > 1 ? first[0] + [...words[words.length - 1]][0] : first[0]) || "?").toUpperCase();
}

const EMOJI = /^\/emojis\/(\d+)\.(?:png|webp)$/;

// Files of this server, whatever loopback name the page was opened under; emojis have their address at Discord.
export function localPath(url) {
  try {
    const parsed = new URL(url, location.href);
    const emoji = parsed.hostname === "cdn.discordapp.com" && EMOJI.exec(parsed.pathname);
    if (emoji && state.emojis.has(emoji[1])) return `/cdn/emojis/${emoji[1]}.png`;
    const loopback = ["127.0.0.1", "localhost"].includes(parsed.hostname) && parsed.port === location.port;
    return loopback && parsed.pathname.startsWith("/cdn/") ? parsed.pathname : null;
  } catch {
    return null;
  }
}

export function safeLink(url) {
  try {
    const parsed = new URL(url);
    return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

// An emoji of the application has its picture on this server; any other custom one is shown by its name.
export function emojiNode(emoji) {
  if (!emoji) return null;
  if (!emoji.id) return h("span", { class: "emoji" }, emoji.name);
  if (!state.emojis.has(String(emoji.id))) return h("span", {}, `:${emoji.name}:`);
  return h("img", { class: "emoji-picture", src: `/cdn/emojis/${emoji.id}.png`, alt: `:${emoji.name}:`, title: `:${emoji.name}:` });
}

// A click is lost when its button is replaced between press and release, so nothing under the pointer is.
let pressed = null;
const waiting = new Set();
addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, () => setTimeout(() => {
    pressed = null;
    const due = [...waiting];
    waiting.clear();
    for (const act of due) act();
  }), true);
}

// Whether `node` must stay as it is for now; `again` is called once it need not.
export function inUse(node, again) {
  if (node.querySelector(".options:not([hidden])")) {
    setTimeout(again, 300);
    return true;
  }
  if (!pressed || !node.contains(pressed)) return false;
  waiting.add(again);
  return true;
}

export function toast(text) {
  const node = h("div", { class: "toast" }, text);
  $("toasts").append(node);
  setTimeout(() => node.remove(), 6000);
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not let this page copy. Select the text and copy it by hand.");
  }
}

// Enter, unless it only ends a word of an input method (Japanese, Chinese, Korean).
export const entered = (event) => event.key === "Enter" && !event.isComposing;

// Characters as Discord counts them: an emoji is one.
export const signs = (text) => [...text].length;

export function bytes(size) {
  if (size < 1024) return `${size} bytes`;
  return size < 1024 * 1024 ? `${(size / 1024).toFixed(1)} KB` : `${(size / 1024 / 1024).toFixed(1)} MB`;
}
