// What the page asks of the watch.

export class Refused extends Error {
  constructor(status, told) {
    super(told.error || `the watch answered ${status}`);
    this.status = status;
    this.fix = told.fix || "";
  }
}

async function answer(response) {
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, told);
  return told;
}

export const ask = async (path) => answer(await fetch(path));

export const send = async (path, body) =>
  answer(await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }));

/** Follow the state; `told` gets each, `gone` is called when the watch no longer answers. */
export function follow(told, gone) {
  const source = new EventSource("/api/stream");
  source.addEventListener("state", (event) => told(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    gone();
    // Refused for good, as after a restart with another key: ask again from the beginning.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
}
