// Where a person writes: as whom, to whom, with which pictures, or as a slash command.
import { button, h, unique } from "./dom.js";
import { CommandForm } from "./command_form.js";
import { Menu } from "./menu.js";
import { Uploads } from "./uploads.js";

const TALLEST = 220; // pixels

export class Composer {
  /** `act(action, fields, files) → null or the reason it was refused`; `target() → {channel, thread}`; `onme(id)`. */
  constructor(place, { act, target, onme, label, commands = true }) {
    Object.assign(this, { place, act, target, commands });
    this.replying = null;
    this.editing = null;
    this.form = null;
    const id = unique("write");
    this.field = h("textarea", { id, rows: "1", placeholder: label, autocomplete: "off", oninput: () => this.typed(), onkeydown: (event) => this.key(event), onclick: () => this.complete() });
    this.menu = new Menu(this.field, "Suggestions");
    this.refusal = h("p", { class: "refusal", role: "alert", hidden: true });
    this.uploads = new Uploads({ onrefused: (words) => this.refuse(words) });
    this.who = h("select", { "aria-label": "Write as", onchange: () => onme(this.who.value) });
    this.context = h("div", { class: "context", hidden: true });
    this.mention = button("", () => this.mentionBot(), { class: "quiet mention-bot" });
    this.sender = h("button", { type: "submit", class: "send" }, "Send");
    this.writing = h(
      "form",
      { class: "writing", onsubmit: (event) => this.submit(event) },
      this.context,
      this.uploads.element,
      h("label", { for: id, class: "unseen" }, label),
      this.field,
      h("div", { class: "bar" }, this.who, this.mention, this.uploads.button, this.uploads.input, h("span", { class: "grow" }), this.sender),
    );
    this.element = h("div", { class: "composer" }, this.menu.element, this.refusal, this.writing);
    this.uploads.listen(this.writing);
  }

  /** Follows the people, the bot and the place written to. */
  refresh(label) {
    const { people, bot, me } = this.place;
    this.who.replaceChildren(...people.map((person) => h("option", { value: person.id }, person.name)));
    this.who.value = me ?? "";
    this.mention.textContent = `@${bot.name ?? ""}`;
    this.mention.setAttribute("aria-label", `Mention ${bot.name ?? "the bot"}`);
    this.field.placeholder = label;
    this.element.querySelector("label.unseen").textContent = label;
  }

  refuse(words) {
    this.refusal.textContent = words ?? "";
    this.refusal.hidden = !words;
  }

  focus() {
    (this.form?.fields.find((field) => field.input)?.input ?? this.field).focus();
  }

  put(text) {
    this.leaveForm();
    this.field.value = text;
    this.grow();
    this.field.focus();
    this.field.setSelectionRange(text.length, text.length);
  }

  mentionBot() {
    const name = `@${this.place.bot.name} `;
    const { selectionStart: at, value } = this.field;
    const gap = at > 0 && !/\s$/.test(value.slice(0, at)) ? " " : "";
    this.field.setRangeText(gap + name, at, this.field.selectionEnd, "end");
    this.field.focus();
    this.grow();
  }

