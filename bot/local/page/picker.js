// Slash command picker, shown while a command is typed.

import { h, replace } from "./dom.js";
import { ask } from "./server.js";
import { emit, kept, state } from "./state.js";

export async function loadCommands(channel) {
  state.commands = await ask(`commands?channel=${channel}`);
  emit("commands");
}

// Most used commands first; the others follow by name.
const FIRST = ["task new", "task status", "agent say", "task files", "task pause", "task resume", "task stop", "task cap", "help"];

function leaves() {
  const out = [];
  const walk = (node, path) => {
    const under = (node.options || []).filter((option) => option.type <= 2);
    if (under.length) for (const child of under) walk(child, [...path, child.name]);
    else out.push({ name: path.join(" "), description: node.description, options: node.options || [] });
  };
  for (const command of state.commands.slash) walk(command, [command.name]);
  return out;
}

// What people call a thing that the name and description of its command do not say.
const ALSO = {
  "task cap": "cost limit money budget spend price raise", "agent cap": "cost limit money budget spend", "setup": "rights roles permission limit person cost",
  "task stop": "cancel abort end kill", "task pause": "hold wait", "task continue": "undo again fix more follow up reopen", "task resume": "go on unpause",
  "task status": "progress card cost how far", "task files": "result download deliverable", "task export": "download zip git result", "task log": "history what happened", "task tree": "team who agents",
  "agent say": "tell ask write message talk", "agent edit": "change instructions model prompt undo", "agent replace": "restart new fire", "agent dismiss": "fire remove", "agent inspect": "why steps thoughts cost",
  "task repeat new": "schedule cron daily weekly", "follow answers": "notify ping mute", "follow off": "notify ping mute silence", "memory forget": "delete undo lesson", "doctor": "check broken error permission problem", "audit": "who decided history",
};

// How well a command fits what was typed: by its name from 0 to 2, by what it is for 3 and 4, 5 not at all.
function distance(leaf, wanted) {
  if (leaf.name.startsWith(wanted)) return 0;
  if (leaf.name.includes(` ${wanted}`)) return 1;
  if (leaf.name.includes(wanted)) return 2;
  const words = `${leaf.description} ${ALSO[leaf.name] || ""} ${leaf.options.map((option) => `${option.name} ${option.description}`).join(" ")}`.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  if ((ALSO[leaf.name] || "").split(" ").some((word) => word.startsWith(wanted))) return 3;
  return words.some((word) => word.startsWith(wanted)) ? 4 : 5;
}

// The best fits first; among them what starts a task while nothing is typed, what was used last, what most people use.
function ranked(wanted) {
  const used = kept.get("used-at") || {};
  const place = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const key = (leaf) => [distance(leaf, wanted), wanted || leaf.name !== FIRST[0] ? 1 : 0, -(used[leaf.name] || 0), place(leaf.name)];
  return leaves()
    .filter((leaf) => distance(leaf, wanted) < 5)
    .map((leaf) => ({ leaf, key: key(leaf) }))
    .sort((a, b) => a.key.map((part, index) => part - b.key[index]).find(Boolean) || a.leaf.name.localeCompare(b.leaf.name))
    .map(({ leaf }) => leaf);
}

export const leafOf = (name) => leaves().find((leaf) => leaf.name === name);

export function picker(input, choose) {
  const list = h("ul", { id: "command-list", class: "picker", role: "listbox", "aria-label": "Commands", hidden: true });
  let found = [];
  let active = 0;
  const close = () => {
    list.hidden = true;
    found = [];
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const draw = () => {
    replace(list, h("li", { class: "picker-title", role: "presentation" }, "Commands"), found.map((leaf, index) => h("li", {
      role: "option", id: `command-${index}`, class: index === active ? "active" : "", "aria-selected": index === active ? "true" : "false",
      onpointerdown: (event) => { event.preventDefault(); take(index); }, onmousemove: () => index !== active && move(index - active),
    }, h("span", { class: "command-name" }, `/${leaf.name}`, leaf.options.filter((option) => option.required).map((option) => h("span", { class: "chip" }, option.name))), h("small", {}, leaf.description))));
    input.setAttribute("aria-activedescendant", `command-${active}`);
    list.children[active + 1]?.scrollIntoView({ block: "nearest" });
  };
  const move = (step) => {
    active = (active + step + found.length) % found.length;
    draw();
  };
  const take = (index) => {
    const leaf = found[index];
    close();
    choose(leaf);
  };
  return {
    node: list,
    close,
    get open() { return !list.hidden; },
    search(text) {
      const match = /^\/([\p{L}\p{N}_ -]*)$/u.exec(text);
      const wanted = match ? match[1].trim().toLowerCase() : null;
      found = wanted === null ? [] : ranked(wanted);
      active = 0;
      list.hidden = !found.length;
      input.setAttribute("aria-expanded", String(!list.hidden));
      if (found.length) draw();
      else input.removeAttribute("aria-activedescendant");
    },
    key(event) {
      if (list.hidden) return false;
      if (event.key === "ArrowDown") move(1);
      else if (event.key === "ArrowUp") move(-1);
      else if (event.key === "Enter" || event.key === "Tab") take(active);
      else if (event.key === "Escape") close();
      else return false;
      event.preventDefault();
      return true;
    },
  };
}
