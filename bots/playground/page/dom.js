// Elements are built here and only here; text always goes in as text, never as markup.

/** An element with properties, attributes, listeners (`onclick`, …) and children; null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

let ids = 0;
/** An id that no other element has. */
export const unique = (name) => `${name}-${++ids}`;

/** A button with a word on it, or a sign with a label for those who do not see it. */
export function button(label, onclick, { sign = null, ...attributes } = {}) {
  const named = sign ? { "aria-label": label, title: label } : {};
  return h("button", { type: "button", onclick, ...named, ...attributes }, sign ?? label);
}

const PICTURES = /^image\/(png|jpeg|gif|webp)$/;
export const isPicture = (mime) => PICTURES.test(mime);

/** An address that may be loaded or followed from this page, else null. */
export function safeAddress(text, { loopback = false } = {}) {
  let address;
  try {
    address = new URL(text, location.origin);
  } catch {
    return null;
  }
  if (address.protocol !== "http:" && address.protocol !== "https:") return null;
  if (loopback && !["127.0.0.1", "localhost", location.hostname].includes(address.hostname)) return null;
  return address.href;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
/** A time element for seconds since 1970. */
export function time(seconds) {
  const moment = new Date(seconds * 1000);
  return h("time", { datetime: moment.toISOString(), title: DAY.format(moment) }, CLOCK.format(moment));
}

export const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;
