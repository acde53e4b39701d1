// Markdown as the chats show it: cut into blocks, each of which can be drawn again by itself while a text streams in.
import { button, h } from "./dom.js";
import { inline } from "./inline.js";

const FENCE = /^(\s{0,3})(`{3,}|~{3,})\s*([\w+#.-]{0,30})[^`]*$/;
const HEADING = /^(#{1,6})\s+(\S.*)$/;
const QUOTES = 6; // quotes within quotes that are told apart
const ITEM = /^(\s*)([-*+•]|\d{1,9}[.)])\s+(.*)$/;
const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;
const ROW = /^\s*\|.*\|\s*$/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

/** A text's blocks: `{kind, source, …}`. `tables` and `small` say what this chat can show. */
export function blocks(text, { tables = true, small = false } = {}) {
  const lines = text.split("\n");
  const found = [];
  let at = 0;
  const push = (kind, from, more = {}) => found.push({ kind, source: lines.slice(from, at).join("\n"), ...more });
  while (at < lines.length) {
    const line = lines[at];
    const from = at;
    const fence = FENCE.exec(line);
    if (!line.trim()) {
      at += 1;
    } else if (fence) {
      at += 1;
      const close = new RegExp(`^\\s{0,3}${fence[2][0]}{${fence[2].length},}\\s*$`);
      while (at < lines.length && !close.test(lines[at])) at += 1;
      const code = lines.slice(from + 1, at).join("\n");
      at += 1;
      push("code", from, { code, language: fence[3] });
    } else if (HEADING.test(line)) {
      at += 1;
      push("heading", from);
    } else if (small && line.startsWith("-# ")) {
      at += 1;
      push("small", from);
    } else if (RULE.test(line)) {
      at += 1;
      push("rule", from);
    } else if (/^\s{0,3}>/.test(line)) {
      while (at < lines.length && /^\s{0,3}>/.test(lines[at])) at += 1;
      push("quote", from);
    } else if (tables && ROW.test(line) && DIVIDER.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) {
      at += 2;
      while (at < lines.length && ROW.test(lines[at])) at += 1;
      push("table", from);
    } else if (ITEM.test(line)) {
      at += 1;
      while (at < lines.length && (ITEM.test(lines[at]) || /^\s{2,}\S/.test(lines[at]))) at += 1;
      push("list", from);
    } else {
      at += 1;
      while (at < lines.length && lines[at].trim() && !opens(lines, at, tables, small)) at += 1;
      push("paragraph", from);
    }
  }
  return found;
}

function opens(lines, at, tables, small) {
  const line = lines[at];
  return (
    FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || RULE.test(line) || /^\s{0,3}>/.test(line) ||
    (small && line.startsWith("-# ")) || (tables && ROW.test(line) && DIVIDER.test(lines[at + 1] ?? ""))
  );
}

/** One block as an element. */
export function draw(block, names, rules) {
  switch (block.kind) {
    case "code":
      return fenced(block);
    case "heading": {
      const [, signs, words] = HEADING.exec(block.source);
      return h("p", { class: `heading level-${signs.length}`, role: "heading", "aria-level": 3 + signs.length }, ...inline(words, names));
    }
    case "small":
      return h("p", { class: "small" }, ...inline(block.source.slice(3), names));
    case "rule":
      return h("hr");
    case "quote": {
      const deeper = { ...rules, depth: (rules.depth ?? 0) + 1 };
      const inner = block.source.replace(deeper.depth < QUOTES ? /^\s{0,3}> ?/gm : /^[\s>]+/gm, "");
      return h("blockquote", {}, ...blocks(inner, deeper).map((child) => draw(child, names, deeper)));
    }
    case "table":
      return table(block.source, names);
    case "list":
      return list(block.source.split("\n"), names);
    default:
      return h("p", {}, ...lined(block.source, names));
  }
}

const lined = (text, names) =>
  inline(text, names).flatMap((node) =>
    typeof node === "string" ? node.split("\n").flatMap((part, index) => (index ? [h("br"), part] : [part])) : [node],
  );

function fenced({ code, language }) {
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(code);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Not allowed";
    }
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  }, { class: "copy" });
  const words = h("code", language ? { "data-language": language } : {}, code);
  return h("div", { class: "code" }, h("div", { class: "code-top" }, h("span", {}, language || "text"), copy), h("pre", { tabindex: "0" }, words));
}

function list(lines, names) {
  const root = { indent: -1, element: h("div", { class: "list" }), item: null };
  const open = [root];
  for (const line of lines) {
    const found = ITEM.exec(line);
    if (!found) {
      open.at(-1).item?.append(h("br"), ...inline(line.trim(), names));
      continue;
    }
    const indent = found[1].replace(/\t/g, "    ").length;
    while (open.length > 1 && indent < open.at(-1).indent) open.pop();
    if (open.length === 1 || (indent > open.at(-1).indent + 1 && open.length < 12)) {
      const number = parseInt(found[2], 10);
      const element = Number.isNaN(number) ? h("ul") : h("ol", { start: number });
      (open.at(-1).item ?? open.at(-1).element).append(element);
      open.push({ indent, element, item: null });
    }
    const level = open.at(-1);
    level.item = h("li", {}, ...inline(found[3], names));
    level.element.append(level.item);
  }
  return root.element;
}

function table(source, names) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
  const [head, divider, ...rows] = source.split("\n").map(cells);
  const side = (index) => {
    const mark = divider[index] ?? "";
    return mark.endsWith(":") ? (mark.startsWith(":") ? "middle" : "end") : "start";
  };
  const row = (tag, line) =>
    h("tr", {}, ...head.map((_, index) => h(tag, { class: side(index) }, ...inline(line[index] ?? "", names))));
  return h(
    "div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" },
    h("table", {}, h("thead", {}, row("th", head)), h("tbody", {}, ...rows.map((line) => row("td", line)))),
  );
}

/** A text on the page. While it grows, only the blocks that changed are drawn again. */
export class Prose {
  constructor(names, rules) {
    this.element = h("div", { class: "prose" });
    this.names = names;
    this.rules = rules;
    this.shown = [];
  }

  update(text) {
    const next = blocks(text, this.rules);
    let same = 0;
    while (same < next.length && same < this.shown.length && next[same].source === this.shown[same].source && next[same].kind === this.shown[same].kind) same += 1;
    while (this.element.childElementCount > same) this.element.lastElementChild.remove();
    this.element.append(...next.slice(same).map((block) => draw(block, this.names, this.rules)));
    this.shown = next;
  }
}
