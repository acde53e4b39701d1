// Pictures that wait to be sent with the next message: chosen, pasted or dropped.
import { button, h, isPicture } from "./dom.js";

const MOST = 25 * 1024 * 1024;

export class Uploads {
  constructor({ onrefused, multiple = true, label = "Add an image" }) {
    this.files = [];
    this.onrefused = onrefused;
    this.multiple = multiple;
    this.input = h("input", { type: "file", accept: "image/*,application/pdf", multiple, class: "unseen", tabindex: "-1", "aria-label": label, onchange: () => this.chosen() });
    this.button = button(label, () => this.input.click(), { sign: "+ Image", class: "quiet add-image" });
    this.element = h("ul", { class: "uploads", "aria-label": "Images to send", hidden: true });
  }

  chosen() {
    this.add([...this.input.files]);
    this.input.value = "";
  }

  add(files) {
    if (!files.length) return;
    const all = this.multiple ? [...this.files, ...files] : files.slice(0, 1);
    if (all.reduce((sum, file) => sum + file.size, 0) > MOST) {
      this.onrefused("Files of at most 25 MB together can be uploaded.");
      return;
    }
    this.files = all;
    this.draw();
  }

  clear() {
    this.files = [];
    this.draw();
  }

  draw() {
    for (const image of this.element.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    this.element.replaceChildren(
      ...this.files.map((file, index) => {
        const remove = () => {
          this.files.splice(index, 1);
          this.draw();
          this.button.focus();
        };
        const picture = isPicture(file.type) ? h("img", { src: URL.createObjectURL(file), alt: "" }) : h("span", { class: "file" }, "file");
        return h("li", {}, picture, h("span", { class: "name" }, file.name || "image"), button(`Remove ${file.name || "image"}`, remove, { sign: "✕", class: "quiet" }));
      }),
    );
    this.element.hidden = this.files.length === 0;
  }

  /** Takes files that are pasted or dropped on an element. */
  listen(element) {
    element.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
    element.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      element.classList.add("dropping");
    });
    element.addEventListener("dragleave", (event) => element.contains(event.relatedTarget) || element.classList.remove("dropping"));
    element.addEventListener("drop", (event) => {
      element.classList.remove("dropping");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
  }
}
