// Everything here is comfort: the page is whole without it. New alerts are
// counted from the live stream and fetched as the server's own page, so that
// no text of a feed is ever put together here.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  root.classList.add("js");

  // The server says the same (relative in render.go); change both.
  function relative(date) {
    let s = (Date.now() - date) / 1000;
    const ahead = s < 0;
    s = Math.abs(s);
    if (s < 45) return "now";
    let text;
    if (s < 90 * 60) text = Math.max(1, Math.round(s / 60)) + " min";
    else if (s < 36 * 3600) text = Math.round(s / 3600) + " h";
    else if (s < 100 * 86400) text = Math.round(s / 86400) + " d";
    else return null; // the date that stands there is right
    return ahead ? "in " + text : text + " ago";
  }
  function tick() {
    for (const t of document.querySelectorAll("time[datetime]")) {
      const text = relative(new Date(t.dateTime));
      if (text && t.textContent !== text) t.textContent = text;
    }
  }
  tick();
  setInterval(tick, 20000);

  const filters = $("filters");
  if (filters) {
    const form = filters.querySelector("form");
    if (matchMedia("(max-width: 40rem)").matches && !location.search) filters.open = false;
    form.addEventListener("change", (e) => { if (e.target.type !== "search") form.requestSubmit(); });
    form.addEventListener("submit", () => { // short addresses: what is empty says nothing
      for (const el of form.elements) if (el.name && !el.value) el.disabled = true;
    });
    addEventListener("pageshow", () => { for (const el of form.elements) el.disabled = false; });
  }

  let list = $("list");
  if (!list) return;

  // Unread is what came after the last visit, as this browser remembers it.
  const store = { get: (k) => { try { return localStorage.getItem(k); } catch { return null; } },
                  set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* private window */ } } };
  const seen = Number(store.get("seen") || list.dataset.newest);
  const alerts = () => [...list.querySelectorAll(".alert")];
  function mark() { for (const a of alerts()) a.classList.toggle("unread", Number(a.dataset.seq) > seen); }
  function remember() { store.set("seen", Math.max(Number(store.get("seen") || 0), Number(list.dataset.newest))); }
  mark();
  addEventListener("pagehide", remember);

  const pill = $("pill"), live = $("live"), title = document.title;
  const fresh = new Set();
  let stale = false;
  function show() {
    const n = fresh.size;
    pill.hidden = !n && !stale;
    pill.textContent = stale ? "Show the list as it is now" : n + (n === 1 ? " new alert" : " new alerts");
    document.title = n ? "(" + n + ") " + title : title;
  }
  async function update() {
    const top = Number(list.dataset.newest);
    pill.disabled = true;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (!answer.ok || answer.redirected) { location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById("list");
      list.replaceWith(document.adoptNode(next));
      list = next;
      const sum = page.querySelector(".sum");
      if (sum) document.querySelector(".sum").replaceWith(document.adoptNode(sum));
      for (const a of alerts()) if (Number(a.dataset.seq) > top) a.classList.add("fresh");
      fresh.clear();
      stale = false;
      mark();
      tick();
      show();
      scrollTo({ top: 0 });
      const first = alerts()[0];
      if (first) first.focus({ preventScroll: true });
    } catch { lost(true); } finally { pill.disabled = false; }
  }
  pill.addEventListener("click", update);

  function lost(yes) {
    live.hidden = false;
    live.classList.toggle("lost", yes);
    const text = yes ? "Connection lost, trying again" : "live";
    if (live.textContent !== text) live.textContent = text;
  }
  if (list.dataset.stream) {
    let last = list.dataset.newest, wait = 1000, timer;
    const connect = () => {
      const url = new URL(list.dataset.stream, location.href);
      url.searchParams.set("after", last);
      const source = new EventSource(url);
      source.onopen = () => { wait = 1000; clearTimeout(timer); lost(false); };
      source.onmessage = (e) => {
        last = e.lastEventId;
        fresh.add(JSON.parse(e.data).event.data.id);
        show();
      };
      source.addEventListener("reset", () => { stale = true; show(); });
      source.onerror = () => {
        clearTimeout(timer);
        timer = setTimeout(() => lost(true), 3000); // a restart is no news
        if (source.readyState !== EventSource.CLOSED) return;
        setTimeout(connect, wait); // refused: the browser would not try again
        wait = Math.min(wait * 2, 60000);
      };
    };
    connect();
  }

  function step(by) {
    const all = alerts();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement.closest(".alert"));
    const to = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
    all[to].focus({ preventScroll: true });
    all[to].scrollIntoView({ block: "nearest" });
  }
  const keys = {
    j: () => step(1), k: () => step(-1), n: () => { if (!pill.hidden) update(); },
    o: (a) => a?.querySelector("h3 .out")?.click(), p: (a) => a?.querySelector(".clock a").click(),
    e: (a) => { const d = a?.querySelector(".why"); if (d) d.open = !d.open; },
    f: () => { filters.open = true; filters.querySelector("input, select").focus(); },
    "?": () => $("help").showModal(),
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input[type=search], select, textarea, dialog")) return;
    const act = keys[e.key];
    if (act) { e.preventDefault(); act(document.activeElement.closest(".alert")); }
  });
})();
