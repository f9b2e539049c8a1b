// Everything here is comfort: the pages are whole without it. New alerts are
// counted from the live stream and fetched as the server's own page, forms come
// from the server too, so that no text of a feed is ever put together here.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  root.classList.add("js");

  // What this browser remembers; a private window may refuse.
  const store = {
    get: (k) => { try { return localStorage.getItem(k); } catch { return null; } },
    set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* private window */ } },
  };

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
    for (const t of document.querySelectorAll("time[datetime]:not([data-fixed])")) {
      const text = relative(new Date(t.dateTime));
      if (text && t.textContent !== text) t.textContent = text;
    }
  }
  tick();
  setInterval(tick, 20000);

  async function fetchPage(url, options) {
    const answer = await fetch(url, { headers: { Accept: "text/html" }, credentials: "same-origin", ...options });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return { answer, page };
  }
  function copies(within) {
    for (const b of within.querySelectorAll("button.copy")) {
      b.hidden = false;
      b.onclick = async () => {
        const from = b.dataset.copy ? $(b.dataset.copy) : b.closest("p").previousElementSibling;
        try { await navigator.clipboard.writeText(from.textContent); } catch { getSelection().selectAllChildren(from); document.execCommand("copy"); }
        b.textContent = "Copied";
        setTimeout(() => { b.textContent = "Copy"; }, 2000);
      };
    }
  }
  copies(document);
  function openTarget() {
    const at = location.hash.length > 1 && $(decodeURIComponent(location.hash.slice(1)));
    const details = at && at.querySelector("details.onerule");
    if (details) details.open = true;
  }
  openTarget();
  addEventListener("hashchange", openTarget);

  const form = () => $("filters")?.querySelector("form");
  // short addresses: what is empty says nothing
  function addressOf(f) {
    const v = new URLSearchParams();
    for (const [name, value] of new FormData(f)) if (value) v.append(name, value);
    const q = v.toString();
    return f.getAttribute("action") + (q ? "?" + q : "");
  }
  if (form()) {
    if (matchMedia("(max-width: 40rem)").matches) $("filters").open = false;
    addEventListener("pointerdown", (e) => { // a menu closes when something else is pressed
      for (const m of document.querySelectorAll(".menu[open]")) if (!m.contains(e.target)) m.open = false;
    });
    addEventListener("keydown", (e) => {
      const menu = e.key === "Escape" && document.activeElement.closest(".menu[open]");
      if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
    });
    document.addEventListener("change", (e) => {
      const f = e.target.closest("#filters form");
      if (f && e.target.type !== "search") go(addressOf(f));
    });
    document.addEventListener("submit", (e) => {
      if (!e.target.closest("#filters")) return;
      e.preventDefault();
      go(addressOf(e.target));
    });
    document.addEventListener("click", (e) => {
      const a = e.target.closest(".chosen a");
      if (a && !e.metaKey && !e.ctrlKey) { e.preventDefault(); go(a.getAttribute("href")); }
    });
  }
  const clean = () => { if ($("list")) history.replaceState(null, ""); };
  clean();

  // go shows another filter without leaving: menus stay open, focus stays.
  async function go(url, back) {
    if (!$("list")) { location.assign(url); return; }
    const open = document.querySelector(".menu[open]")?.dataset.name;
    const at = document.activeElement, name = at?.name, value = at?.value;
    const { answer, page } = await fetchPage(url).catch(() => ({}));
    if (!answer?.ok || answer.redirected) { location.assign(url); return; }
    if (!back) history.pushState(null, "", url);
    const folded = !$("filters").open;
    swap(page, ["sum", "mutes", "filters", "notice"]);
    if (folded) $("filters").open = false;
    const menu = open && document.querySelector('.menu[data-name="' + open + '"]');
    if (menu) menu.open = true;
    if (name) [...form().elements].find((el) => el.name === name && (el.type === "search" || el.value === value))?.focus({ preventScroll: true });
    replaceList(page);
    fresh.clear();
    stale = false;
    show();
    connect();
    say(alerts().length + " rows");
  }
  addEventListener("popstate", () => { if ($("list")) go(location.pathname + location.search, true); });

  function swap(page, ids) {
    for (const id of ids) {
      const next = page.getElementById(id), old = $(id);
      if (next && old) old.replaceWith(document.adoptNode(next));
      else if (old && id === "notice") old.remove();
      else if (next && id === "notice") $("list").before(document.adoptNode(next));
    }
  }
  function say(text) { const s = $("said"); if (s) s.textContent = text; }

  let list = $("list");
  const dialog = $("desk");
  const alerts = () => [...list.querySelectorAll(".alert")].filter((a) => !a.closest("[hidden]"));

  // Unread is what came after the last visit, as this browser remembers it.
  const seen = list ? Number(store.get("seen") || list.dataset.newest) : 0;
  function mark() { for (const a of list.querySelectorAll(".alert")) a.classList.toggle("unread", Number(a.dataset.seq) > seen && !a.classList.contains("acked")); }
  function remember() { store.set("seen", Math.max(Number(store.get("seen") || 0), Number(list.dataset.newest))); }

  // Hidden for me: {scope, until} in this browser.
  const hidden = () => {
    let all = [];
    try { all = JSON.parse(store.get("hidden") || "[]"); } catch { /* not ours */ }
    return Array.isArray(all) ? all.filter((h) => h && typeof h.scope === "string" && h.until > Date.now()) : [];
  };
  function hides(a, scope) {
    const [kind, ...rest] = scope.split(":"), word = rest.join(":");
    const has = (ws) => ws.split(" ").includes(word);
    if (kind === "feed") return a.dataset.feed === word;
    if (kind === "rule") return a.dataset.rules === word; // not when another rule wanted it too
    if (kind === "channel") return a.dataset.channels.trim() === word;
    return kind === "story" && has(a.dataset.stories);
  }
  function hide() {
    const all = hidden();
    let n = 0;
    for (const a of list.querySelectorAll(".alert")) {
      const out = all.some((h) => hides(a, h.scope));
      a.parentElement.hidden = out;
      if (out) n++;
    }
    for (const d of list.querySelectorAll(".day")) d.hidden = !d.querySelector("li > .alert:not([hidden] > .alert)") || [...d.querySelectorAll("ol > li")].every((li) => li.hidden);
    const note = $("hidden-note");
    note.hidden = !all.length;
    note.replaceChildren();
    if (!all.length) return;
    note.append("Hidden for you in this browser (" + n + (n === 1 ? " row" : " rows") + " here): ");
    for (const h of all) {
      const b = document.createElement("button");
      b.type = "button";
      b.className = "plain-button";
      b.textContent = (h.label || h.scope) + " until " + new Date(h.until).toISOString().slice(0, 16).replace("T", " ") + " UTC ×";
      b.setAttribute("aria-label", "Show again: " + (h.label || h.scope));
      b.onclick = () => { store.set("hidden", JSON.stringify(hidden().filter((o) => o.scope !== h.scope))); hide(); };
      note.append(b, " ");
    }
  }

  const pill = $("pill"), live = $("live"), title = document.title;
  const fresh = new Map(); // items, as the list shows them, with their newest sequence
  let stale = false, source, last;
  function show() {
    const n = fresh.size;
    pill.hidden = !n && !stale;
    pill.textContent = stale ? "Show the list as it is now" : n + " new";
    pill.setAttribute("aria-label", stale ? pill.textContent : n + (n === 1 ? " new alert: show it" : " new alerts: show them"));
    document.title = n ? "(" + n + ") " + title : title;
  }
  function replaceList(page) {
    const top = Number(list.dataset.newest);
    const next = page.getElementById("list");
    list.replaceWith(document.adoptNode(next));
    list = next;
    for (const a of list.querySelectorAll(".alert")) if (Number(a.dataset.seq) > top) a.classList.add("fresh");
    mark();
    hide();
    tick();
  }
  // reload takes the server's page as it is now; keep leaves the reader where
  // he is.
  async function reload(keep) {
    const at = keep && document.activeElement.closest(".alert")?.dataset.item;
    pill.disabled = true;
    try {
      const { answer, page } = await fetchPage(location.pathname + location.search);
      if (!answer.ok || answer.redirected) { location.reload(); return; }
      const inUse = document.querySelector(".menu[open]") || $("filters").contains(document.activeElement), folded = !$("filters").open;
      swap(page, inUse ? ["sum", "mutes", "notice"] : ["sum", "mutes", "notice", "filters"]);
      if (folded) $("filters").open = false;
      replaceList(page);
      for (const [item, seq] of fresh) if (seq <= Number(list.dataset.newest)) fresh.delete(item); // later ones are not in it
      stale = false;
      show();
      const to = at ? list.querySelector('.alert[data-item="' + at + '"]') : alerts()[0];
      if (!keep) scrollTo({ top: 0 });
      if (to) to.focus({ preventScroll: true });
    } catch { lost(true); } finally { pill.disabled = false; }
  }

  function lost(yes) {
    live.hidden = false;
    live.classList.toggle("lost", yes);
    const text = yes ? "Connection lost, trying again" : "live";
    if (live.textContent !== text) live.textContent = text;
  }
  let wait = 1000, timer = null, retry;
  function calm() { clearTimeout(timer); timer = null; }
  function connect() {
    source?.close();
    clearTimeout(retry);
    calm();
    if (!list.dataset.stream) { live.hidden = true; return; }
    last = list.dataset.newest;
    subscribe();
  }
  function subscribe() {
    const url = new URL(list.dataset.stream, location.href);
    url.searchParams.set("after", last);
    const s = source = new EventSource(url);
    s.onopen = () => { wait = 1000; calm(); lost(false); };
    s.onmessage = (e) => {
      last = e.lastEventId;
      fresh.set(JSON.parse(e.data).event.data.item.key, Number(last));
      show();
    };
    s.addEventListener("reset", () => { stale = true; show(); });
    s.onerror = () => {
      timer ??= setTimeout(() => lost(true), 3000); // a restart is no news
      if (s.readyState !== EventSource.CLOSED) return;
      retry = setTimeout(subscribe, wait); // refused: the browser would not try again
      wait = Math.min(wait * 2, 60000);
    };
  }

  // The desk's forms, in a dialog.
  const here = () => location.pathname + location.search;
  const refs = (a) => a.dataset.ids.split(" ").map((id) => "alert=" + id).join("&") + "&back=" + encodeURIComponent(here());
  async function openForm(url, options) {
    const { answer, page } = await fetchPage(url, options).catch(() => ({}));
    if (!answer) { lost(true); return; }
    const next = page?.querySelector(".deskform");
    if (!next) { // it is done: we are back on the list
      dialog.close();
      if (answer.ok) await reload(true); else say(page?.querySelector(".empty p")?.textContent || "It did not work.");
      return;
    }
    dialog.replaceChildren(document.adoptNode(next));
    if (next.tagName === "FORM") next.addEventListener("submit", (e) => {
      e.preventDefault();
      openForm(next.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(next)) });
    });
    dialog.querySelector(".cancel")?.addEventListener("click", (e) => {
      e.preventDefault();
      dialog.close();
      if (next.id === "testform") reload(true);
    });
    const date = dialog.querySelector("#mute-until");
    if (date) date.addEventListener("input", () => { next.querySelector('[name="for"][value="date"]').checked = true; });
    const mine = dialog.querySelector(".hide-me");
    if (mine) { mine.hidden = false; mine.addEventListener("click", () => hideForMe(next)); }
    copies(dialog);
    if (!dialog.open) dialog.showModal();
    (dialog.querySelector("input:checked") || dialog.querySelector("input:not([type=hidden]), button, a"))?.focus();
  }
  function hideForMe(f) {
    const v = new FormData(f), scope = v.get("scope"), length = { "1h": 3600e3, "24h": 86400e3, "7d": 7 * 86400e3 }[v.get("for")];
    const until = length ? Date.now() + length : Date.parse(v.get("until") + "T23:59:59Z");
    if (!(until > Date.now())) { f.querySelector("#mute-until").focus(); return; }
    const label = f.querySelector('[name="scope"]:checked').parentElement.textContent.trim().slice(0, 90);
    store.set("hidden", JSON.stringify([...hidden().filter((h) => h.scope !== scope).slice(-49), { scope, until, label }]));
    dialog.close();
    hide();
    say("Hidden in this browser.");
  }
  // a: with a name known the alert is acknowledged at once.
  async function acknowledge(a) {
    if (!list.dataset.desk || !list.dataset.by) { openForm("/desk/ack?" + refs(a)); return; }
    const body = new URLSearchParams(refs(a) + "&verdict=seen&by=" + encodeURIComponent(list.dataset.by));
    const at = a.dataset.item;
    step(1);
    const to = document.activeElement.closest(".alert")?.dataset.item;
    const { answer, page } = await fetchPage("/desk/ack", { method: "POST", body }).catch(() => ({}));
    if (!answer?.ok) { say("The alert could not be acknowledged."); lost(!answer); return; }
    const next = page.querySelector('.alert[data-item="' + at + '"]'), old = list.querySelector('.alert[data-item="' + at + '"]');
    if (next && old) { // only this row: the list does not move
      old.replaceWith(document.adoptNode(next));
      mark();
      tick();
      if (to === at) next.focus({ preventScroll: true });
    }
    say("Acknowledged.");
  }

  function step(by) {
    const all = alerts();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement.closest(".alert"));
    const to = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
    all[to].focus({ preventScroll: true });
    all[to].scrollIntoView({ block: "nearest" });
  }
  function search() {
    const f = $("filters");
    if (!f) { (document.querySelector("textarea, input[type=search]"))?.focus(); return; }
    f.open = true;
    f.querySelector("input[type=search], input").focus();
  }
  const keys = {
    j: () => step(1), k: () => step(-1), n: () => { if (!pill.hidden) reload(); },
    o: (a) => a?.querySelector("h3 .out")?.click(), p: (a) => a?.querySelector(".clock a").click(),
    e: (a) => { const d = a?.querySelector(".why"); if (d) d.open = !d.open; },
    a: (a) => { if (a) acknowledge(a); }, m: (a) => { if (a) openForm("/desk/mute?" + refs(a)); },
    x: (a) => { if (a) openForm("/desk/ack?" + refs(a) + "&verdict=not-relevant"); },
    "?": () => $("help").showModal(),
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input:not([type=checkbox], [type=radio]), select, textarea, dialog")) return;
    if (e.key === "/" || e.key === "f") { e.preventDefault(); search(); return; }
    const act = list && keys[e.key];
    if (act) { e.preventDefault(); act(document.activeElement.closest(".alert")); }
  });

  if (!list) return;
  mark();
  hide();
  addEventListener("pagehide", remember);
  pill.addEventListener("click", () => reload());
  document.addEventListener("click", (e) => {
    const link = e.target.closest(".act-ack, .act-mute"), a = link?.closest(".alert");
    if (!a || e.metaKey || e.ctrlKey) return;
    e.preventDefault();
    a.focus({ preventScroll: true });
    if (link.classList.contains("act-ack")) acknowledge(a); else openForm("/desk/mute?" + refs(a));
  });
  document.addEventListener("submit", async (e) => {
    const f = e.target.closest("#mutes form");
    if (!f) return;
    e.preventDefault();
    const { answer } = await fetchPage(f.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(f)) }).catch(() => ({}));
    say(answer?.ok ? "Unmuted." : "The mute could not be ended.");
    reload(true);
  });
  dialog.addEventListener("close", () => { dialog.replaceChildren(); });
  connect();
})();
