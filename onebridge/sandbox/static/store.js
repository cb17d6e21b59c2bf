// What the page knows, and how it asks the sandbox.

import { word } from "./words.js";

export const page = {
  state: null,
  me: "",
  chat: null, // {scene, id, name}
  messages: new Map(), // id → message, in order
  windows: new Map(), // id → {until, replies}
  unread: new Map(), // chat key → count
  presses: new Map(), // interaction id → "message/place"
  said: new Map(), // "message/place" → the bot's answer to the press, "" while it is awaited
  early: new Map(), // interaction id → an answer that came before the press was known
  quote: null,
  files: [],
  typingUntil: 0,
};

export async function call(path, body, method = body === undefined ? "GET" : "POST") {
  const answer = await fetch(`/control/${path}`, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error || value.message || answer.status);
  return value;
}

export const user = (openid) => page.state.users.find((each) => each.openid === openid);
export const myself = () => user(page.me);
export const key = (scene, id) => `${scene}:${id}`;

export function botOf(chat) {
  return page.state.bots.find((each) => each.app_id === chat.app_id) || page.state.bots[0];
}

export function myChats() {
  const me = myself();
  const { state } = page;
  if (!me) return [];
  const bot = state.bots.find((each) => each.app_id === me.app_id);
  const chats = state.groups
    .filter((group) => group.members[me.openid])
    .map((group) => ({ scene: "group", id: group.openid, name: group.name, app_id: group.app_id, group }));
  chats.push({ scene: "c2c", id: me.openid, name: bot.name, app_id: me.app_id });
  for (const guild of state.guilds.filter((each) => each.members[me.guild_id])) {
    for (const channel of Object.values(guild.channels)) {
      chats.push({ scene: "channel", id: channel.id, name: `${guild.name} / ${channel.name}`, app_id: guild.app_id, guild });
    }
    const open = state.dms.find((each) => each.openid === me.openid && each.source_guild_id === guild.id);
    chats.push({ scene: "dm", id: open ? open.guild_id : me.openid, name: `${bot.name} · ${guild.name}`, app_id: guild.app_id });
  }
  return chats;
}

export function nameOf(id) {
  const bot = page.state.bots.find((each) => each.member_openid === id || each.user_id === id);
  const person = page.state.users.find((each) => each.openid === id || each.guild_id === id);
  return bot?.name || person?.name || (id === "all" ? word("everyone") : id);
}

export function peopleHere() {
  const { chat } = page;
  if (!chat) return [];
  const bot = botOf(chat);
  const here = [{ id: bot.member_openid, name: bot.name }];
  if (chat.group) here.push(...Object.keys(chat.group.members).map((id) => ({ id, name: nameOf(id) })));
  if (chat.guild) here.push(...Object.values(chat.guild.members).map((each) => ({ id: each.openid, name: nameOf(each.openid) })));
  if (chat.group || chat.guild) here.push({ id: "all", name: word("everyone") });
  return here;
}

export function lastOf(chat) {
  let last = null;
  for (const each of page.messages.values()) if (each.scene === chat.scene && each.conversation === chat.id) last = each;
  return last;
}
