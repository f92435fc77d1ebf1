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

// How well a name fits what was typed: 0 from its beginning, 1 from the beginning of a word, 2 anywhere, 3 not.
function distance(name, wanted) {
  if (name.startsWith(wanted)) return 0;
  if (name.includes(` ${wanted}`)) return 1;
  return name.includes(wanted) ? 2 : 3;
}

// The best fits first; among them what starts a task while nothing is typed, what was used last, what most people use.
function ranked(wanted) {
  const used = kept.get("used-at") || {};
  const place = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const key = ({ name }) => [distance(name, wanted), wanted || name !== FIRST[0] ? 1 : 0, -(used[name] || 0), place(name)];
  return leaves()
    .filter((leaf) => distance(leaf.name, wanted) < 3)
    .map((leaf) => ({ leaf, key: key(leaf) }))
    .sort((a, b) => a.key.map((part, index) => part - b.key[index]).find(Boolean) || a.leaf.name.localeCompare(b.leaf.name))
    .map(({ leaf }) => leaf);
}

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
