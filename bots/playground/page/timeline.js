// A list of messages that grows and changes in place, and follows its end only while the reader is there.
import { h } from "./dom.js";
import { dots, MessageView } from "./message.js";
import { before } from "./place.js";

const NEAR = 60; // pixels from the end that count as "at the end"
const TOGETHER = 300; // seconds within which one author's messages share a heading

export class Timeline {
  constructor(place, acts, { inThread, label }) {
    this.place = place;
    this.acts = acts;
    this.inThread = inThread;
    this.views = new Map();
    this.channel = null;
    this.root = null;
    this.list = h("div", { class: "list-inner", role: "feed", "aria-label": label });
    this.status = h("p", { class: "status", hidden: true });
    this.element = h("div", { class: "timeline" }, this.list, this.status);
    this.newer = h("button", { type: "button", class: "newer", hidden: true, onclick: () => this.toEnd() }, "Newer messages ↓");
    this.following = true;
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.following && this.toEnd()).observe(this.element); // also when a hidden one is shown
    this.element.addEventListener("load", () => this.newer.hidden && this.toEnd(), true); // pictures that arrive late
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("focusin", (event) => this.mark(event.target.closest(".message")));
  }

  atEnd() {
    return this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight < NEAR;
  }

  scrolled() {
    if (this.element.clientHeight === 0) return;
    this.following = this.atEnd();
    if (this.following) this.newer.hidden = true;
  }

  toEnd() {
    this.following = true;
    this.element.scrollTop = this.element.scrollHeight;
    this.newer.hidden = true;
  }

  /** Shows a channel, or one thread of it, afresh; the reader stays where they are in what was already open. */
  show(channel, root = null) {
    const stay = channel === this.channel && root === this.root && !this.atEnd() ? this.element.scrollTop : null;
    this.channel = channel;
    this.root = root;
    this.views.clear();
    for (const message of this.place.line(channel, root)) this.views.set(message.id, this.view(message));
    this.list.replaceChildren(...[...this.views.values()].map((view) => view.element));
    this.arrange();
    this.refreshStatus();
    if (stay === null) this.toEnd();
    else this.element.scrollTop = stay;
  }

  view(message) {
    return new MessageView(this.place, message, this.acts, { inThread: this.inThread });
  }

  belongs(message) {
    if (message.channel !== this.channel || !this.place.sees(message)) return false;
    const root = this.place.root(message);
    return this.root ? message.id === this.root || root === this.root : !root;
  }

  /** Takes all changes of one frame at once: measuring once, moving once. */
  take(changes) {
    const followed = this.atEnd();
    let moved = false;
    let grew = false;
    for (const change of changes) {
      if (change.type === "status") this.refreshStatus();
      else if (change.type === "deleted") {
        if (change.channel === this.channel && this.views.has(change.id)) {
          this.views.get(change.id).element.remove();
          this.views.delete(change.id);
          moved = true;
        }
      } else if (change.type === "message" && this.belongs(change.message)) {
        const shown = this.views.get(change.message.id);
        if (shown) shown.update(change.message);
        else this.insert(change.message);
        moved ||= !shown;
        grew = true;
      }
      this.refreshRoot(change);
    }
    if (moved) this.arrange();
    if (followed) this.toEnd();
    else if (grew) this.newer.hidden = false;
  }

  refreshRoot(change) {
    const root = change.type === "message" ? this.place.root(change.message) : change.type === "status" ? change.thread : null;
    if (root) this.views.get(root)?.refreshReplies();
    else if (change.type === "deleted" && !this.inThread) for (const view of this.views.values()) view.refreshReplies();
  }

  insert(message) {
    const view = this.view(message);
    this.views.set(message.id, view);
    let next = null;
    for (let other = this.list.lastElementChild; other; other = other.previousElementSibling) {
      if (before(this.views.get(other.dataset.id).message, message) < 0) break;
      next = other;
    }
    this.list.insertBefore(view.element, next);
  }

  /** Messages of one author in a row share a heading; exactly one message is in the Tab order. */
  arrange() {
    let last = null;
    for (const element of this.list.children) {
      const { message } = this.views.get(element.dataset.id);
      const follows = last && last.author.id === message.author.id && last.author.name === message.author.name && !message.reply_to && !message.via &&
        message.at - last.at < TOGETHER && Boolean(last.only_for) === Boolean(message.only_for);
      element.classList.toggle("follows", Boolean(follows));
      last = message;
    }
    if (!this.list.querySelector('.message[tabindex="0"]')) this.mark(this.list.lastElementChild);
  }

  mark(element) {
    if (!element) return;
    for (const other of this.list.querySelectorAll('.message[tabindex="0"]')) other.tabIndex = -1;
    element.tabIndex = 0;
  }

  key(event) {
    const element = event.target;
    if (!element.classList.contains("message") || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowUp: element.previousElementSibling, ArrowDown: element.nextElementSibling, Home: this.list.firstElementChild, End: this.list.lastElementChild };
    if (event.key in to) to[event.key]?.focus();
    else if (event.key.toLowerCase() === "r") this.acts.reply(this.views.get(element.dataset.id).message);
    else return;
    event.preventDefault();
  }

  jump(id) {
    const element = this.views.get(id)?.element;
    element?.scrollIntoView({ block: "center" });
    element?.focus();
  }

  refreshStatus() {
    const text = this.place.status(this.channel, this.root);
    this.status.hidden = !text;
    const named = text.toLowerCase().startsWith((this.place.bot.name ?? "").toLowerCase()) ? text : `${this.place.bot.name} ${text}`;
    this.status.replaceChildren(...(text ? [dots(named)] : []));
  }
}
