// Words inside a paragraph: emphasis, code, links, mentions. Returns nodes; every search is bounded, so long texts are read in linear time.
import { h, safeAddress } from "./dom.js";

const REACH = 2000; // characters within which an emphasis must close
const DEPTH = 8;
const LINK = /\[([^\[\]\n]{1,500})\]\(<?([^\s()<>]{1,2000}(?:\([^\s()<>]{0,200}\)[^\s()<>]{0,500})?)>?(?:\s"[^"\n]{0,200}")?\)/y;
const ANGLE = /<(?:([@#!])([!&]?)([\w-]{1,40})(?:\|([^<>\n]{0,200}))?|(https?:\/\/[^\s<>|]{1,2000})(?:\|([^<>\n]{0,500}))?)>/y;
const BARE = /https?:\/\/[^\s<>"'`]{1,2000}/y;
const CODE = /(`{1,4})(?!`)/y;
const SIGNS = [["***", "strong"], ["**", "strong"], ["~~", "s"], ["||", "span"], ["__", "strong"], ["*", "em"], ["_", "em"]];
const STOPS = /[\\`<\[hH*_~|]/g;
const WORD = /[\p{L}\p{N}]/u;

/** The nodes of a line of text. `names`: `(sign, id) → name or null` for mentions. */
export function inline(text, names, depth = 0) {
  const nodes = [];
  let plain = "";
  const add = (node) => {
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(node);
  };
  let at = 0;
  const barren = {}; // by sign: up to where no closing one was found
  while (at < text.length) {
    STOPS.lastIndex = at;
    const stop = STOPS.exec(text);
    if (!stop) break;
    plain += text.slice(at, stop.index);
    at = stop.index;
    const found = take(text, at, names, depth, barren);
    if (found) {
      if (typeof found.node === "string") plain += found.node;
      else add(found.node);
      at = found.end;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  plain += text.slice(at);
  if (plain) nodes.push(plain);
  return nodes;
}

function take(text, at, names, depth, barren) {
  switch (text[at]) {
    case "\\":
      return /[\\`*_{}\[\]()#+\-.!~|<>]/.test(text[at + 1] ?? "") ? { node: text[at + 1], end: at + 2 } : null;
    case "`":
      return code(text, at);
    case "<":
      return angle(text, at, names);
    case "[":
      return link(text, at, names, depth);
    case "h":
    case "H":
      return bare(text, at);
    default:
      return depth < DEPTH ? emphasis(text, at, names, depth, barren) : null;
  }
}

function match(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function code(text, at) {
  const open = match(CODE, text, at);
  if (!open) {
    const run = /`+/y;
    return { node: match(run, text, at)[0], end: run.lastIndex };
  }
  const fence = open[1];
  let end = text.indexOf(fence, at + fence.length);
  while (end !== -1 && text[end + fence.length] === "`") {
    while (text[end] === "`") end += 1;
    end = text.indexOf(fence, end);
  }
  if (end === -1) return { node: fence, end: at + fence.length };
  let words = text.slice(at + fence.length, end);
  if (words.startsWith(" ") && words.endsWith(" ") && words.trim()) words = words.slice(1, -1);
  return { node: h("code", {}, words), end: end + fence.length };
}

function angle(text, at, names) {
  const found = match(ANGLE, text, at);
  if (!found) return null;
  const [whole, sign, , id, label, address, title] = found;
  const end = at + whole.length;
  if (address) return { node: anchor(address, title || address), end };
  if (sign === "!") return { node: h("span", { class: "mention" }, `@${label || id}`), end };
  const name = names(sign, id) ?? label;
  return name ? { node: h("span", { class: "mention" }, `${sign}${name}`), end } : null;
}

function link(text, at, names, depth) {
  const found = match(LINK, text, at);
  if (!found || !/^https?:/i.test(found[2])) return null;
  const address = safeAddress(found[2]);
  if (!address) return null;
  return { node: anchor(address, ...inline(found[1], names, Math.max(depth + 1, DEPTH - 2))), end: at + found[0].length };
}

function bare(text, at) {
  if (at > 0 && WORD.test(text[at - 1])) return null;
  const found = match(BARE, text, at);
  if (!found) return null;
  let address = found[0].replace(/[.,;:!?*_~|]+$/, "");
  if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
  return safeAddress(address) && address.length > 8 ? { node: anchor(address, address), end: at + address.length } : null;
}

function anchor(address, ...words) {
  const safe = safeAddress(address);
  return safe ? h("a", { href: safe, target: "_blank", rel: "noopener noreferrer" }, ...words) : h("span", {}, ...words);
}

function emphasis(text, at, names, depth, barren) {
  for (const [sign, tag] of SIGNS) {
    if (!text.startsWith(sign, at)) continue;
    const first = text[at + sign.length];
    if (first === undefined || /\s/.test(first)) continue;
    if (sign[0] === "_" && at > 0 && WORD.test(text[at - 1])) continue;
    const end = closing(text, sign, at + sign.length, barren);
    if (end === -1) continue;
    const inner = inline(text.slice(at + sign.length, end), names, depth + 1);
    const element = h(tag, sign === "||" ? { class: "spoiler", tabindex: "0" } : {}, ...inner);
    return { node: sign === "***" ? h("em", {}, element) : element, end: end + sign.length };
  }
  const run = new RegExp(`[${text[at]}]+`, "y");
  return { node: match(run, text, at)[0], end: run.lastIndex };
}

function closing(text, sign, start, barren) {
  const from = Math.max(start, barren[sign] ?? 0);
  const slice = text.slice(from, Math.max(from, start + REACH));
  for (let end = slice.indexOf(sign); end !== -1; end = slice.indexOf(sign, end + 1)) {
    const after = slice[end + sign.length];
    const prior = text[from + end - 1];
    if (from + end === start || /\s/.test(prior) || prior === "\\") continue;
    if (sign.length === 1 && after === sign) {
      while (slice[end + 1] === sign) end += 1;
      continue;
    }
    if (sign[0] === "_" && after !== undefined && WORD.test(after)) continue;
    return from + end;
  }
  barren[sign] = start + REACH;
  return -1;
}
