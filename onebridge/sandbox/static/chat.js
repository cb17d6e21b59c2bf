// The chat page: one person's view of the simulated platform, fed by /control/state, /control/messages
// and the stream of changes.

import { auditNode, avatar, messageNode, oneLine } from "./messages.js";
import { element, safeUrl } from "./render.js";
import { botOf, call, key, lastOf, myChats, myself, nameOf, page, peopleHere } from "./store.js";
import { otherLanguage, spellOut, word } from "./words.js";

const by = (id) => document.getElementById(id);
const SCENES = ["group", "c2c", "channel", "dm"];
const ACTS = {
  group: ["GROUP_MSG_RECEIVE", "GROUP_MSG_REJECT", "GROUP_ADD_ROBOT", "GROUP_DEL_ROBOT", "receive_all", "receive_mention"],
  c2c: ["FRIEND_ADD", "FRIEND_DEL", "C2C_MSG_RECEIVE", "C2C_MSG_REJECT"],
  channel: [],
  dm: [],
};

function complain(error) {
  by("problem").textContent = error ? error.message : "";
  by("problem").hidden = !error;
}

// The list of chats.

function drawChats() {
  const chats = myChats();
  const nodes = [];
  for (const scene of SCENES) {
    const here = chats.filter((chat) => chat.scene === scene);
    if (here.length) nodes.push(element("h3", {}, word(scene)));
    for (const chat of here) {
      const last = lastOf(chat);
      const unread = page.unread.get(key(chat.scene, chat.id));
      const current = page.chat && key(page.chat.scene, page.chat.id) === key(chat.scene, chat.id);
      nodes.push(
        element(
          "button",
          { type: "button", "aria-current": current || undefined, on: { click: () => enter(chat) } },
          avatar(chat.name, chat.scene !== "group" && chat.scene !== "channel"),
          element("span", { class: "lines" }, chat.name, element("span", { class: "last" }, last ? oneLine(last, nameOf) : "")),
          unread ? element("span", { class: "count" }, String(unread)) : null,
        ),
      );
    }
  }
  by("chats").replaceChildren(...nodes);
  const online = page.state.sessions.some((each) => each.connected) || page.state.bots.some((each) => each.webhook_url);
  by("online").className = online ? "dot on" : "dot";
  by("online").setAttribute("aria-label", word(online ? "online" : "offline"));
  by("online").title = word(online ? "online" : "offline");
}

function enter(chat) {
  page.chat = chat;
  page.quote = null;
  page.unread.delete(key(chat.scene, chat.id));
  document.body.classList.add("talking");
  draw();
}

function draw() {
  drawChats();
  const chats = myChats();
  if (page.chat) page.chat = chats.find((each) => each.scene === page.chat.scene && (each.id === page.chat.id || each.name === page.chat.name)) || null;
  if (!page.chat) page.chat = chats[0] || null;
  const { chat } = page;
  if (!chat) return;
  by("place").textContent = chat.name;
  const { group } = chat;
  by("about").textContent = group ? `${word(group.receive)} · ${word(group.proactive ? "proactive" : "passive")}` : word(chat.scene);
  by("bot-name").textContent = botOf(chat).name;
  by("at-label").hidden = chat.scene === "c2c" || chat.scene === "dm";
  by("act").replaceChildren(element("option", { value: "" }, word("act")), ...ACTS[chat.scene].map((act) => element("option", { value: act }, word(act))));
  by("act").hidden = !ACTS[chat.scene].length;
  const list = by("messages");
  const shown = [...page.messages.values()].filter((each) => each.scene === chat.scene && each.conversation === chat.id);
  const held = page.state.audits.filter((each) => each.message.conversation === chat.id);
  list.replaceChildren(...shown.map((each) => messageNode(each, page.me, actions)), ...held.map((each) => auditNode(each, actions)));
  if (!shown.length && !held.length) list.append(element("li", { class: "empty" }, word("empty")));
  list.scrollTop = list.scrollHeight;
  drawQuote();
  drawWindow();
}

let waiting = false;

