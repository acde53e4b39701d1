// One message on the page. `update` redraws only the parts that changed, so that focus and selection elsewhere stay.
import { button, counted, h, isPicture, safeAddress, time } from "./dom.js";
import { Prose } from "./markdown.js";

const initials = (name) => [...name.trim()][0]?.toUpperCase() ?? "?";
const tint = (id) => [...id].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 5, 0);

export class MessageView {
  /** `acts`: what can be done with it: reply, edit, remove, react, press, thread, jump. */
  constructor(place, message, acts, { inThread }) {
    this.place = place;
    this.acts = acts;
    this.inThread = inThread;
    this.prose = new Prose(place.named, place.rules);
    this.drawn = {};
    this.parts = Object.fromEntries(
      ["quote", "head", "extras", "buttons", "notes", "replies"].map((name) => [name, h("div", { class: name, hidden: true })]),
    );
    this.tools = h("div", { class: "tools", role: "group", "aria-label": "Message actions" });
    this.avatar = h("div", { class: "avatar", "aria-hidden": "true" });
    const { quote, head, extras, buttons, notes, replies } = this.parts;
    this.element = h("article", { class: "message", tabindex: "-1" }, this.tools, quote, this.avatar, h("div", { class: "main" }, head, this.prose.element, extras, notes, buttons, replies));
    this.element.dataset.id = message.id;
    this.update(message);
  }

  update(message) {
    this.message = message;
    const { author } = message;
    const mine = author.id === this.place.me && !author.bot;
    this.element.classList.toggle("streaming", Boolean(message.streaming));
    this.element.classList.toggle("bot", Boolean(author.bot));
    this.element.classList.toggle("private", Boolean(message.only_for));
    this.element.setAttribute("aria-label", `${author.name}: ${this.place.inward(message.text).slice(0, 120) || "no words"}`);
    this.element.setAttribute("aria-busy", String(Boolean(message.streaming || message.thinking)));
    if (this.changed("text", message.text)) this.prose.update(message.text);
    this.part("head", [author, message.at, message.edited, message.only_for], () => this.head(message));
    const quoted = message.reply_to && this.place.message(message.channel, message.reply_to);
    this.part("quote", [message.reply_to, quoted?.text, message.via], () => this.quote(message, quoted));
    this.part("extras", [message.files, message.thinking && !message.text], () => this.extras(message));
    this.part("notes", message.notes, () => (message.notes ?? []).map((note) => h("p", {}, ...this.inlineNote(note))));
    this.part("buttons", message.buttons, () => this.buttons(message));
    this.refreshReplies();
    if (this.changed("tools", [mine, this.inThread])) {
      this.avatar.textContent = initials(author.name);
      this.avatar.dataset.tint = author.bot ? "bot" : tint(author.id);
      this.tools.replaceChildren(...this.toolbar(mine));
    }
  }

  changed(name, value) {
    const state = JSON.stringify(value ?? null);
    if (this.drawn[name] === state) return false;
    this.drawn[name] = state;
    return true;
  }

  part(name, value, draw) {
    if (!this.changed(name, value)) return;
    const children = draw().filter(Boolean);
    this.parts[name].replaceChildren(...children);
    this.parts[name].hidden = children.length === 0;
  }

  inlineNote(note) {
    const prose = new Prose(this.place.named, { tables: false, small: false });
    prose.update(note);
    return [...(prose.element.firstElementChild?.childNodes ?? [])];
  }

  head({ author, at, edited, only_for }) {
    return [
      h("span", { class: "author" }, author.name),
      author.bot ? h("span", { class: "badge" }, "app") : null,
      time(at),
      edited ? h("span", { class: "faint" }, "edited") : null,
      only_for ? h("span", { class: "faint" }, "only visible to you") : null,
    ];
  }

  quote({ channel, reply_to, via }, quoted) {
    if (via) {
      const who = this.place.named("@", via.user) ?? via.user;
      return [h("span", { class: "via" }, h("b", {}, who), " used ", h("code", {}, via.command.startsWith("/") ? via.command : `/${via.command}`))];
    }
    if (!reply_to) return [];
    if (!quoted) return [h("span", { class: "via" }, "The message replied to was deleted.")];
    const words = this.place.inward(quoted.text).replace(/\s+/g, " ").slice(0, 160);
    return [h("button", { type: "button", class: "jump", onclick: () => this.acts.jump(channel, reply_to) }, h("b", {}, quoted.author.name), " ", words || "a file")];
  }

  extras({ files = [], thinking, text }) {
    const shown = files.map((file) => {
      const address = safeAddress(file.url, { loopback: true });
      if (!address || !isPicture(file.mime)) return h("p", { class: "file" }, file.name);
      return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, h("img", { src: address, alt: file.name, loading: "lazy" }));
    });
    if (thinking && !text) shown.push(dots("thinking"));
    return shown;
  }

  buttons({ buttons = [] }) {
    return buttons.map(({ id, value, label, style, disabled }) => {
      const press = button(label, async () => {
        press.disabled = true;
        await this.acts.press(this.message, id, value);
        press.disabled = Boolean(disabled);
      }, { class: `act ${["primary", "danger", "success"].includes(style) ? style : ""}`, disabled: Boolean(disabled) });
      return press;
    });
  }

  /** "2 replies" under a Slack message whose thread is not open here. */
  refreshReplies() {
    const replies = this.inThread ? [] : this.place.replies(this.message);
    const last = replies.at(-1);
    const busy = replies.some((reply) => reply.streaming) || Boolean(this.place.status(this.message.channel, this.message.id));
    this.part("replies", [replies.length, busy], () =>
      last || (busy && !this.inThread && this.place.slack)
        ? [h("button", { type: "button", class: "open-thread", onclick: () => this.acts.thread(this.message) }, last ? counted(replies.length, "reply", "replies") : "Thread", busy ? dots("answering") : null)]
        : [],
    );
  }

  toolbar(mine) {
    const { acts, place } = this;
    const tools = [];
    if (!(place.slack && this.inThread)) tools.push(button(place.slack ? "Reply in thread (R)" : "Reply (R)", () => acts.reply(this.message), { sign: "Reply" }));
    if (place.slack) tools.push(button("React with :x:", () => acts.react(this.message, "x"), { sign: ":x:" }));
    if (mine) tools.push(button("Edit", () => acts.edit(this.message)));
    if (mine) tools.push(button("Delete", () => acts.remove(this.message)));
    return tools;
  }
}

export function dots(word) {
  return h("span", { class: "dots" }, h("i", { "aria-hidden": "true" }), h("i", { "aria-hidden": "true" }), h("i", { "aria-hidden": "true" }), h("span", {}, word));
}
