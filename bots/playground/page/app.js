// The page's start: two workspaces, the line to the server, theme and tabs.
import { Connection } from "./connection.js";
import { Workspace } from "./workspace.js";

const THEME = "bise.theme";
const PLACES = ["slack", "discord"];
const byId = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");

function theme() {
  const chosen = localStorage.getItem(THEME);
  const isDark = chosen ? chosen === "dark" : dark.matches;
  if (chosen) document.documentElement.dataset.theme = chosen;
  byId("theme").setAttribute("aria-pressed", String(isDark));
  return isDark;
}

function tabs(shown) {
  for (const name of PLACES) {
    const tab = byId(`tab-${name}`);
    const here = name === shown;
    tab.setAttribute("aria-selected", String(here));
    tab.tabIndex = here ? 0 : -1;
    byId(name).classList.toggle("shown", here);
  }
}

let patience = 20; // times to ask again for commands that a starting bot has not registered yet

const connection = new Connection({
  onstate(state) {
    for (const name of PLACES) workspaces[name].load(state[name]);
    const { name, label, note } = state.model;
    byId("model").textContent = `Answers come from ${label.replace(/\.$/, "")}.${note ? ` ${note}` : ""}`;
    byId("model").title = name;
    document.body.dataset.ready = "true";
    if (state.discord.commands.length === 0 && patience-- > 0) setTimeout(() => connection.reload(), 1000);
  },
  onchange(place, change) {
    workspaces[place]?.take(change);
  },
  onlost(lost) {
    byId("lost").hidden = !lost;
    byId("lost").textContent = lost ? "The connection to the playground is lost. Trying again …" : "";
  },
});
const workspaces = Object.fromEntries(PLACES.map((name) => [name, new Workspace(byId(name), name, connection)]));

theme();
dark.addEventListener("change", theme);
byId("theme").addEventListener("click", () => {
  localStorage.setItem(THEME, theme() ? "light" : "dark");
  theme();
});
tabs("slack");
for (const name of PLACES) {
  const tab = byId(`tab-${name}`);
  const other = byId(`tab-${PLACES.find((place) => place !== name)}`);
  tab.addEventListener("click", () => tabs(name));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    other.click();
    other.focus();
  });
}
connection.open();