// Many changes at once are drawn once.
function drawSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function drawQuote() {
  by("quoting").hidden = !page.quote;
  if (page.quote) by("quoted").textContent = `${word("reply")} ${page.quote.author_name}: ${oneLine(page.quote, nameOf)}`;
  by("attached").hidden = !page.files.length;
  by("names").textContent = page.files.map((each) => each.name).join("、");
}

function drawWindow() {
  const { chat } = page;
  let last = null;
  for (const each of page.messages.values()) if (chat && each.scene === chat.scene && each.conversation === chat.id && !each.from_bot) last = each;
  const right = last && page.windows.get(last.id);
  let text = "";
  if (right) {
    const seconds = Math.max(0, Math.round((right.until - Date.now()) / 1000));
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (!right.seen) text = word("unseen");
    else if (!seconds) text = word("closed");
    else if (right.replies === 0) text = word("spent");
    else text = word(right.replies === null ? "windowFree" : "window", { time, count: right.replies });
  }
  by("window").textContent = text;
  by("typing").hidden = Date.now() > page.typingUntil;
  if (chat) by("typing").textContent = word("typing", { name: botOf(chat).name });
}

// What the person does.

function insert(text, send) {
  by("text").value = text;
  by("text").focus();
  if (send) by("composer").requestSubmit();
}

function quote(message) {
  page.quote = message;
  drawQuote();
  by("text").focus();
}

async function recall(message) {
  await call("recall", { message: message.id, user: page.me }).catch(complain);
}

async function press(message, place) {
  try {
    const outcome = await call("press", { message: message.id, button: place, user: page.me });
    if (outcome.url !== undefined) {
      const url = safeUrl(outcome.url);
      if (url) window.open(url, "_blank", "noopener,noreferrer");
    } else if (outcome.insert !== undefined) {
      if (outcome.quote) page.quote = message;
      drawQuote();
      insert(outcome.insert, outcome.enter);
    } else {
      page.presses.set(outcome.interaction_id, `${message.id}/${place}`);
      page.said.set(`${message.id}/${place}`, "");
      // The bot may have answered before this page learned the press's id.
      if (page.early.has(outcome.interaction_id)) pressed(outcome.interaction_id, page.early.get(outcome.interaction_id));
      // The client waits three seconds for the bot's answer (qq-platform.md section 6.9).
      setTimeout(() => pressed(outcome.interaction_id, word("noAnswer")), 3000);
      drawSoon();
    }
  } catch (error) {
    complain(error);
  }
}

function pressed(id, said) {
  const place = page.presses.get(id);
  if (!place) return;
  page.presses.delete(id);
  page.said.set(place, said);
  drawSoon();
}

const actions = {
  nameOf,
  insert,
  quote,
  recall,
  press,
  pressed: (message, place) => page.said.get(`${message.id}/${place}`),
  decide: (auditId, passed) => call("audit", { audit_id: auditId, passed }).catch(complain),
};

async function readFiles(list) {
  for (const file of list) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    page.files.push({ name: file.name || "image.png", data: btoa(text) });
  }
  drawQuote();
}

async function send(event) {
  event.preventDefault();
  const { chat } = page;
  let text = by("text").value;
  if (!chat || (!text.trim() && !page.files.length)) return;
  for (const each of peopleHere().sort((a, b) => b.name.length - a.name.length)) text = text.replaceAll(`@${each.name}`, `<@${each.id}>`);
  const wanted = {
    scene: chat.scene,
    conversation: chat.id,
    user: page.me,
    text,
    at_bot: by("at").checked && !by("at-label").hidden,
    quote: page.quote ? page.quote.id : "",
    files: page.files,
  };
  try {
    await call("say", wanted);
    by("text").value = "";
    by("text").rows = 1;
    page.quote = null;
    page.files = [];
    complain(null);
    drawQuote();
  } catch (error) {
    complain(error);
  }
}

function suggest() {
  const box = by("text");
  box.rows = Math.min(6, box.value.split("\n").length);
  const typed = /@([^@\s]*)$/.exec(box.value.slice(0, box.selectionStart));
  const found = typed ? peopleHere().filter((each) => each.id !== page.me && each.name.includes(typed[1])) : [];
  const choose = (name) => {
    const start = box.selectionStart - typed[0].length;
    box.setRangeText(`@${name} `, start, box.selectionStart, "end");
    by("names-found").hidden = true;
    box.focus();
  };
  by("names-found").replaceChildren(...found.map((each) => element("li", {}, element("button", { type: "button", on: { click: () => choose(each.name) } }, each.name))));
  by("names-found").hidden = !found.length;
}

