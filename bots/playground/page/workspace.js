// One workspace on the page: its channels, the messages of one, and where to write.
import { button, h, unique } from "./dom.js";
import { Composer } from "./composer.js";
import { Place } from "./place.js";
import { Suggestions } from "./suggestions.js";
import { ThreadPanel } from "./thread_panel.js";
import { Timeline } from "./timeline.js";

const QUIET = 1200; // milliseconds without a change after which a message is read out
const SIGNS = { channel: "#", thread: "↳", dm: "●" };

export class Workspace {
  constructor(element, name, connection) {
    this.element = element;
    this.place = new Place(name);
    this.connection = connection;
    this.channel = null;
    this.unread = new Set();
    this.pending = new Map();
    this.quiet = new Map(); // timers of messages that may still change
    this.expected = null; // the channel where an answer in a new thread is waited for
    const acts = {
      reply: (message) => this.reply(message),
      edit: (message) => this.composerOf(message).edit(message),
      remove: (message) => this.act("delete", { user: this.place.me, channel: message.channel, message: message.id }),
      react: (message, reaction) => this.act("react", { user: this.place.me, channel: message.channel, message: message.id, name: reaction }),
      press: (message, id, value) => this.act("press", { user: this.place.me, channel: message.channel, message: message.id, button: id, value: value ?? null }),
      thread: (message) => this.openThread(message),
      jump: (_, id) => this.timeline.jump(id),
    };
    const act = (action, fields, files) => this.act(action, fields, files);
    const onme = (id) => this.become(id);
    this.timeline = new Timeline(this.place, acts, { inThread: false, label: "Messages" });
    this.composer = new Composer(this.place, { act, onme, target: () => ({ channel: this.channel, thread: null }), label: "Write a message" });
    this.suggestions = new Suggestions(this.place, this.composer);
    this.thread = new ThreadPanel(this.place, acts, { act, onme, onclose: (root) => this.timeline.jump(root) });
    this.build();
  }

  build() {
    this.title = h("h2");
    this.platform = h("span", { class: "platform" }, this.place.slack ? "Slack" : "Discord");
    this.heading = h("h3");
    this.nav = h("ul");
    this.select = h("select", { "aria-label": "Channel", class: "channel-select", onchange: () => this.go(this.select.value) });
    this.live = h("p", { class: "unseen", "aria-live": "polite", id: unique("live") });
    this.problem = h("p", { class: "refusal", role: "alert", hidden: true });
    this.element.append(
      h("header", {}, this.platform, this.title),
      h("nav", { "aria-label": "Channels" }, this.nav),
      h(
        "div",
        { class: "channel" },
        h("header", {}, this.heading, this.select),
        this.timeline.element,
        this.timeline.newer,
        this.suggestions.element,
        this.problem,
        this.composer.element,
      ),
      ...(this.place.slack ? [this.thread.element] : []),
      this.live,
    );
  }

  /** Takes a whole snapshot; where the reader was stays open if it still exists. */
  load(snapshot) {
    this.place.load(snapshot);
    this.pending.clear();
    this.title.textContent = this.place.workspace.name ?? "";
    this.refresh();
    if (this.thread.open && this.place.message(this.thread.channel, this.thread.root)) this.thread.timeline.show(this.thread.channel, this.thread.root);
    else if (this.thread.open) this.thread.close();
  }

  refresh() {
    const visible = this.place.visible();
    if (!visible.some((channel) => channel.id === this.channel)) this.channel = visible[0]?.id ?? null;
    this.drawChannels();
    this.suggestions.refresh();
    if (this.channel) this.timeline.show(this.channel);
    this.thread.refresh();
  }

  drawChannels() {
    const visible = this.place.visible();
    const label = (channel) => this.place.title(channel);
    this.nav.replaceChildren(
      ...visible.map((channel) =>
        h("li", { class: `kind-${channel.kind}` }, button("", () => this.go(channel.id), { "aria-current": channel.id === this.channel ? "page" : null, class: this.unread.has(channel.id) ? "unread" : "" })),
      ),
    );
    visible.forEach((channel, index) =>
      this.nav.children[index].firstElementChild.append(h("span", { class: "sign", "aria-hidden": "true" }, SIGNS[channel.kind] ?? "#"), h("span", { class: "name" }, label(channel)), this.unread.has(channel.id) ? h("span", { class: "unseen" }, " unread") : ""),
    );
    this.select.replaceChildren(...visible.map((channel) => h("option", { value: channel.id }, `${SIGNS[channel.kind] ?? "#"} ${label(channel)}${this.unread.has(channel.id) ? " •" : ""}`)));
    this.select.value = this.channel ?? "";
    const current = this.place.channels.get(this.channel);
    const name = current ? (current.kind === "dm" ? label(current) : `#${label(current)}`) : "";
    this.heading.textContent = name;
    this.composer.refresh(current?.kind === "dm" ? `Message ${name}` : `Write in ${name}`);
  }

