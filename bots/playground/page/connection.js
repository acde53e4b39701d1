// The line to the server: the state, its changes as they come, and what a person does.

const RETRY = 1500; // milliseconds

export class Connection {
  /** `onstate(state)` on each (re)connection, `onchange(place, change)` after it, `onlost(lost)` when that turns. */
  constructor({ onstate, onchange, onlost }) {
    Object.assign(this, { onstate, onchange, onlost });
    this.waiting = null;
  }

  open() {
    this.source?.close();
    this.source = new EventSource("/playground/events");
    this.source.onmessage = (event) => this.take(JSON.parse(event.data));
    this.source.onerror = () => {
      this.onlost(true);
      if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), RETRY);
    };
  }

  take(event) {
    if (event.hello || event.reload) this.reload();
    else if (this.waiting) this.waiting.push(event);
    else this.onchange(event.place, event.change);
  }

  /** The whole state; what changes while it is on its way is applied after it. */
  async reload() {
    const waiting = (this.waiting = []);
    try {
      const response = await fetch("/playground/state");
      if (!response.ok) throw new Error(`state: ${response.status}`);
      const state = await response.json();
      if (this.waiting !== waiting) return; // a later reload has taken over
      this.waiting = null;
      this.onstate(state);
      this.onlost(false);
      for (const event of waiting) this.onchange(event.place, event.change);
    } catch {
      this.onlost(true);
      setTimeout(() => this.waiting === waiting && this.reload(), RETRY);
    }
  }

  /** Does something in a workspace; returns null, or the sentence that says why it was refused. */
  async act(place, action, fields, files = []) {
    let body = JSON.stringify(fields);
    const headers = {};
    if (files.length) {
      const form = new FormData();
      form.append("body", body);
      for (const [name, file] of files) form.append(name, file, file.name || "image.png");
      body = form;
    } else headers["Content-Type"] = "application/json";
    try {
      const response = await fetch(`/playground/${place}/${action}`, { method: "POST", body, headers });
      if (response.ok) return null;
      const answer = await response.json().catch(() => ({}));
      return answer.error || `The playground answered ${response.status}.`;
    } catch {
      return "The playground cannot be reached. Is it still running?";
    }
  }
}
