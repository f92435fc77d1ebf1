// Embeds, attachments and components (buttons, menus, cards) of a message.

import { bytes, emojiNode, face, h, icon, localPath, safeLink, toast } from "./dom.js";
import { openModal } from "./dialogs.js";
import { inline, markdown } from "./markdown.js";
import { select } from "./select.js";
import { act } from "./server.js";

const colour = (number) => `#${number.toString(16).padStart(6, "0")}`;

// ---------------------------------------------------------------- attachments

export function attachment(file) {
  const path = localPath(file.url);
  if (!path) return fileCard(file, null);
  if (/^image\/(png|jpeg|gif|webp)$/.test(file.content_type || "")) return picture(path, file.description || file.filename, file);
  const card = fileCard(file, path);
  const readable = /^text\/|json|javascript|xml|yaml|toml/.test(file.content_type || "") || /\.(py|md|txt|log|csv|toml|ya?ml|ini|sh|rs|go|c|h|cpp|ts|js|css|html|sql|diff)$/i.test(file.filename);
  if (readable && file.size <= 200_000) card.append(preview(path));
  return card;
}

export function picture(path, label, size = {}) {
  const image = h("img", { src: path, alt: label || "", loading: "lazy", class: "picture" });
  if (size.width) image.setAttribute("width", String(Math.min(size.width, 400)));
  return h("a", { href: path, target: "_blank", rel: "noopener", class: "picture-link", "aria-label": label ? `Picture: ${label}` : "Picture" }, image);
}

function fileCard(file, path) {
  const name = path ? h("a", { href: path, download: file.filename }, file.filename) : h("span", {}, file.filename);
  const get = path && h("a", { href: path, download: file.filename, class: "icon", "aria-label": `Download ${file.filename}` }, icon("download"));
  return h("div", { class: "file" }, h("div", { class: "file-row" }, icon("file", 30), h("div", { class: "file-text" }, name, h("small", {}, bytes(file.size || 0))), get));
}

function preview(path) {
  const pre = h("pre", { class: "code", tabindex: "0" });
  const details = h("details", { class: "preview" }, h("summary", {}, "Preview"), pre);
  details.addEventListener("toggle", async () => {
    if (!details.open || pre.textContent) return;
    const response = await fetch(path);
    const text = response.ok ? await response.text() : "The file no longer exists.";
    const rows = text.split("\n");
    pre.textContent = rows.slice(0, 200).join("\n") + (rows.length > 200 ? `\n… ${rows.length - 200} more lines` : "");
  });
  return details;
}

// --------------------------------------------------------------------- embeds

export function embed(data) {
  const box = h("article", { class: "embed" });
  if (data.color !== undefined && data.color !== null) box.style.setProperty("--accent", colour(data.color));
  const main = h("div", { class: "embed-main" });
  if (data.author) main.append(embedAuthor(data.author));
  if (data.title) main.append(titled(data));
  if (data.description) main.append(h("div", { class: "embed-text" }, markdown(data.description)));
  if (data.fields?.length) main.append(h("div", { class: "fields" }, data.fields.map(field)));
  const image = data.image && media(data.image.url, "");
  if (image) main.append(image);
  if (data.footer || data.timestamp) main.append(footer(data));
  box.append(main);
  const thumbnail = data.thumbnail && localPath(data.thumbnail.url);
  if (thumbnail) box.append(h("img", { src: thumbnail, alt: "", class: "thumbnail" }));
  return box;
}

function embedAuthor(author) {
  const href = author.url && safeLink(author.url);
  const name = href ? h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, author.name) : author.name;
  return h("div", { class: "embed-author" }, author.icon_url && face(author.name, localPath(author.icon_url), author.icon_url), h("span", {}, name));
}

