// A slash command with its options as labelled fields.
import { button, h, unique } from "./dom.js";
import { Uploads } from "./uploads.js";

const KINDS = { 3: "string", 4: "integer", 5: "boolean", 10: "number", 11: "attachment" };

export class CommandForm {
  /** `onsend({name, options, files})` returns whether it was taken; `onclose()` when it is left. */
  constructor(command, { onsend, onclose, onrefused }) {
    this.command = command;
    this.onclose = onclose;
    this.fields = (command.options ?? []).map((option) => this.field(option, onrefused));
    this.send = h("button", { type: "submit", class: "send" }, "Send");
    this.element = h(
      "form",
      { class: "command", "aria-label": `Command ${command.name}`, onsubmit: (event) => this.submit(event, onsend), onkeydown: (event) => this.key(event) },
      h("div", { class: "command-top" }, h("b", {}, command.name), h("span", {}, command.description ?? ""), button("Cancel command", onclose, { sign: "✕", class: "quiet" })),
      ...this.fields.map((field) => field.element),
      h("div", { class: "bar" }, h("span", { class: "grow" }), this.send),
    );
    const uploads = this.fields.find((field) => field.uploads)?.uploads;
    uploads?.listen(this.element);
  }

  field(option, onrefused) {
    const kind = KINDS[option.type] ?? option.type;
    const id = unique("option");
    const name = h("span", { class: "option-name" }, option.name, option.required ? null : h("span", { class: "faint" }, " optional"));
    const hint = h("span", { class: "hint", id: `${id}-hint` }, option.description ?? "");
    const shared = { id, "aria-describedby": hint.id, required: Boolean(option.required), name: option.name };
    if (kind === "attachment") {
      const uploads = new Uploads({ onrefused, multiple: false, label: `Choose ${option.name}` });
      uploads.input.id = id;
      return { option, kind, uploads, element: h("div", { class: "field" }, h("label", { for: id }, name), hint, h("div", { class: "bar" }, uploads.button, uploads.input, uploads.element)) };
    }
    if (kind === "boolean") {
      const input = h("input", { ...shared, type: "checkbox", required: false });
      return { option, kind, input, element: h("div", { class: "field check" }, h("label", { for: id }, input, name), hint) };
    }
    if (option.choices?.length) {
      const none = option.required ? [] : [h("option", { value: "" }, "")];
      const input = h("select", shared, ...none, ...option.choices.map((choice) => h("option", { value: choice.value }, choice.name)));
      return { option, kind, input, element: h("div", { class: "field" }, h("label", { for: id }, name), hint, input) };
    }
    const input = kind === "string" ? h("textarea", { ...shared, rows: "2" }) : h("input", { ...shared, type: "number" });
    return { option, kind, input, element: h("div", { class: "field" }, h("label", { for: id }, name), hint, input) };
  }

  /** Fills fields by name and puts the cursor into the first. */
  fill(values = {}) {
    for (const { option, input, kind } of this.fields) {
      if (!(option.name in values) || !input) continue;
      if (kind === "boolean") input.checked = values[option.name];
      else input.value = values[option.name];
    }
    const first = this.fields.find((field) => field.input)?.input ?? this.send;
    first.focus();
    first.setSelectionRange?.(first.value.length, first.value.length);
  }

  key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.onclose();
    } else if (event.key === "Enter" && !event.shiftKey && event.target.matches("textarea, input")) {
      event.preventDefault();
      this.element.requestSubmit();
    }
  }

  async submit(event, onsend) {
    event.preventDefault();
    const options = {};
    const files = [];
    for (const { option, kind, input, uploads } of this.fields) {
      if (kind === "attachment") files.push(...uploads.files.map((file) => [option.name, file]));
      else if (kind === "boolean") options[option.name] = input.checked;
      else if (input.value !== "") options[option.name] = kind === "string" ? input.value : Number(input.value);
    }
    this.send.disabled = true;
    const taken = await onsend({ name: this.command.name, options, files });
    this.send.disabled = false;
    if (taken) this.onclose();
  }
}
