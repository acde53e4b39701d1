// What to try first, until something was tried or the list was put away. Remembered in this browser.
import { button, h } from "./dom.js";

const IDEAS = {
  slack: [
    { label: "Mention it: @{bot} Why is the sky blue?", text: "@{bot} Why is the sky blue?" },
    { label: "Then ask on in the thread that it opened", text: "@{bot} Tell me three facts about the Alps as a list." },
    { label: "See what it can do: {command} help", command: "/bise", text: "/bise help" },
  ],
  discord: [
    { label: "Ask it: /ask", command: "/ask", values: { prompt: "Explain tides to a child." } },
    { label: "Mention it: @{bot} Write a haiku about wind.", text: "@{bot} Write a haiku about wind." },
    { label: "Open a thread where every message is answered: /chat", command: "/chat", values: { topic: "A weekend in Lausanne" } },
  ],
};

export class Suggestions {
  constructor(place, composer) {
    this.place = place;
    this.composer = composer;
    this.item = `bise.tried.${place.name}`;
    this.element = h("aside", { class: "suggestions", "aria-label": "Things to try", hidden: true });
  }

  /** Shows itself on a first visit. */
  refresh() {
    this.element.hidden = Boolean(localStorage.getItem(this.item));
    const ideas = IDEAS[this.place.name].map((idea) => ({ ...idea, known: this.command(idea) })).filter((idea) => !idea.command || idea.known);
    const words = (text, { command }) => text.replaceAll("{bot}", this.place.bot.name ?? "").replaceAll("{command}", command ?? "");
    this.element.replaceChildren(
      h("p", {}, "Try this:", button("Put the suggestions away", () => this.done(), { sign: "✕", class: "quiet" })),
      ...ideas.map((idea) => button(words(idea.label, idea), () => this.take(idea, words(idea.text ?? "", idea)), { class: "idea" })),
    );
  }

  command({ command }) {
    return this.place.commands.find((known) => known.name === command) ?? null;
  }

  take(idea, text) {
    if (idea.values) this.composer.begin(idea.known, idea.values);
    else this.composer.put(text);
  }

  done() {
    localStorage.setItem(this.item, "1");
    this.element.hidden = true;
  }
}
