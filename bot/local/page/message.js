// Rendering of one message.

import { emojiNode, face, h, icon } from "./dom.js";
import { attachment, components, embed, emojiText } from "./components.js";
import { act } from "./server.js";
import { attempt, editing, editor, react, toolbar } from "./message_actions.js";
import { inline, markdown } from "./markdown.js";
import { emit, nameOf, state } from "./state.js";

const GROUP_WITHIN = 7 * 60 * 1000;
const EPHEMERAL = 64;
const LOADING = 128;
const HAS_THREAD = 32;

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

// Only who was really notified: a name in a message that pings nobody is no highlight.
export const pings = (message) => Boolean(message.pings) && message.author.id !== state.me && state.channels.get(message.channel_id)?.type !== 1;

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
  inline(preview(text), line);
  return h("button", { type: "button", class: "above", onclick: () => emit("jump", { channel: target.channel_id, id: target.id }) },
    face(nameOf(target), target.face, target.author.avatar || ""), h("b", {}, nameOf(target)), target.author.bot && tag(), line);
}

// The words of a message on one line, without the marks of lines: small print, headings, quotes, code.
const preview = (text) => text.replace(/^(?:-# |#{1,3} |> |[*-] )/gm, "").replace(/`/g, "").replace(/\s*\n\s*/g, " ").slice(0, 140);

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
  if (editing.id === message.id) parts.push(editor(message));
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
  return h("div", { class: "only-you" }, "Only you can see this • ", h("button", { type: "button", class: "plain-link", onclick: () => attempt(() => act("delete", { channel: message.channel_id, message: message.id })) }, "Dismiss message"));
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
