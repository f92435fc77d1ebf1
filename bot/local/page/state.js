// State of the page and its change listeners.

export const state = {
  me: "", bot: "", guild: { id: "", name: "" },
  emojis: new Set(), channels: new Map(), users: new Map(), roles: new Map(),
  current: null, messages: new Map(), older: false, newer: false,
  commands: { slash: [], message: [] }, reply: null,
};

const listeners = new Map();

export function on(event, act) {
  if (!listeners.has(event)) listeners.set(event, []);
  listeners.get(event).push(act);
}

export function emit(event, detail) {
  for (const act of listeners.get(event) || []) act(detail);
}

// The page's own person has keys of its own name only; another one of this browser has the person's id in them.
function keyOf(key) {
  const other = sessionStorage.getItem("megaagent.as");
  return `megaagent.${state.guild.id}.${other ? `${other}.` : ""}${key}`;
}

// Kept in the browser: drafts, what has been read, theme, the open channel.
export const kept = {
  get(key, otherwise = null) {
    try {
      const text = localStorage.getItem(keyOf(key));
      return text === null ? otherwise : JSON.parse(text);
    } catch {
      return otherwise;
    }
  },
  set(key, value) {
    const name = keyOf(key);
    if (value === null || value === "") localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  },
};

export const isThread = (channel) => channel.type === 11 || channel.type === 12;
export const isText = (channel) => channel.type <= 1 || channel.type === 5 || isThread(channel);
export const newer = (a, b) => !b || BigInt(a || 0) > BigInt(b);

export function nameOf(message) {
  return message.author.global_name || message.author.username;
}
