// What one workspace holds, as the server tells it. No elements here.

const key = (channel, id) => `${channel} ${id}`;

export class Place {
  constructor(name) {
    this.name = name;
    this.slack = name === "slack";
    this.rules = { tables: this.slack, small: !this.slack };
    this.me = null;
    this.load({});
  }

  /** Takes a whole snapshot in place of what was known. */
  load({ workspace = {}, bot = {}, people = [], channels = [], messages = [], statuses = [], commands = [] }) {
    Object.assign(this, { workspace, bot, people, commands });
    this.channels = new Map(channels.map((channel) => [channel.id, channel]));
    this.messages = new Map(messages.map((message) => [key(message.channel, message.id), message]));
    this.statuses = new Map(statuses.map((status) => [key(status.channel, status.thread ?? ""), status]));
    if (!people.some((person) => person.id === this.me)) this.me = people[0]?.id ?? null;
  }

  /** Takes one change; whole things, so the same change twice does no harm. */
  apply(change) {
    if (change.type === "message") this.messages.set(key(change.message.channel, change.message.id), change.message);
    else if (change.type === "deleted") this.messages.delete(key(change.channel, change.id));
    else if (change.type === "channel" && change.deleted) this.channels.delete(change.channel.id);
    else if (change.type === "channel") this.channels.set(change.channel.id, change.channel);
    else if (change.type === "status") {
      const where = key(change.channel, change.thread ?? "");
      if (change.text) this.statuses.set(where, change);
      else this.statuses.delete(where);
    }
  }

  message(channel, id) {
    return this.messages.get(key(channel, id)) ?? null;
  }

  status(channel, thread) {
    return this.statuses.get(key(channel, thread ?? ""))?.text ?? "";
  }

  /** The name behind a mention's sign and id. */
  named = (sign, id) => {
    if (sign === "#") return this.channels.get(id)?.name ?? null;
    if (id === this.bot.id) return this.bot.name;
    return this.people.find((person) => person.id === id)?.name ?? null;
  };

  /** Channels that the person at the keyboard sees, each thread after its parent. */
  visible() {
    const mine = [...this.channels.values()].filter((channel) => channel.kind !== "dm" || !channel.with || channel.with === this.me);
    const threads = (parent) => mine.filter((channel) => channel.kind === "thread" && channel.parent === parent);
    const tops = mine.filter((channel) => channel.kind === "channel");
    return [
      ...tops.flatMap((channel) => [channel, ...threads(channel.id)]),
      ...mine.filter((channel) => channel.kind === "thread" && !this.channels.has(channel.parent)),
      ...mine.filter((channel) => channel.kind === "dm"),
    ];
  }

  title(channel) {
    return channel.kind === "dm" ? this.bot.name ?? "Direct message" : channel.name;
  }

  root(message) {
    return this.slack && message.thread && message.thread !== message.id ? message.thread : null;
  }

  sees(message) {
    return !message.only_for || message.only_for === this.me;
  }

  /** Messages of a channel's own line (root null) or of one thread, its root first, oldest first. */
  line(channel, root) {
    const here = (message) =>
      message.channel === channel && this.sees(message) && (root ? message.id === root || this.root(message) === root : !this.root(message));
    return [...this.messages.values()].filter(here).sort(before);
  }

  replies(message) {
    if (!this.slack) return [];
    return [...this.messages.values()].filter((other) => other.channel === message.channel && this.root(other) === message.id && this.sees(other));
  }

  /** Text as a person writes it ↔ as the platform wants it: @Name and <@id>. */
  outward(text) {
    let written = text;
    for (const who of [this.bot, ...this.people].sort((a, b) => b.name.length - a.name.length)) {
      const name = who.name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      written = written.replace(new RegExp(`(^|[^\\p{L}\\p{N}<])@${name}(?![\\p{L}\\p{N}_])`, "giu"), (_, lead) => `${lead}<@${who.id}>`);
    }
    return written;
  }

  inward(text) {
    return text.replace(/<@!?([\w-]+)>/g, (whole, id) => (this.named("@", id) ? `@${this.named("@", id)}` : whole));
  }
}

export function before(one, other) {
  return one.at - other.at || (one.id < other.id ? -1 : 1);
}
