// Select menus: a listbox that opens at its button. Several values are sent when it closes.

import { emojiNode, h, icon } from "./dom.js";
import { state } from "./state.js";

function choices(item) {
  if (item.type === 3) {
    return item.options.map((option) => ({ value: option.value, label: option.label, note: option.description, mark: emojiNode(option.emoji), chosen: Boolean(option.default) }));
  }
  const preset = new Set((item.default_values || []).map((entry) => String(entry.id)));
  const users = [...state.users.values()].map((user) => ({ value: user.id, label: user.name, mark: "@" }));
  const roles = [...state.roles.values()].map((role) => ({ value: role.id, label: role.name, mark: "@" }));
  const channels = [...state.channels.values()].filter((channel) => !item.channel_types?.length || item.channel_types.includes(channel.type))
    .map((channel) => ({ value: channel.id, label: channel.name, mark: "#" }));
  const all = { 5: users, 6: roles, 7: [...users, ...roles], 8: channels }[item.type];
  return all.map((entry) => ({ ...entry, chosen: preset.has(entry.value) }));
}

let lists = 0;

// The element of a select menu; `values` on it are those chosen. `done(values, button)` is called on a choice.
export function select(item, done) {
  return new Select(item, done).node;
}

class Select {
  constructor(item, done) {
    this.item = item;
    this.done = done;
    this.many = (item.max_values || 1) > 1;
    this.options = choices(item);
    this.chosen = new Set(this.options.filter((option) => option.chosen).map((option) => option.value));
    this.active = 0;
    this.id = `list-${(lists += 1)}`;
    this.build();
    this.write();
  }

  build() {
    const { id, item } = this;
    this.label = h("span", { class: "select-label" });
    this.opener = h("button", { type: "button", class: "select", disabled: Boolean(item.disabled), "aria-haspopup": "listbox", "aria-expanded": "false", "aria-controls": id, dataset: { customId: item.custom_id } }, this.label, icon("chevron", 18));
    this.list = h("ul", { id, class: "options", role: "listbox", tabindex: "-1", "aria-multiselectable": this.many ? "true" : null, "aria-label": item.placeholder || "Choose", hidden: true });
    this.node = h("div", { class: "select-box" }, this.opener, this.list);
    this.outside = (event) => this.node.contains(event.target) || this.close(true);
    this.opener.addEventListener("click", () => (this.list.hidden ? this.open() : this.close(true)));
    this.list.addEventListener("keydown", (event) => this.key(event));
  }

  write() {
    const names = this.options.filter((option) => this.chosen.has(option.value)).map((option) => option.label);
    this.label.textContent = names.join(", ") || this.item.placeholder || "Make a selection";
    this.label.classList.toggle("unset", !names.length);
    this.node.values = [...this.chosen];
  }

  draw() {
    this.list.replaceChildren(...this.options.map((option, index) => this.entry(option, index)));
    this.point();
  }

  entry(option, index) {
    const chosen = this.chosen.has(option.value);
    const mark = option.mark && (option.mark instanceof Node ? option.mark.cloneNode(true) : h("span", { class: "emoji" }, option.mark));
    return h("li", { role: "option", id: `${this.id}-${index}`, "aria-selected": chosen ? "true" : "false", onclick: () => this.pick(index), onmousemove: () => this.move(index) },
      mark, h("span", { class: "option-text" }, h("span", {}, option.label), option.note && h("small", {}, option.note)), h("span", { class: "tick", "aria-hidden": "true" }, chosen ? "✓" : ""));
  }

  point() {
    this.list.children[this.active]?.classList.add("active");
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
    this.list.setAttribute("aria-activedescendant", `${this.id}-${this.active}`);
  }

  move(index) {
    if (index === this.active) return;
    this.list.children[this.active]?.classList.remove("active");
    this.active = index;
    this.point();
  }

  open() {
    this.before = [...this.chosen].join();
    this.list.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.draw();
    const { top, bottom } = this.opener.getBoundingClientRect();
    const floor = this.node.closest(".scroller")?.getBoundingClientRect().bottom ?? innerHeight;
    this.list.classList.toggle("up", floor - bottom < this.list.offsetHeight && top > floor - bottom);
    this.list.focus();
    document.addEventListener("pointerdown", this.outside);
  }

  close(send) {
    this.list.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.outside);
    const changed = [...this.chosen].join() !== this.before && this.chosen.size >= (this.item.min_values ?? 1);
    if (send && this.many && changed) this.done?.([...this.chosen], this.opener);
  }

  pick(index) {
    const { value } = this.options[index];
    if (!this.many) {
      this.chosen = new Set([value]);
      this.write();
      this.close(false);
      this.opener.focus();
      this.done?.([value], this.opener);
      return;
    }
    if (this.chosen.has(value)) this.chosen.delete(value);
    else if (this.chosen.size < this.item.max_values) this.chosen.add(value);
    this.active = index;
    this.write();
    this.draw();
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const count = this.options.length;
    if (step) this.move((this.active + step + count) % count);
    else if (event.key === "Enter" || event.key === " ") this.pick(this.active);
    else if (event.key === "Escape" || event.key === "Tab") {
      this.close(event.key === "Tab" || this.many);
      this.opener.focus();
    } else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  }
}