function titled(data) {
  const href = data.url && safeLink(data.url);
  const title = h("div", { class: "embed-title" });
  inline(data.title, href ? title.appendChild(h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" })) : title);
  return title;
}

function field(item) {
  const name = h("div", { class: "field-name" });
  return h("div", { class: item.inline ? "field inline" : "field" }, inline(item.name, name), h("div", {}, markdown(item.value)));
}

function footer(data) {
  const parts = [data.footer?.text, data.timestamp && new Date(data.timestamp).toLocaleString()].filter(Boolean);
  return h("div", { class: "embed-footer" }, parts.join(" • "));
}

function media(url, label) {
  const path = localPath(url);
  if (path) return picture(path, label);
  const href = safeLink(url);
  return href && h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", class: "elsewhere" }, "Picture on another site");
}

// ----------------------------------------------------------------- components

export function components(message) {
  return (message.components || []).map((item) => component(item, message));
}

function component(item, message) {
  const make = KINDS[item.type];
  return make ? make(item, message) : null;
}

const KINDS = {
  1: (item, message) => h("div", { class: "row" }, item.components.map((child) => component(child, message))),
  2: button,
  3: menu, 5: menu, 6: menu, 7: menu, 8: menu,
  9: section,
  10: (item) => h("div", { class: "text-display" }, markdown(item.content)),
  11: (item) => {
    const path = localPath(item.media.url);
    return path ? h("img", { src: path, alt: item.description || "", class: item.spoiler ? "thumbnail veiled" : "thumbnail" }) : h("span", { class: "thumbnail" });
  },
  12: (item) => h("div", { class: `gallery n${Math.min(item.items.length, 4)}` }, item.items.map((entry) => media(entry.media.url, entry.description))),
  13: (item, message) => attachment((message.attachments || []).find((file) => file.url === item.file.url) || { filename: item.name || "file", size: item.size, url: item.file.url }),
  14: (item) => h("hr", { class: `separator${item.spacing === 2 ? " wide" : ""}${item.divider === false ? " bare" : ""}` }),
  17: container,
};

function menu(item, message) {
  return select(item, (values, node) => interact(node, message, "select", { custom_id: item.custom_id, values }));
}

function section(item, message) {
  return h("div", { class: "section" }, h("div", { class: "section-text" }, item.components.map((child) => component(child, message))), component(item.accessory, message));
}

function container(item, message) {
  const box = h("div", { class: `card${item.spoiler ? " veiled" : ""}`, role: "group" }, item.components.map((child) => component(child, message)));
  if (item.accent_color !== undefined && item.accent_color !== null) box.style.setProperty("--accent", colour(item.accent_color));
  else box.classList.add("plain");
  return box;
}

const BUTTONS = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };

export const emojiText = (emoji) => (emoji ? (emoji.id ? `:${emoji.name}:` : emoji.name) : "");

function button(item, message) {
  const inside = [emojiNode(item.emoji), item.label && h("span", {}, item.label)];
  if (item.style === 5) {
    const href = safeLink(item.url);
    return href && h("a", { href, target: "_blank", rel: "noopener noreferrer", class: "button link" }, inside, h("span", { "aria-hidden": "true" }, " ↗"));
  }
  const node = h("button", { type: "button", class: `button ${BUTTONS[item.style] || "secondary"}`, disabled: Boolean(item.disabled), dataset: { customId: item.custom_id } }, inside);
  node.addEventListener("click", () => interact(node, message, "click", { custom_id: item.custom_id }));
  return node;
}

// Send an interaction; show progress, open the requested form, report a failure.
export async function interact(node, message, verb, body) {
  if (node.getAttribute("aria-busy")) return;
  node.setAttribute("aria-busy", "true");
  const host = node.closest(".message");
  host?.querySelector(".failed")?.remove();
  try {
    const result = await act(verb, { channel: message.channel_id, message: message.id, ...body });
    if (result.modal) openModal(result);
  } catch (error) {
    const text = error.message === "The application did not respond" ? "This interaction failed" : error.message;
    if (host) host.querySelector(".body").append(h("div", { class: "failed", role: "alert" }, text));
    else toast(text);
  } finally {
    node.removeAttribute("aria-busy");
  }
}
