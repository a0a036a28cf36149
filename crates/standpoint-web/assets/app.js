// What the dashboard does beyond showing: the keys, verdicts, live updates, logging in. Pages come
// whole from the server; this only swaps their sections. What documents say is never made markup.
"use strict";

const HEADERS = { "X-Standpoint": "1" };
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

const say = (text) => {
  const live = one("#live");
  if (live) live.textContent = text;
};

// --- logging in: the key stands behind the # of the printed address, which no server sees.

const login = async () => {
  const key = location.hash.slice(1);
  if (!/^[0-9a-f]{40}$/.test(key)) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (!one("[data-login]")) return;
  const answer = await fetch("/api/v1/session", { method: "POST", headers: HEADERS, body: key });
  if (answer.ok) return location.replace("/");
  const complaint = document.createElement("p");
  complaint.className = "complaint";
  complaint.setAttribute("role", "alert");
  complaint.textContent = "This address is of another start of the daemon; open the latest one.";
  one("main").append(complaint);
};

// --- sections that are fetched again

// A form somewhere in which somebody corrects a passage.
const opened = (root) => one("form.correction:not([hidden])", root);

// - keeps: whether what somebody does there has precedence over what is new.
const swap = (page, selector, keeps) => {
  const [old, fresh] = [one(selector), one(selector, page)];
  // A passage that the filters let through no more.
  if (old?.matches(".passage") && !fresh) return old.remove();
  if (!old || !fresh || old.isEqualNode(fresh)) return;
  const focus = old.contains(document.activeElement) ? document.activeElement : null;
  // Somebody types or reads here: their place is not pulled away unless it is found again.
  const place = focus && (focus.id ? `#${CSS.escape(focus.id)}` : null);
  if (keeps && ((focus && !place) || opened(old))) return;
  const open = all("details", old).map((details) => details.open);
  old.replaceWith(fresh);
  all("details", fresh).forEach((details, index) => { if (open[index]) details.open = true; });
  if (place) one(place)?.focus({ preventScroll: true });
};

let fetching = null;
const refresh = async (sections, keeps = true) => {
  if (fetching) { await fetching; }
  fetching = fetch(location.href, { headers: HEADERS }).then(async (answer) => {
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const section of sections) swap(page, section, keeps);
  }).catch(() => {}).finally(() => { fetching = null; });
  return fetching;
};

const FIGURES = ["#ranking", "#time", "#figures", "#shifts", ".standings", ".text"];
const EVERYTHING = [...FIGURES, "#evidence", "#documents", "#health"];

// --- passages: j k a r x c

const passages = () => all(".passage[data-key]");
const current = () => document.activeElement?.closest(".passage[data-key]") ?? one(".passage.current");

const select = (passage) => {
  if (!passage) return;
  for (const other of all(".passage.current")) other.classList.remove("current");
  passage.classList.add("current");
  passage.focus({ preventScroll: true });
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  passage.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
};

const step = (by) => {
  const list = passages();
  const at = list.indexOf(current());
  select(list[at < 0 ? 0 : Math.min(Math.max(at + by, 0), list.length - 1)]);
};

// - answer: a refusal, or nothing where none came.
const why = async (answer) => {
  if (!answer) return "the daemon does not answer";
  return (await answer.json().catch(() => ({}))).error ?? answer.status;
};

// What a form says of its passage; the server knows both ways of sending it.
const send = async (form, button) => {
  const passage = form.closest(".passage");
  const isVerdict = form.matches(".verdicts");
  const answer = await fetch(form.action, {
    method: "POST",
    headers: HEADERS,
    body: new URLSearchParams(new FormData(form, button)),
  }).catch(() => null);
  if (!answer?.ok) {
    const told = `Not kept: ${await why(answer)}`;
    if (!isVerdict) complain(form, told);
    say(told);
    // What was shown is not there any more, so what is there is shown; what was typed stays.
    if (isVerdict && answer?.status === 409) await refresh([...FIGURES, "#evidence"], false);
    return;
  }
  if (isVerdict) say(button.value ? `Passage ${button.value}.` : "Verdict taken back.");
  else say(button?.name === "undo" ? "Correction taken back." : "Correction kept.");
  const pressed = document.activeElement === button ? `button[name="${button.name}"][value="${button.value}"]` : null;
  const list = passages();
  const at = list.indexOf(passage);
  const next = list[at + 1] ?? list[at - 1];
  const own = `#p${passage.dataset.key}`;
  // Another holder may be another one in more passages than this.
  await refresh([...FIGURES, isVerdict ? own : "#evidence"], false);
  select(one(own) ?? (next && one(`#${CSS.escape(next.id)}`)));
  if (pressed) one(`${own} ${pressed}`)?.focus({ preventScroll: true });
};

const complain = (form, told) => {
  let complaint = one(".complaint", form);
  if (!complaint) {
    complaint = document.createElement("p");
    complaint.className = "complaint";
    complaint.setAttribute("role", "alert");
    form.append(complaint);
  }
  complaint.textContent = told;
};

