// Option bar of a slash command; sends the command.

import { h, icon, replace } from "./dom.js";
import { openModal } from "./dialogs.js";
import { optionField } from "./options.js";
import { act } from "./server.js";
import { kept, state } from "./state.js";

// `texts` are what was written into its options before, by name.
export function commandBar(leaf, { done, cancel, texts = {} }) {
  const values = new Map();
  const wrong = new Map();
  const fields = new Map();
  const hint = h("div", { class: "hint", "aria-live": "polite" });
  const suggestions = h("ul", { id: "suggestions", class: "picker", role: "listbox", "aria-label": "Suggestions", hidden: true });
  const row = h("div", { class: "bar-row" });
  const more = h("span", { class: "bar-more" });
  const send = h("button", { type: "button", class: "icon send", "aria-label": "Send the command", onclick: () => submit() }, icon("send"));
  const node = h("div", { class: "bar", role: "group", "aria-label": `Command /${leaf.name}` }, hint, suggestions,
    h("div", { class: "bar-line" }, h("span", { class: "bar-name" }, `/${leaf.name}`), row, more, send, h("button", { type: "button", class: "icon", "aria-label": "Cancel the command", onclick: cancel }, "✕")));

  const context = { leaf, values, wrong, suggestions, hint, submit: () => submit(), next: (from) => next(from) };
  const add = (option, focus) => {
    const field = optionField(option, context);
    fields.set(option.name, field);
    row.append(field.node);
    drawMore();
    if (focus) field.focus();
  };
  const drop = (option) => {
    fields.get(option.name).node.remove();
    fields.delete(option.name);
    values.delete(option.name);
    wrong.delete(option.name);
    drawMore();
    (row.querySelector("input, select, textarea") || send).focus();
  };
  context.drop = drop;
  const drawMore = () => {
    const left = leaf.options.filter((option) => !fields.has(option.name));
    replace(more, left.map((option) => h("button", { type: "button", class: "chip", title: option.description, onclick: () => add(option, true) }, `+ ${option.name}`)));
  };
  const next = (from) => {
    const order = [...fields.values()];
    (order[order.indexOf(from) + 1] || send).focus();
  };
  const submit = async () => {
    const missing = leaf.options.find((option) => option.required && !values.has(option.name) && !wrong.has(option.name));
    if (missing) {
      fields.get(missing.name).node.classList.add("missing");
      fields.get(missing.name).focus();
      replace(hint, h("b", {}, missing.name), " This option is required.");
      return;
    }
    for (const [name, problem] of wrong) {
      fields.get(name).node.classList.add("missing");
      fields.get(name).focus();
      replace(hint, h("b", {}, name), ` ${problem}`);
      return;
    }
    const options = {};
    const files = [];
    for (const [name, value] of values) {
      if (value instanceof File) files.push([name, value]);
      else options[name] = value;
    }
    done({ name: leaf.name, options, files });
  };
  for (const option of leaf.options.filter((entry) => entry.required || texts[entry.name])) {
    add(option, false);
    if (texts[option.name]) fields.get(option.name).write(texts[option.name]);
  }
  drawMore();
  replace(hint, h("b", {}, `/${leaf.name}`), ` ${leaf.description}`);
  node.addEventListener("keydown", (event) => {
    const written = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.target === send && written) {
      // Typing after the command's name fills its first text option.
      const first = leaf.options.find((option) => option.type === 3 && !fields.has(option.name));
      if (first) add(first, true);
    }
    if (event.key === "Escape") {
      event.stopPropagation();
      if (!suggestions.hidden) suggestions.hidden = true;
      else cancel();
    }
  });
  return Object.assign(node, {
    command: leaf.name,
    enter: () => (row.querySelector("input, select, textarea") || send).focus(),
    filled: () => values.size + wrong.size > 0,
    texts: () => Object.fromEntries([...fields].map(([name, field]) => [name, field.written()]).filter(([, text]) => text)),
  });
}

export async function runCommand({ name, options, files }) {
  kept.set("used-at", { ...kept.get("used-at"), [name]: Date.now() });
  const result = await act("slash", { channel: state.current, name, options }, files);
  if (result.modal) openModal(result);
}
