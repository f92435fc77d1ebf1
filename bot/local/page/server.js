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

// A request that got no answer: the bot is not running, or the page is being left.
export class Unreachable extends Error {}

const AWAY = "The bot cannot be reached. Check that it is still running; the page connects again by itself.";

async function reach(path, options) {
  let response;
  try {
    response = await fetch(address(path), options);
  } catch {
    throw new Unreachable(AWAY);
  }
  if (!response.ok) throw Object.assign(new Error(await problem(response)), { status: response.status });
  return response.json();
}

export const ask = (path) => reach(path, { headers: { Accept: "application/json" } });

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
  const answer = await reach(`act/${verb}`, { method: "POST", headers, body: data });
  if (answer.error) throw new Error(answer.error);
  if (answer.warning) emit("warning", answer.warning);
  return answer.result;
}

async function problem(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error || response.statusText;
  } catch {
    return text || response.statusText || `error ${response.status}`;
  }
}

let socket = null;

// A websocket, not a stream over HTTP: of those a browser opens six for all tabs together, and the next one waits.
export function listen(mark) {
  if (socket) {
    socket.onclose = null;
    socket.close();
  }
  const mine = new WebSocket(new URL(address(`live?since=${mark}`), location.href.replace(/^http/, "ws")));
  let opened = false;
  socket = mine;
  mine.onopen = () => {
    opened = true;
    emit("online", true);
  };
  mine.onmessage = (message) => {
    const batch = JSON.parse(message.data);
    mark = batch.mark;
    for (const event of batch.events) emit(`live-${event.t}`, event);
    emit("live", null);
  };
  mine.onclose = () => {
    emit("online", false);
    setTimeout(async () => {
      const refused = !opened && (await refusal());
      if (mine !== socket) return;
      if (refused) emit("live-stale");
      else listen(mark);
    }, 1000);
  };
}

// Whether the server is there and lets this page in no more: a websocket that fails does not say why.
async function refusal() {
  try {
    await ask("state");
    return false;
  } catch (error) {
    return !(error instanceof Unreachable);
  }
}
