// Text and markdown as DOM nodes. Nothing here ever parses HTML: every piece of what somebody wrote
// becomes a text node or an attribute that was checked, so hostile text stays text.

import { word } from "./words.js";

export function element(name, options = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (key === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (key === "class") node.className = value;
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Only http and https lead anywhere; javascript: and data: stay text.
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

function link(label, target) {
  const url = safeUrl(target);
  if (!url) return document.createTextNode(label);
  return element("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

function picture(alt, target) {
  const url = safeUrl(target);
  const own = url && new URL(url).origin === location.origin && new URL(url).pathname.startsWith("/files/");
  const label = alt.replace(/#\d+px/g, "").trim();
  if (own) return element("img", { src: url, alt: label, loading: "lazy" });
  // Pictures from elsewhere are not fetched: the platform would have re-hosted them.
  return url ? element("span", { class: "outside" }, "🖼 ", link(label || url, url)) : document.createTextNode(`[${label}]`);
}

const NAMED = /<@!?(\w+)>|<qqbot-at-user id="(\w+)"\s*\/>|<qqbot-at-everyone\s*\/>|@everyone/;
const FACES = /<faceType=[^>]*?ext="([^"]*)"[^>]*>|<emoji:(\d+)>/;

function faceName(ext) {
  try {
    const bytes = Uint8Array.from(atob(ext), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).text;
  } catch {
    return word("face");
  }
}

// Each rule: a pattern and what its match becomes. The leftmost match wins, then the first rule.
function plainRules(nameOf) {
  return [
    [NAMED, (m) => element("span", { class: "mention" }, `@${m[1] || m[2] ? nameOf(m[1] || m[2]) : word("everyone")}`)],
    [FACES, (m) => element("span", { class: "face" }, `[${m[1] ? faceName(m[1]) : `${word("face")} ${m[2]}`}]`)],
  ];
}

function markdownRules(context) {
  const inner = (text) => inline(text, markdownRules(context));
  const command = (tag) => {
    const read = (name) => new RegExp(`${name}="([^"]*)"`).exec(tag)?.[1];
    let text = read("text") ?? "";
    let shown = read("show") ?? text;
    try {
      text = decodeURIComponent(text);
      shown = decodeURIComponent(shown);
    } catch {
      // Not URL-encoded: shown as it is.
    }
    const enter = tag.startsWith("<qqbot-cmd-enter");
    return element("button", { type: "button", class: "command", on: { click: () => context.insert(text, enter) } }, shown);
  };
  return [
    ...plainRules(context.nameOf),
    [/`([^`\n]+)`/, (m) => element("code", {}, m[1])],
    [/!\[([^\]]*)\]\(([^)\s]*)\)/, (m) => picture(m[1], m[2])],
    [/\[([^\]]*)\]\(([^)\s]*)\)/, (m) => link(m[1], m[2])],
    [/<(https?:\/\/[^>\s]+)>/, (m) => link(m[1], m[1])],
    [/<qqbot-cmd-(?:input|enter)[^>]*>/, (m) => command(m[0])],
    [/\*\*\*([^*]+)\*\*\*/, (m) => element("strong", {}, element("em", {}, ...inner(m[1])))],
    [/\*\*([^*]+)\*\*|__([^_]+)__/, (m) => element("strong", {}, ...inner(m[1] ?? m[2]))],
    [/~~([^~]+)~~/, (m) => element("s", {}, ...inner(m[1]))],
    [/\*([^*\n]+)\*|(?<!\w)_([^_\n]+)_(?!\w)/, (m) => element("em", {}, ...inner(m[1] ?? m[2]))],
  ];
}

function inline(text, rules) {
  const nodes = [];
  let rest = text;
  while (rest) {
    let best = null;
    for (const [pattern, make] of rules) {
      const match = pattern.exec(rest);
      if (match && (!best || match.index < best.match.index)) best = { match, make };
    }
    if (!best) break;
    if (best.match.index) nodes.push(document.createTextNode(rest.slice(0, best.match.index)));
    nodes.push(best.make(best.match));
    rest = rest.slice(best.match.index + best.match[0].length);
  }
  if (rest) nodes.push(document.createTextNode(rest));
  return nodes;
}

export function renderText(text, nameOf) {
  return inline(text, plainRules(nameOf));
}

export function renderMarkdown(text, context) {
  const rules = markdownRules(context);
  const root = element("div", { class: "markdown" });
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  let paragraph = null;
  let list = null;
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    const item = /^\s*(?:([-*+])|(\d+)\.)\s+(.*)$/.exec(line);
    const quote = /^>\s?(.*)$/.exec(line);
    if (/^```/.test(line)) {
      const end = lines.findIndex((other, index) => index > at && /^```/.test(other));
      const stop = end < 0 ? lines.length : end;
      root.append(element("pre", {}, element("code", {}, lines.slice(at + 1, stop).join("\n"))));
      at = stop;
    } else if (/^\s*(\*{3,}|-{3,})\s*$/.test(line)) {
      root.append(element("hr"));
    } else if (heading) {
      root.append(element(`h${Math.min(heading[1].length + 2, 6)}`, {}, ...inline(heading[2], rules)));
    } else if (item) {
      const kind = item[1] ? "UL" : "OL";
      if (!list || list.tagName !== kind) {
        list = element(kind.toLowerCase());
        root.append(list);
      }
      list.append(element("li", {}, ...inline(item[3], rules)));
      paragraph = null;
      continue;
    } else if (quote) {
      root.append(element("blockquote", {}, ...inline(quote[1], rules)));
    } else if (line.trim() === "") {
      // An empty line ends what came before.
    } else {
      if (paragraph) paragraph.append("\n", ...inline(line, rules));
      else root.append((paragraph = element("p", {}, ...inline(line, rules))));
      list = null;
      continue;
    }
    paragraph = null;
    list = null;
  }
  return root;
}