  grow() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight + 2, TALLEST)}px`;
  }

  typed() {
    this.refuse(null);
    this.grow();
    this.complete();
  }

  complete() {
    const { value, selectionStart: at } = this.field;
    const before = value.slice(0, at);
    const slash = this.commands && /^\/[\w -]{0,40}$/.test(before) ? before.toLowerCase() : null;
    const mention = /(?:^|[\s(])@([\p{L}\p{N}_]{0,30})$/u.exec(before);
    if (slash !== null && !this.editing) this.menu.show(this.commandItems(slash));
    else if (mention) this.menu.show(this.mentionItems(mention[1].toLowerCase(), at));
    else this.menu.close();
  }

  commandItems(typed) {
    const { commands, slack } = this.place;
    const begun = slack && commands.some((command) => typed.startsWith(`${command.name} `));
    if (begun) return [];
    return commands
      .filter((command) => command.name.startsWith(typed.trimEnd()))
      .map((command) => ({ label: command.name, hint: [command.usage, command.description].filter(Boolean).join(" — "), pick: () => (slack ? this.put(`${command.name} `) : this.begin(command)) }));
  }

  mentionItems(typed, at) {
    const { bot, people, me } = this.place;
    const known = [bot, ...people.filter((person) => person.id !== me)].filter((who) => who.name?.toLowerCase().startsWith(typed));
    if (known.length === 1 && known[0].name.toLowerCase() === typed) return []; // all there: Enter sends
    return known.map((who) => ({
      label: `@${who.name}`,
      hint: who.id === bot.id ? "the bot" : "",
      pick: () => {
        this.field.setRangeText(`@${who.name} `, at - typed.length - 1, at, "end");
        this.field.focus();
      },
    }));
  }

  /** Turns into the form of a command. */
  begin(command, values = {}) {
    this.leaveForm();
    this.refuse(null);
    this.form = new CommandForm(command, {
      onsend: ({ name, options, files }) => this.send("command", { name, options }, files),
      onclose: () => {
        this.leaveForm();
        this.field.focus();
      },
      onrefused: (words) => this.refuse(words),
    });
    this.field.value = "";
    this.writing.hidden = true;
    this.element.append(this.form.element);
    this.form.fill(values);
  }

  leaveForm() {
    this.form?.element.remove();
    this.form = null;
    this.writing.hidden = false;
  }

  reply(message) {
    this.leaveForm();
    this.editing = null;
    this.replying = message;
    this.showContext(`Replying to ${message.author.name}`, "Do not reply");
    this.field.focus();
  }

  edit(message) {
    this.leaveForm();
    this.replying = null;
    this.editing = message;
    this.showContext("Editing your message", "Stop editing");
    this.put(this.place.inward(message.text));
  }

  showContext(words, leave) {
    const quit = () => {
      if (this.editing) this.put("");
      this.dropContext();
      this.field.focus();
    };
    this.context.replaceChildren(h("span", {}, words), button(leave, quit, { sign: "✕", class: "quiet" }));
    this.context.hidden = false;
  }

  dropContext() {
    this.replying = null;
    this.editing = null;
    this.context.hidden = true;
  }

  key(event) {
    if (event.isComposing || this.menu.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.writing.requestSubmit();
    } else if (event.key === "Escape" && !this.context.hidden) {
      event.preventDefault();
      event.stopPropagation();
      this.context.querySelector("button").click();
    }
  }

  async submit(event) {
    event.preventDefault();
    const text = this.field.value.trim();
    const { files } = this.uploads;
    if ((!text && !files.length) || this.sending) return;
    const command = this.commands && !this.editing ? this.commandIn(text) : null;
    if (command && !this.place.slack) {
      const rest = text.slice(command.name.length).trim();
      const first = command.options?.find((option) => ["string", 3].includes(option.type));
      if (command.options?.length) this.begin(command, first && rest ? { [first.name]: rest } : {});
      else if (await this.send("command", { name: command.name, options: {} })) this.clear();
      return;
    }
    const stray = this.place.slack && !command && !this.editing && /^\/\w+(\s|$)/.test(text);
    if (stray) {
      this.refuse(this.commands ? `${text.split(/\s/)[0]} is not a command here.` : "Slash commands do not work in threads. Use them in the channel.");
      return;
    }
    this.sending = true;
    const written = this.place.outward(text);
    const taken = command
      ? await this.send("command", { name: command.name, text: written.slice(command.name.length).trim() })
      : this.editing
        ? await this.send("edit", { message: this.editing.id, text: written })
        : await this.send("post", { text: written, reply_to: this.replying?.id ?? null }, files.map((file) => ["file", file]));
    this.sending = false;
    if (taken && this.field.value.trim() === text) this.clear();
  }

  commandIn(text) {
    const fits = ({ name }) => text === name || text.startsWith(`${name} `) || text.startsWith(`${name}\n`);
    return this.place.commands.filter(fits).sort((a, b) => b.name.length - a.name.length)[0] ?? null;
  }

  clear() {
    this.field.value = "";
    this.uploads.clear();
    this.dropContext();
    this.grow();
  }

  async send(action, fields, files = []) {
    const { channel, thread } = this.target();
    const refused = await this.act(action, { user: this.place.me, channel, ...(thread ? { thread } : {}), ...fields }, files);
    this.refuse(refused);
    return refused === null;
  }
}