const CHOOSE = "Choose a passage first: j goes to the next one.";

const judge = (passage, verdict) => {
  const button = passage && one(`.verdicts button[value="${verdict}"]`, passage);
  return button ? button.form.requestSubmit(button) : say(CHOOSE);
};

// The form is asked for when it is wanted: those of all passages would hold up the page. Where the
// page is about correcting one passage, it is there.
const fetchForm = async (passage) => {
  const answer = await fetch(one("a.correct", passage).href, { headers: HEADERS }).catch(() => null);
  if (!answer?.ok) {
    say(`Not opened: ${await why(answer)}`);
    if (answer?.status === 409) await refresh([...FIGURES, "#evidence"], false);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  // A live update may have put the passage anew in between.
  one(`#${passage.id} a.correct`)?.after(one("form.correction", page));
};

let opening = false;
const correct = async (passage) => {
  if (!passage) return say(CHOOSE);
  if (opening) return;
  const form = () => one(`#${passage.id} form.correction`);
  opening = true;
  if (!form()) await fetchForm(passage).catch(() => {});
  opening = false;
  if (!form()) return;
  form().hidden = false;
  one(`#${passage.id} a.correct`)?.setAttribute("aria-expanded", "true");
  one("input[name=holder]", form()).focus();
};

const close = (passage) => {
  one("form.correction", passage).hidden = true;
  one("a.correct", passage).setAttribute("aria-expanded", "false");
  select(passage);
};

// Names to choose from are asked for once, when somebody is about to type one.
let named = false;
document.addEventListener("focusin", async (event) => {
  if (named || !event.target.matches(".correction input[name=holder]")) return;
  named = true;
  const answer = await fetch("/api/v1/actors", { headers: HEADERS }).catch(() => null);
  if (!answer?.ok) { named = false; return; }
  const list = document.createElement("datalist");
  list.id = "actors";
  for (const { id, name } of (await answer.json()).rows) {
    const option = document.createElement("option");
    option.value = name;
    option.label = id;
    list.append(option);
  }
  document.body.append(list);
});

document.addEventListener("submit", (event) => {
  // Where one passage is corrected on a page of its own, the browser sends it and goes on.
  if (!event.target.matches(".feed .passage form")) return;
  event.preventDefault();
  send(event.target, event.submitter);
});

const VERDICTS = { a: "accepted", r: "rejected", x: "" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const form = event.target.closest(".feed form.correction");
  if (form && event.key === "Escape") return close(form.closest(".passage"));
  // Who types while a form is on its way means to type into it.
  if (opening || event.target.closest("input, select, textarea, dialog")) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key in VERDICTS && passages().length) judge(current(), VERDICTS[event.key]);
  else if (event.key === "c" && passages().length) correct(current());
  else if (event.key === "?") one("#help")?.showModal();
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.correct");
  // With these a link opens elsewhere.
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const passage = link.closest(".passage");
  if (opened(passage)) close(passage);
  else correct(passage);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.replay !== undefined) {
    button.disabled = true;
    const answer = await fetch("/api/v1/quarantine/replay", {
      method: "POST",
      headers: { ...HEADERS, "Content-Type": "application/json" },
      body: JSON.stringify({ file: button.dataset.replay }),
    }).catch(() => null);
    say(answer?.ok ? "It is back in the inbox." : `It stays: ${await why(answer)}`);
    await refresh(["#health"]);
    button.disabled = false;
  } else if (button.id === "help-button") {
    one("#help")?.showModal();
  }
});

// --- filters act when they are changed

document.addEventListener("change", (event) => {
  const form = event.target.closest("form.filters");
  if (form && event.target.matches("select, input[type=checkbox]")) form.requestSubmit();
});

// Fields that say nothing would only make the address long.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form.filters")) return;
  for (const field of event.target.elements) {
    if (field.name && (field.value === "" || (field.name === "holders" && field.value === "actors") || (field.name === "window" && field.value === "30"))) {
      field.disabled = true;
    }
  }
});
addEventListener("pageshow", () => {
  for (const field of all("form.filters :disabled")) field.disabled = false;
});

// --- live

let events = null;
let documents = null;
// A browser lends a server few connections, so a page that nobody sees gives its own back.
const listen = () => {
  if (one("[data-login]")) return;
  events?.close();
  if (document.hidden) return;
  events = new EventSource("/api/v1/events");
  events.addEventListener("change", async (event) => {
    const now = JSON.parse(event.data).documents;
    if (documents !== null) {
      await refresh(EVERYTHING);
      const more = now - documents;
      if (more > 0) say(`${more} new ${more === 1 ? "document" : "documents"}.`);
    }
    documents = now;
  });
};
document.addEventListener("visibilitychange", listen);
// A rate goes on when nothing comes, and what waits grows older.
if (location.pathname === "/health") setInterval(() => document.hidden || refresh(["#health"]), 10_000);
addEventListener("pagehide", () => events?.close());

login();
addEventListener("hashchange", login);
listen();
