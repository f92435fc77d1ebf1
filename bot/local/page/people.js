// Act as another person: each tab of the page is one person with roles of their own.

import { $, face, h, toast } from "./dom.js";
import { dialog } from "./dialogs.js";
import { act, person } from "./server.js";
import { state } from "./state.js";

const rolesOf = (user) => user.roles.map((id) => state.roles.get(id)?.name).filter(Boolean).join(", ") || "no roles";

export function drawPerson() {
  const me = state.users.get(state.me);
  $("my-roles").textContent = me ? rolesOf(me) : "Local mode";
}

function become(id) {
  person.set(id);
  location.reload();
}

function openPeople() {
  const people = [...state.users.values()].filter((user) => !user.bot);
  const list = h("ul", { class: "people", "aria-label": "People of this server" }, people.map((user) => h("li", {}, h("button", { type: "button", "aria-current": user.id === state.me ? "true" : null, onclick: () => become(user.id) },
    face(user.name, null), h("b", {}, user.name), h("small", {}, rolesOf(user))))));
  const name = h("input", { id: "person-name", class: "field", maxlength: "32", autocomplete: "off", placeholder: "Robin" });
  const role = h("input", { id: "person-role", class: "field", maxlength: "40", autocomplete: "off", placeholder: "Editors" });
  const form = h("form", { class: "form" }, h("label", { for: "person-name" }, "Name"), name, h("label", { for: "person-role" }, "Role (optional; made if there is none of that name)"), role,
    h("div", { class: "form-end" }, h("button", { type: "submit", class: "button primary" }, "Add and switch")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      become(await act("person", { name: name.value.trim(), role: role.value.trim() }));
    } catch (error) {
      toast(error.message);
    }
  });
  dialog("Act as another person", [h("p", { class: "form-note" }, "Each tab is one person. The owner gives roles their rights with /setup."), list, form]);
}

export function start() {
  $("people-open").addEventListener("click", openPeople);
}
