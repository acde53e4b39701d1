// A Slack thread beside or over its channel.
import { button, h } from "./dom.js";
import { Composer } from "./composer.js";
import { Timeline } from "./timeline.js";

export class ThreadPanel {
  constructor(place, acts, { act, onme, onclose }) {
    this.place = place;
    this.onclose = onclose;
    this.root = null;
    this.timeline = new Timeline(place, acts, { inThread: true, label: "Messages in the thread" });
    this.composer = new Composer(place, { act, onme, target: () => ({ channel: this.channel, thread: this.root }), label: "Reply in the thread", commands: false });
    this.title = h("h3", {}, "Thread");
    this.element = h(
      "section",
      { class: "thread", "aria-label": "Thread", hidden: true, onkeydown: (event) => this.key(event) },
      h("header", {}, this.title, button("Close the thread", () => this.close(), { sign: "✕", class: "quiet" })),
      this.timeline.element,
      this.timeline.newer,
      this.composer.element,
    );
  }

  get open() {
    return this.root !== null;
  }

  show(message) {
    this.channel = message.channel;
    this.root = this.place.root(message) ?? message.id;
    this.element.hidden = false;
    this.refresh();
    this.timeline.show(this.channel, this.root);
  }

  refresh() {
    const channel = this.place.channels.get(this.channel);
    this.title.textContent = channel?.kind === "channel" ? `Thread in #${channel.name}` : "Thread";
    this.composer.refresh("Reply in the thread");
  }

  close() {
    const root = this.root;
    this.root = null;
    this.element.hidden = true;
    if (root) this.onclose(root);
  }

  key(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.stopPropagation();
    this.close();
  }
}
