// Client of the local server: queries, actions, live events.

import { emit } from "./state.js";

// The person of this tab: each tab may be another one.
const AS = "megaagent.as";
export const person = {
  get: () => sessionStorage.getItem(AS),
  set: (id) => (id ? sessionStorage.setItem(AS, id) : sessionStorage.removeItem(AS)),
};

function address(path) {
  const as = person.get();
  return as ? `/page/${path}${path.includes("?") ? "&" : "?"}as=${as}` : `/page/${path}`;
}

export async function ask(path) {
  const response = await fetch(address(path), { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(await problem(response));
  return response.json();
}

export async function act(verb, body, files = []) {
  const headers = { "X-Local-Discord": "1" };
  let data;
  if (files.length) {
    data = new FormData();
    data.append("json", JSON.stringify(body));
    for (const [name, file] of files) data.append(name, file, file.name);
  } else {
    headers["Content-Type"] = "application/json";
    data = JSON.stringify(body);
  }
  const response = await fetch(address(`act/${verb}`), { method: "POST", headers, body: data });
  if (!response.ok) throw new Error(await problem(response));
  const answer = await response.json();
  if (answer.error) throw new Error(answer.error);
  if (answer.warning) emit("warning", answer.warning);
  return answer.result;
}

async function problem(response) {
  try {
    return (await response.json()).error || response.statusText;
  } catch {
    return response.statusText || `error ${response.status}`;
  }
}

let source = null;

export function listen(since) {
  if (source) source.close();
  source = new EventSource(address(`live?since=${since}`));
  source.onopen = () => emit("online", true);
  source.onerror = () => {
    emit("online", false);
    // A refusal ends the stream for good, other than a server that is not there yet: begin another.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => emit("live-stale"), 2000);
  };
  source.onmessage = (message) => {
    for (const event of JSON.parse(message.data)) emit(`live-${event.t}`, event);
    emit("live", null);
  };
}
