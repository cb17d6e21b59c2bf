// One message as people see it. What can be done with it is handed in as functions.

import { element, renderMarkdown, renderText } from "./render.js";
import { word } from "./words.js";

export function avatar(name, isBot) {
  let sum = 0;
  for (const letter of name) sum += letter.codePointAt(0);
  return element("span", { class: `face-mark ${isBot ? "bot" : `c${sum % 5}`}`, "aria-hidden": "true" }, [...name][0] || "?");
}

// Mentions by name, as one string.
function named(text, nameOf) {
  return text.replace(/<@!?(\w+)>/g, (_, id) => `@${nameOf(id)}`);
}

export function oneLine(message, nameOf) {
  if (message.recalled) return word("recalled", { name: message.author_name });
  const text = message.markdown ? message.markdown.content : message.text;
  return named(text || "", nameOf).trim() || (message.files.length ? `[${word(message.files[0].kind)}]` : "");
}

function mediaNode(file) {
  if (file.kind === "image" && file.media_type.startsWith("image/")) {
    return element("img", { src: file.path, alt: file.name, loading: "lazy", width: file.width || undefined, height: file.height || undefined });
  }
  if (file.kind === "video") return element("video", { src: file.path, controls: true, preload: "none" });
  if (file.kind === "voice" && /mpeg|ogg|wav/.test(file.media_type)) return element("audio", { src: file.path, controls: true, preload: "none" });
  const size = file.size < 1024 ? `${file.size} B` : `${(file.size / 1024).toFixed(1)} KiB`;
  return element("a", { class: "card", href: file.path, download: file.name }, `${file.kind === "voice" ? "🎤" : "📄"} ${file.name}`, element("small", {}, `${word(file.kind)} · ${size}`));
}

function keyboardNode(message, act) {
  const rows = message.keyboard.content?.rows || [];
  return element(
    "div",
    { class: "keyboard" },
    ...rows.map((row, rowNumber) =>
      element(
        "div",
        {},
        ...row.buttons.map((button, column) =>
          element(
            "button",
            { type: "button", class: `s${Number(button.render_data?.style) || 0}`, on: { click: () => act.press(message, `${rowNumber}.${column}`) } },
            buttonLabel(button, act.pressed(message, `${rowNumber}.${column}`)),
          ),
        ),
      ),
    ),
  );
}

// What a button says: its label, and after a press the other label and the bot's answer.
function buttonLabel(button, said) {
  const { label, visited_label: visited } = button.render_data || {};
  if (said === undefined) return label || button.id || "·";
  return `${visited || label || button.id || "·"}${said ? ` (${said})` : " …"}`;
}

function contentNodes(message, act) {
  const nodes = [];
  if (message.refused) nodes.push(element("div", { class: "why" }, `⛔ ${word("refused", { code: message.refused })} · ${message.reason}`));
  if (message.audit === "rejected") nodes.push(element("div", { class: "why" }, word("rejected")));
  if (message.quoted) nodes.push(element("div", { class: "quote" }, `${message.quoted.author_name}: ${named(message.quoted.text, act.nameOf)}`));
  if (message.quote_text) nodes.push(element("div", { class: "quote" }, message.quote_text));
  if (message.markdown?.content) nodes.push(renderMarkdown(message.markdown.content, act));
  else if (message.text) {
    const asker = message.auto_at_name ? [element("span", { class: "mention" }, `@${message.auto_at_name} `)] : [];
    // A bot's plain text in groups and C2C is shown raw: tags mean nothing there (qq-platform.md 10.2).
    const raw = message.from_bot && (message.scene === "group" || message.scene === "c2c");
    nodes.push(element("div", { class: "text" }, ...asker, ...(raw ? [message.text] : renderText(message.text, act.nameOf))));
  }
  if (message.card) nodes.push(element("div", { class: "card" }, message.card.fields?.title || message.card.prompt || word("card"), element("small", {}, message.card.ark_name || "")));
  if (message.embed) nodes.push(element("div", { class: "card" }, message.embed.title || message.embed.prompt || "", ...(message.embed.fields || []).map((each) => element("small", {}, each.name || ""))));
  nodes.push(...message.files.map(mediaNode));
  for (const [emoji, users] of Object.entries(message.reactions)) if (users.length) nodes.push(element("span", { class: "face" }, ` [${emoji}] ×${users.length}`));
  if (message.streaming) nodes.push(element("span", { class: "face" }, " …"));
  return nodes;
}

export function messageNode(message, me, act) {
  if (message.recalled) return element("li", { class: "note" }, word("recalled", { name: message.author_name }));
  const own = message.author === me && !message.from_bot;
  const time = new Date(message.at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  const tools = [];
  if (!message.refused) tools.push(element("button", { type: "button", on: { click: () => act.quote(message) } }, word("reply")));
  if (own) tools.push(element("button", { type: "button", on: { click: () => act.recall(message) } }, word("recall")));
  return element(
    "li",
    { class: `message${own ? " own" : ""}${message.refused ? " refused" : ""}` },
    avatar(message.author_name, message.from_bot),
    element(
      "div",
      { class: "body" },
      element("span", { class: "by" }, `${message.author_name} · ${time}`),
      element("div", { class: "bubble" }, ...contentNodes(message, act)),
      message.keyboard && !message.refused ? keyboardNode(message, act) : null,
      element("div", { class: "tools" }, ...tools),
    ),
  );
}

export function auditNode(held, act) {
  const decide = (passed) => act.decide(held.audit_id, passed);
  return element(
    "li",
    { class: "note" },
    `⏳ ${word("pending")}: ${oneLine(held.message, act.nameOf)} `,
    element("button", { type: "button", on: { click: () => decide(true) } }, word("pass")),
    " ",
    element("button", { type: "button", on: { click: () => decide(false) } }, word("reject")),
  );
}