  go(channel) {
    if (this.thread.open) {
      this.thread.root = null;
      this.thread.element.hidden = true;
    }
    this.channel = channel;
    this.unread.delete(channel);
    this.composer.dropContext();
    this.drawChannels();
    this.timeline.show(channel);
  }

  /** Goes on as another person: what is private to the first is no longer shown. */
  become(id) {
    this.place.me = id;
    this.refresh();
    if (this.thread.open) this.thread.timeline.show(this.thread.channel, this.thread.root);
  }

  composerOf(message) {
    const shownHere = this.thread.open && (this.place.root(message) === this.thread.root || message.id === this.thread.root);
    return shownHere ? this.thread.composer : this.composer;
  }

  reply(message) {
    if (this.place.slack) {
      this.openThread(message);
      this.thread.composer.focus();
    } else this.composer.reply(message);
  }

  openThread(message) {
    this.expected = null;
    this.thread.show(message);
  }

  async act(action, fields, files) {
    const own = action === "post" || action === "command" || action === "edit";
    if (own) {
      this.suggestions.done();
      this.timeline.toEnd();
      if (this.place.slack && action === "post" && !fields.thread) this.expected = { channel: fields.channel, since: Date.now() / 1000 - 5 };
    }
    const refused = await this.connection.act(this.place.name, action, fields, files);
    this.problem.textContent = own ? "" : refused ?? "";
    this.problem.hidden = own || refused === null;
    return refused;
  }

  /** Takes one change; what comes within one frame is shown at once, the latest state of each thing only. */
  take(change) {
    if (this.pending.size === 0) requestAnimationFrame(() => this.flush());
    const about = change.message ?? change;
    const what = change.type === "deleted" ? "message" : change.type;
    const key = what === "channel" ? change.channel.id : `${about.channel} ${about.id ?? about.thread}`;
    this.announce(change);
    this.place.apply(change);
    this.pending.set(`${what} ${key}`, change);
  }

  flush() {
    const changes = [...this.pending.values()];
    this.pending.clear();
    let listChanged = false;
    for (const change of changes) {
      if (change.type === "channel") listChanged = true;
      if (change.type === "status" && change.text) this.follow(change.channel, change.thread);
      if (change.type === "message") listChanged = this.note(change.message) || listChanged;
    }
    this.timeline.take(changes);
    if (this.thread.open) this.thread.timeline.take(changes);
    if (listChanged && !this.place.channels.has(this.channel)) this.refresh();
    else if (listChanged) this.drawChannels();
  }

  /** Opens the thread in which one's own newest question is being answered. */
  follow(channel, root) {
    const question = root && this.place.message(channel, root);
    const { expected } = this;
    if (!expected || !question || this.thread.open || channel !== expected.channel || channel !== this.channel) return;
    if (question.author.id !== this.place.me || question.at < expected.since || this.composer.field.value) return;
    const writing = this.composer.element.contains(document.activeElement);
    this.openThread(question);
    if (writing) this.thread.composer.focus();
  }

  /** Marks channels that are not open and have news; says whether the list of channels changed. */
  note(message) {
    if (!this.place.sees(message)) return false;
    if (message.author.bot) this.follow(message.channel, this.place.root(message));
    if (message.channel === this.channel || message.author.id === this.place.me || this.unread.has(message.channel)) return false;
    this.unread.add(message.channel);
    return true;
  }

  /** Says messages of others, once they no longer change, to those who listen instead of looking. */
  announce(change) {
    if (change.type !== "message") return;
    const { message } = change;
    const where = `${message.channel} ${message.id}`;
    clearTimeout(this.quiet.get(where));
    if (message.streaming || message.thinking || message.author.id === this.place.me || !this.place.sees(message)) return;
    const say = () => {
      this.quiet.delete(where);
      this.live.textContent = `${message.author.name}: ${this.place.inward(message.text).slice(0, 300)}`;
    };
    this.quiet.set(where, setTimeout(say, QUIET));
  }
}
