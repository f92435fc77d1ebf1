// Input fields for a slash command's options.

import { bytes, entered, h, replace, signs } from "./dom.js";
import { act } from "./server.js";
import { isThread, state } from "./state.js";

const KINDS = { 3: "text", 4: "whole number", 5: "True or False", 6: "person", 7: "channel", 8: "role", 9: "person or role", 10: "number", 11: "file" };

export function optionField(option, context) {
  const id = `option-${option.name}`;
  const label = h("label", { for: id }, option.name);
  const node = h("span", { class: "option" }, label);
  if (!option.required) label.append(h("button", { type: "button", class: "drop", "aria-label": `Leave out ${option.name}`, onclick: () => context.drop(option) }, "✕"));
  const control = controlFor(option, id, context);
  node.append(control.input);
  // What was chosen from suggestions is another thing than its name, so it is chosen again.
  const plain = control.input.tagName === "TEXTAREA" && !option.autocomplete;
  const field = {
    node,
    focus: () => control.input.focus(),
    written: () => (plain ? control.input.value : ""),
    write: (text) => {
      if (!plain) return;
      control.input.value = text;
      control.input.dispatchEvent(new Event("input", { bubbles: true }));
    },
  };
  control.input.field = field;
  control.input.addEventListener("focus", () => replace(context.hint, h("b", {}, option.name), ` ${option.description} `, h("small", {}, KINDS[option.type] || "")));
  return field;
}

function controlFor(option, id, context) {
  if (option.type === 11) return fileControl(option, id, context);
  if (option.type === 5) return listControl(option, id, context, [["True", true], ["False", false]]);
  if (option.choices?.length) return listControl(option, id, context, option.choices.map((choice) => [choice.name, choice.value]));
  if ([6, 7, 8, 9].includes(option.type)) return listControl(option, id, context, entities(option));
  return textControl(option, id, context);
}

function entities(option) {
  const users = [...state.users.values()].map((user) => [`@${user.name}`, user.id]);
  const roles = [...state.roles.values()].map((role) => [role.name.startsWith("@") ? role.name : `@${role.name}`, role.id]);
  const channels = [...state.channels.values()].filter((channel) => !option.channel_types?.length || option.channel_types.includes(channel.type))
    .map((channel) => [`${isThread(channel) ? "› " : channel.type === 4 ? "" : "#"}${channel.name}`, channel.id]);
  return { 6: users, 7: channels, 8: roles, 9: [...users, ...roles] }[option.type];
}

function listControl(option, id, context, entries) {
  const input = h("select", { id, "aria-required": option.required ? "true" : null }, h("option", { value: "" }, "Choose…"), entries.map(([name], index) => h("option", { value: String(index) }, name)));
  input.addEventListener("change", () => {
    if (input.value === "") context.values.delete(option.name);
    else context.values.set(option.name, entries[Number(input.value)][1]);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    context.submit();
  });
  return { input };
}

function fileControl(option, id, context) {
  const input = h("input", { id, type: "file", "aria-required": option.required ? "true" : null });
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) {
      context.values.set(option.name, file);
      replace(context.hint, h("b", {}, file.name), ` ${bytes(file.size)}`);
    } else context.values.delete(option.name);
  });
  return { input };
}

function textControl(option, id, context) {
  const numeric = option.type === 4 || option.type === 10;
  const input = h("textarea", { id, rows: "1", autocomplete: "off", spellcheck: "true", inputmode: numeric ? "decimal" : null, "aria-required": option.required ? "true" : null,
    role: option.autocomplete ? "combobox" : null, "aria-controls": option.autocomplete ? "suggestions" : null, "aria-expanded": option.autocomplete ? "false" : null });
  const list = option.autocomplete ? completion(option, input, context) : null;
  const store = (value) => {
    context.wrong.delete(option.name);
    context.values.delete(option.name);
    if (value === "") return;
    const most = option.max_length || 6000;
    if (signs(value) > most) return void context.wrong.set(option.name, `This has ${signs(value)} characters; ${most} fit. Shorten it.`);
    if (!numeric) return void context.values.set(option.name, value);
    const number = Number(value.replace(/^\$/, ""));
    const problem = numberProblem(option, number);
    if (problem) context.wrong.set(option.name, problem);
    else context.values.set(option.name, number);
  };
  input.addEventListener("input", () => {
    input.closest(".option").classList.remove("missing");
    if (/[\r\n]/.test(input.value)) input.value = input.value.replace(/\s*[\r\n]+\s*/g, " ");
    store(input.value.trim());
    list?.search();
  });
  input.addEventListener("focus", () => list?.search());
  input.addEventListener("blur", () => list?.close());
  input.addEventListener("keydown", (event) => {
    if (list?.key(event)) event.preventDefault();
    else if (entered(event)) {
      event.preventDefault();
      context.submit();
    }
  });
  return { input };
}

// Why a number cannot be sent, "" when it can.
function numberProblem(option, number) {
  if (!Number.isFinite(number)) return "Enter a number, such as 20.";
  if (option.type === 4 && !Number.isInteger(number)) return "Enter a whole number, such as 20.";
  if (option.min_value !== undefined && number < option.min_value) return `Enter at least ${option.min_value}.`;
  if (option.max_value !== undefined && number > option.max_value) return `Enter at most ${option.max_value}.`;
  return "";
}

function completion(option, input, context) {
  const list = context.suggestions;
  let found = [];
  let active = 0;
  let asked = 0;
  const draw = () => {
    replace(list, found.map((choice, index) => h("li", { role: "option", id: `suggestion-${index}`, class: index === active ? "active" : "", "aria-selected": index === active ? "true" : "false",
      onpointerdown: (event) => { event.preventDefault(); take(index); } }, choice.name)));
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (found.length) input.setAttribute("aria-activedescendant", `suggestion-${active}`);
    list.children[active]?.scrollIntoView({ block: "nearest" });
  };
  const take = (index) => {
    const choice = found[index];
    input.value = choice.name;
    context.values.set(option.name, choice.value);
    asked += 1;
    found = [];
    draw();
    // What is typed next belongs to the next option, not to the name that was just chosen.
    context.next(input.field);
  };
  let timer = null;
  return {
    close() {
      found = [];
      draw();
    },
    search() {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const mine = (asked += 1);
        const options = Object.fromEntries([...context.values].filter(([name, value]) => name !== option.name && !(value instanceof File)));
        try {
          const choices = await act("autocomplete", { channel: state.current, name: context.leaf.name, option: option.name, typed: input.value, options });
          if (mine !== asked || document.activeElement !== input) return;
          found = choices;
          active = 0;
          draw();
        } catch (error) {
          replace(context.hint, "Loading options failed: ", error.message);
        }
      }, 120);
    },
    key(event) {
      if (list.hidden || !found.length) return false;
      if (event.key === "ArrowDown") active = (active + 1) % found.length;
      else if (event.key === "ArrowUp") active = (active - 1 + found.length) % found.length;
      else if (entered(event)) return take(active), true;
      else return false;
      draw();
      return true;
    },
  };
}
