// Start the page and keep its parts in sync.

import { $, face, h, icon, replace, toast } from "./dom.js";
import { drawChannels, openSwitcher, start as startChannels } from "./channels.js";
import { openedChannel, start as startComposer } from "./composer.js";
import { jump, show, start as startMessages } from "./messages.js";
import { inline } from "./markdown.js";
import { drawPerson, start as startPeople } from "./people.js";
import { loadCommands } from "./picker.js";
import { ask, listen, person } from "./server.js";
import { emit, isText, kept, on, state } from "./state.js";

async function load() {
  let fresh;
  try {
    fresh = await ask("state");
  } catch (error) {
    // No answer, and a refusal of the whole page, say nothing about the person.
    if (!person.get() || error.status !== 400) throw error;
    person.set(null);  // who left the server, or was in another one
    fresh = await ask("state");
  }
  state.guild = fresh.guild;
  state.me = fresh.me;
  state.bot = fresh.bot;
  state.emojis = new Set(fresh.emojis);
  state.channels = new Map(fresh.channels.map((channel) => [channel.id, channel]));
  state.users = new Map(fresh.users.map((user) => [user.id, user]));
  state.roles = new Map(fresh.roles.map((role) => [role.id, role]));
  state.since = kept.get("since");
  if (!state.since) {
    state.since = fresh.channels.map((channel) => channel.last_message_id || "0").reduce((a, b) => (BigInt(a) > BigInt(b) ? a : b), "0");
    kept.set("since", state.since);
  }
  banner(fresh.notice);
  presence(fresh.online);
  $("guild-name").textContent = state.guild.name || "No server";
  const me = state.users.get(state.me)?.name || "You";
  $("my-name").textContent = me;
  drawPerson();
  $("my-face").replaceWith(Object.assign(face(me, null), { id: "my-face" }));
  return fresh.seq;
}

function firstChannel() {
  const wanted = [location.hash.slice(1), kept.get("channel")].find((id) => state.channels.has(id));
  return wanted || [...state.channels.values()].find((channel) => isText(channel))?.id || null;
}

async function open(id) {
  const channel = state.channels.get(id) || state.channels.get(firstChannel());
  state.current = channel?.id || null;
  drawer(false);
  headline();
  drawChannels();
  openedChannel();
  if (!channel) return replace($("messages"), h("li", { class: "empty" }, "There are no channels to show."));
  kept.set("channel", channel.id);
  history.replaceState(null, "", `#${channel.id}`);
  try {
    await Promise.all([show(channel.id), loadCommands(channel.id)]);
  } catch (error) {
    toast(error.message);
  }
}

function headline() {
  const channel = state.channels.get(state.current);
  replace($("channel-name"), channel && icon(channel.type === 11 || channel.type === 12 ? "thread" : "hash", 22), channel?.name || "");
  const topic = $("channel-topic");
  topic.replaceChildren();
  inline(channel?.topic || "", topic);
  topic.title = channel?.topic || "";
}

// ---------------------------------------------------------------------- small things

function banner(text) {
  $("banner-text").textContent = text;
  $("banner").hidden = !text || kept.get("dismissed") === text;
}

// A bot that reconnects is away for a moment; only what lasts is worth a line.
let awayTimer = null;

function presence(online) {
  clearTimeout(awayTimer);
  if (online) $("away").hidden = true;
  else awayTimer = setTimeout(() => {
    $("away").textContent = `${state.users.get(state.bot)?.name || "The bot"} is not connected yet. It answers as soon as it is.`;
    $("away").hidden = false;
  }, 1500);
}

function drawer(show_) {
  document.body.classList.toggle("drawer", show_);
  $("scrim").hidden = !show_;
  $("menu-open").setAttribute("aria-expanded", String(show_));
  if (show_) $("channels").querySelector("[tabindex='0']")?.focus();
}

const THEMES = ["auto", "dark", "light"];

function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").title = `Theme: ${name}`;
}

const typing = new Map();

function drawTyping() {
  const now = Date.now();
  const names = [...typing].filter(([, entry]) => entry.channel === state.current && now - entry.at < 9000).map(([name]) => name);
  const text = names.length ? `${names.slice(0, 3).join(", ")} ${names.length === 1 ? "is" : "are"} typing…` : "";
  const dots = text && h("span", { class: "dots", "aria-hidden": "true" }, h("i", {}), h("i", {}), h("i", {}));
  if ($("typing").textContent !== text) replace($("typing"), dots, text);
}

function listenToPeople() {
  $("menu-open").append(icon("menu"));
  $("menu-open").addEventListener("click", () => drawer(true));
  $("scrim").addEventListener("click", () => drawer(false));
  $("theme").append(icon("sun", 18));
  $("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    localStorage.setItem("megaagent.theme", next);
    theme(next);
  });
  $("banner-close").addEventListener("click", () => {
    kept.set("dismissed", $("banner-text").textContent);
    $("banner").hidden = true;
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openSwitcher();
    } else if (event.key === "Escape" && document.body.classList.contains("drawer")) drawer(false);
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && document.activeElement === document.body) emit("focus-composer");
  });
}

function listenToServer() {
  on("open", open);
  on("headline", headline);
  on("jump", async ({ channel, id }) => {
    if (channel !== state.current) await open(channel);
    await jump(id);
  });
  on("online", (up) => {
    $("offline").hidden = up;
  });
  on("warning", toast);
  on("live-emojis", ({ emojis }) => {
    state.emojis = new Set(emojis);
  });
  on("live-presence", ({ online }) => presence(online));
  on("live-notice", ({ text }) => banner(text));
  on("live-typing", ({ channel, name }) => {
    typing.set(name, { channel, at: Date.now() });
    drawTyping();
  });
  on("live-new", ({ message }) => {
    typing.delete(message.author.global_name || message.author.username);
    drawTyping();
  });
  on("live-commands", () => state.current && loadCommands(state.current).catch((error) => toast(error.message)));
  on("live-state", () => refresh(false));
  on("live-stale", () => refresh(true));
  setInterval(drawTyping, 2000);
}

// People, roles or channels are others now; with `missed`, messages may be too. What is being written stays.
async function refresh(missed, again = false) {
  try {
    const seq = await load();
    if (missed) listen(seq);
    if (!state.channels.has(state.current)) return await open(null);
    headline();
    drawChannels();
    await loadCommands(state.current);
    if (missed) await show(state.current);
  } catch (error) {
    if (!again) toast(error.message);
    if (missed) setTimeout(() => refresh(true, true), 3000);
  }
  return undefined;
}

async function boot() {
  theme(localStorage.getItem("megaagent.theme") || "auto");
  startMessages();
  startChannels();
  startComposer();
  startPeople();
  listenToPeople();
  listenToServer();
  const seq = await load();
  listen(seq);
  await open(firstChannel());
}

boot().catch((error) => toast(`The page could not start: ${error.message} Reload it to try again.`));
