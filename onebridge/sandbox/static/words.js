// Everything the page says, in both languages. Keys are looked up by data-word, data-title and
// data-placeholder in the page, and by word() in the code.

const WORDS = {
  zh: {
    title: "QQ 沙箱", other: "English", iam: "我是", back: "返回", act: "更多操作", cancel: "取消",
    attach: "发送图片或文件", write: "写消息，@ 可提及成员", send: "发送",
    group: "群聊", c2c: "单聊", channel: "频道", dm: "频道私信",
    online: "机器人在线", offline: "机器人未连接",
    all: "机器人收到全部消息", only_mention: "机器人只收到 @ 它的消息", mention_and_context: "@ 及上下文",
    proactive: "允许主动发言", passive: "只能回复",
    reply: "引用", recall: "撤回", recalled: "{name} 撤回了一条消息",
    refused: "被平台拒绝 {code}", rejected: "审核未通过", pending: "等待审核", pass: "通过", reject: "拒绝",
    typing: "{name} 正在输入…", everyone: "全体成员", face: "表情", image: "图片", card: "卡片",
    voice: "语音", file: "文件", video: "视频",
    window: "最后一条消息：机器人还能回复 {time}，剩余 {count} 次", windowFree: "最后一条消息：机器人还能回复 {time}",
    closed: "最后一条消息：回复时间已过", spent: "最后一条消息：回复次数已用完", unseen: "最后一条消息：机器人没有收到",
    noAnswer: "没有回应", pressed: ["成功", "操作失败", "操作频繁", "重复操作", "没有权限", "仅管理员可操作"],
    empty: "还没有消息", lost: "与沙箱的连接断开，正在重连…", me: "我",
    FRIEND_ADD: "添加机器人", FRIEND_DEL: "删除机器人", C2C_MSG_RECEIVE: "允许主动消息", C2C_MSG_REJECT: "拒绝主动消息",
    GROUP_ADD_ROBOT: "机器人入群", GROUP_DEL_ROBOT: "移出机器人", GROUP_MSG_RECEIVE: "允许主动发言",
    GROUP_MSG_REJECT: "禁止主动发言", GROUP_MEMBER_ADD: "我加入群", GROUP_MEMBER_REMOVE: "我离开群",
    receive_all: "机器人接收全部消息", receive_mention: "机器人只接收 @ 消息",
  },
  en: {
    title: "QQ sandbox", other: "中文", iam: "I am", back: "Back", act: "More", cancel: "Cancel",
    attach: "Send a picture or file", write: "Write; @ names somebody", send: "Send",
    group: "Groups", c2c: "Private", channel: "Channels", dm: "Direct messages",
    online: "Bot is connected", offline: "Bot is not connected",
    all: "Bot gets every message", only_mention: "Bot gets only what @s it", mention_and_context: "@ and context",
    proactive: "may speak unasked", passive: "may only reply",
    reply: "Quote", recall: "Recall", recalled: "{name} recalled a message",
    refused: "Refused by the platform: {code}", rejected: "Rejected by audit", pending: "Waiting for audit",
    pass: "Pass", reject: "Reject",
    typing: "{name} is typing…", everyone: "everyone", face: "face", image: "picture", card: "card",
    voice: "Voice", file: "File", video: "Video",
    window: "Last message: the bot may reply for {time}, {count} left", windowFree: "Last message: the bot may reply for {time}",
    closed: "Last message: too late to reply", spent: "Last message: replies used up", unseen: "Last message: the bot did not get it",
    noAnswer: "no answer", pressed: ["done", "failed", "too often", "repeated", "not permitted", "admins only"],
    empty: "No messages yet", lost: "Connection to the sandbox lost, trying again…", me: "me",
    FRIEND_ADD: "Add the bot", FRIEND_DEL: "Remove the bot", C2C_MSG_RECEIVE: "Allow unasked messages", C2C_MSG_REJECT: "Refuse unasked messages",
    GROUP_ADD_ROBOT: "Bot joins", GROUP_DEL_ROBOT: "Bot is removed", GROUP_MSG_RECEIVE: "Let the bot speak unasked",
    GROUP_MSG_REJECT: "Only let the bot reply", GROUP_MEMBER_ADD: "I join the group", GROUP_MEMBER_REMOVE: "I leave the group",
    receive_all: "Bot gets every message", receive_mention: "Bot gets only @ messages",
  },
};

let language = "zh";
try {
  language = localStorage.getItem("language") === "en" ? "en" : "zh";
} catch {
  // Storage may be forbidden; the page then starts in Chinese each time.
}

export function word(key, values = {}) {
  const found = WORDS[language][key] ?? key;
  if (typeof found !== "string") return found;
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function otherLanguage() {
  language = language === "zh" ? "en" : "zh";
  try {
    localStorage.setItem("language", language);
  } catch {
    // Not kept, see above.
  }
}

export function spellOut(root = document) {
  root.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  root.title = `onebridge · ${word("title")}`;
  for (const node of root.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of root.querySelectorAll("[data-title]")) {
    node.title = word(node.dataset.title);
    node.setAttribute("aria-label", node.title);
  }
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = word(node.dataset.placeholder);
}
