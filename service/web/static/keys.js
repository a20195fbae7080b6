// What keys do. Everything is also reachable by Tab, and by pointing.

const themes = ["auto", "light", "dark"];

function theme(next) {
  const root = document.documentElement;
  if (next) {
    root.dataset.theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    localStorage.setItem("theme", root.dataset.theme);
    document.dispatchEvent(new Event("theme"));
  }
  document.getElementById("theme").textContent = `Theme: ${root.dataset.theme}`;
}

function step(by) {
  const places = [...document.querySelectorAll("main a.step")].filter((a) => a.offsetParent);
  if (!places.length) return;
  const now = places.indexOf(document.activeElement);
  const next = now < 0 ? (by > 0 ? 0 : places.length - 1) : Math.max(0, Math.min(places.length - 1, now + by));
  places[next].focus();
  places[next].scrollIntoView({ block: "nearest" });
}

export function keys() {
  const help = document.getElementById("help");
  theme(false);
  document.getElementById("theme").addEventListener("click", () => theme(true));
  document.getElementById("keys").addEventListener("click", () => help.showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "Escape") {
      if (typing) event.target.blur();
      else if (!help.open && !document.querySelector(".panel")) location.hash = "#/";
      return;
    }
    if (typing || help.open) return;
    const act = {
      j: () => step(1),
      k: () => step(-1),
      t: () => theme(true),
      "?": () => help.showModal(),
      "/": () => document.querySelector("main .find")?.focus(),
      n: () => document.querySelector("main [data-key='n']:enabled")?.click(),
      p: () => document.querySelector("main [data-key='p']:enabled")?.click(),
      a: () => document.querySelector("main [data-key='a']")?.click(),
      o: () => document.querySelector("main [data-key='o']")?.click(),
      u: () => document.querySelector("main [data-key='u']")?.click(),
    }[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
}