async function act(name) {
  const { chat } = page;
  if (!name || !chat) return;
  const receive = { receive_all: "all", receive_mention: "only_mention" }[name];
  const d = chat.scene === "group" ? { group_openid: chat.id, op_member_openid: page.me } : { openid: page.me };
  try {
    if (receive) await call("settings", { groups: { [chat.id]: { receive } } });
    else await call("events", { type: name, d, app_id: chat.app_id });
    complain(null);
  } catch (error) {
    complain(error);
  }
  by("act").value = "";
}

// What the sandbox tells.

function learn(message) {
  page.messages.set(message.id, message);
  if (page.messages.size > 2000) page.messages.delete(page.messages.keys().next().value);
  if (message.reply) page.windows.set(message.id, { until: Date.now() + message.reply.seconds * 1000, replies: message.reply.replies, seen: message.reply.replies !== 0 || message.reply.seconds > 0 });
  const right = page.windows.get(message.replies_to);
  if (right && message.from_bot && !message.refused && !message.streaming && right.replies > 0) right.replies -= 1;
}

async function refresh() {
  page.state = await call("state");
  if (!myself()) page.me = page.state.users[0]?.openid || "";
  by("me").replaceChildren(...page.state.users.map((each) => element("option", { value: each.openid, selected: each.openid === page.me || undefined }, each.name)));
}

async function onChange({ kind, value }) {
  if (kind === "message" || kind === "recall") {
    const known = page.messages.has(value.id);
    if (known) page.messages.set(value.id, value);
    else learn(value);
    const open = page.chat && page.chat.scene === value.scene && page.chat.id === value.conversation;
    if (!open && !known) {
      const place = key(value.scene, value.conversation);
      page.unread.set(place, (page.unread.get(place) || 0) + 1);
    }
    if (open && value.from_bot) page.typingUntil = 0;
    if (value.audit || value.from_bot) page.state.audits = page.state.audits.filter((each) => each.message.id !== value.id);
    drawSoon();
  } else if (kind === "typing") {
    if (page.chat && page.chat.id === value.conversation) page.typingUntil = Date.now() + 10000;
    drawWindow();
  } else if (kind === "interaction") {
    const said = word("pressed")[value.code] ?? String(value.code);
    if (page.presses.has(value.id)) pressed(value.id, said);
    else page.early.set(value.id, said);
    if (page.early.size > 100) page.early.delete(page.early.keys().next().value);
  } else if (kind === "state" || kind === "gateway") {
    await refresh();
    drawSoon();
  }
}

function listen() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/control/stream`);
  socket.addEventListener("open", async () => {
    // What happened before the stream was open is read once more.
    await refresh();
    page.messages.clear();
    for (const message of await call("messages?limit=500")) learn(message);
    page.messages = new Map([...page.messages].sort(([, a], [, b]) => a.number - b.number));
    complain(null);
    draw();
  });
  socket.addEventListener("message", (event) => onChange(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    complain(new Error(word("lost")));
    setTimeout(listen, 1500);
  });
}

by("composer").addEventListener("submit", send);
by("text").addEventListener("input", suggest);
by("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    by("composer").requestSubmit();
  }
});
by("text").addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) readFiles(event.clipboardData.files);
});
by("file").addEventListener("change", async (event) => {
  await readFiles(event.target.files);
  event.target.value = "";
});
by("unquote").addEventListener("click", () => {
  page.quote = null;
  drawQuote();
});
by("detach").addEventListener("click", () => {
  page.files = [];
  drawQuote();
});
by("act").addEventListener("change", (event) => act(event.target.value));
by("back").addEventListener("click", () => document.body.classList.remove("talking"));
by("me").addEventListener("change", (event) => {
  page.me = event.target.value;
  page.quote = null;
  draw();
});
by("language").addEventListener("click", () => {
  otherLanguage();
  show();
});

function show() {
  spellOut();
  by("language").textContent = word("other");
  if (page.state) draw();
}

setInterval(drawWindow, 1000);
show();
listen();
