// The list above a text field that completes what is being typed. The field keeps the focus.
import { h, unique } from "./dom.js";

export class Menu {
  constructor(field, label) {
    this.field = field;
    this.element = h("div", { class: "menu", role: "listbox", id: unique("menu"), "aria-label": label, hidden: true });
    this.items = [];
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", this.element.id);
    field.addEventListener("blur", () => this.close());
  }

  get open() {
    return !this.element.hidden;
  }

  /** `items`: `{label, hint, pick}`; none closes it. */
  show(items) {
    this.items = items;
    this.element.replaceChildren(
      ...items.map((item, index) =>
        h("div", { class: "option", role: "option", id: `${this.element.id}-${index}`, onpointerdown: (event) => this.pick(index, event) },
          h("b", {}, item.label), item.hint ? h("span", {}, item.hint) : null),
      ),
    );
    this.element.hidden = items.length === 0;
    if (items.length) this.mark(0);
    else this.field.removeAttribute("aria-activedescendant");
  }

  close() {
    this.show([]);
  }

  mark(index) {
    this.at = (index + this.items.length) % this.items.length;
    [...this.element.children].forEach((option, number) => option.setAttribute("aria-selected", String(number === this.at)));
    this.element.children[this.at].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", `${this.element.id}-${this.at}`);
  }

  pick(index, event) {
    event?.preventDefault();
    const item = this.items[index];
    this.close();
    item.pick();
  }

  /** Takes a key that is meant for it; returns whether it did. */
  key(event) {
    if (!this.open) return false;
    if (event.key === "ArrowDown") this.mark(this.at + 1);
    else if (event.key === "ArrowUp") this.mark(this.at - 1);
    else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") this.pick(this.at);
    else if (event.key === "Escape") this.close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}
