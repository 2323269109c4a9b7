/* What scripts add to pages that work without them: live pieces, confirm dialogs, previews, copying, picking rows.
   No dependency, no inline code, nothing but our own addresses. */
"use strict";

/* Make `old` look like `fresh` and touch only what differs, so that focus stays and bars glide. */
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.childNodes.length !== fresh.childNodes.length) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const next = [...fresh.childNodes];
  [...old.childNodes].forEach((child, index) => morph(child, next[index]));
}

function fill(target, html) {
  const fresh = target.cloneNode(false);
  const page = new DOMParser().parseFromString(html, "text/html");
  fresh.append(...page.body.childNodes);
  if (target.childNodes.length !== fresh.childNodes.length) target.replaceChildren(...fresh.childNodes);
  else morph(target, fresh);
}

/* Live pieces: <section data-live="/campaigns/wa_1/live">…</section>, asked every 2 s until it holds data-live-done. */
const EVERY = 2000;
const QUIET = 10000;
let announced = 0;

function announce(piece) {
  const words = piece.querySelector("[data-say]")?.textContent.trim();
  const place = document.querySelector("[data-announcer]");
  const now = Date.now();
  if (!words || !place || place.textContent === words || now - announced < QUIET) return;
  announced = now;
  place.textContent = words;
}

function follow(piece) {
  let tag = "";
  let pause = EVERY;
  const finished = () => piece.matches("[data-live-done]") || piece.querySelector("[data-live-done]");
  async function ask() {
    if (document.hidden) return wait();
    try {
      const answer = await fetch(piece.dataset.live, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.redirected || answer.status === 403 || answer.status === 404) return undefined;
      if (answer.ok) {
        tag = answer.headers.get("ETag") || "";
        fill(piece, await answer.text());
        announce(piece);
      }
      pause = answer.ok || answer.status === 304 ? EVERY : Math.min(pause * 2, 30000);
    } catch {
      pause = Math.min(pause * 2, 30000);
    }
    return wait();
  }
  function wait() {
    if (finished()) {
      piece.dispatchEvent(new CustomEvent("live:done", { bubbles: true }));
      return;
    }
    setTimeout(ask, pause);
  }
  wait();
}

/* Confirm pages in place: <a data-confirm href="/campaigns/wa_1/confirm/pause">. Anything odd goes to the page itself. */
async function confirmHere(link) {
  const answer = await fetch(link.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = page.querySelector("form[data-dialog]");
  if (!answer.ok || answer.redirected || !form) throw new Error("no form");
  form.action = link.href;
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("aria-labelledby", "question");
  const heading = form.querySelector("h1");
  const smaller = document.createElement("h2");
  smaller.id = heading.id;
  smaller.append(...heading.childNodes);
  heading.replaceWith(smaller);
  dialog.append(document.importNode(form, true));
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}

/* Live preview: <form data-preview="/templates/preview" data-preview-into="#preview">. */
function preview(form) {
  const target = document.querySelector(form.dataset.previewInto);
  let timer = 0;
  let running = null;
  async function show() {
    running?.abort();
    running = new AbortController();
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form), signal: running.signal });
      if (answer.ok && !answer.redirected) fill(target, await answer.text());
    } catch (problem) {
      if (problem.name !== "AbortError") target.dataset.stale = "";
    }
  }
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 250);
  });
}

async function copy(button) {
  const words = button.querySelector("span");
  const before = words.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    words.textContent = "Copied";
  } catch {
    words.textContent = "Select and copy by hand";
  }
  setTimeout(() => {
    words.textContent = before;
  }, 2000);
}

/* Picking rows: <form data-pick> with checkboxes named id, [data-pick-all], a hidden .bulk bar with [data-picked]. */
function pick(form) {
  const all = form.querySelector("[data-pick-all]");
  const bar = form.querySelector(".bulk");
  const boxes = () => [...form.querySelectorAll('input[name="id"]')];
  function show() {
    const chosen = boxes().filter((box) => box.checked).length;
    bar.hidden = !chosen;
    bar.querySelector("[data-picked]").textContent = `${chosen} selected`;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
  form.addEventListener("change", (event) => {
    if (event.target === all) for (const box of boxes()) box.checked = all.checked;
    show();
  });
  show();
}

/* Variables: a button puts its text where the cursor stands in the field it names. */
function insert(button) {
  const place = document.querySelector(button.dataset.into);
  place.setRangeText(button.dataset.insert, place.selectionStart, place.selectionEnd, "end");
  place.focus();
  place.dispatchEvent(new Event("input", { bubbles: true }));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-confirm]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    confirmHere(link).catch(() => location.assign(link.href));
  }
  const copier = event.target.closest("[data-copy]");
  if (copier) copy(copier);
  const inserter = event.target.closest("[data-insert]");
  if (inserter) insert(inserter);
  const menu = document.querySelector("details.who[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.who[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
/* A second click while the first is under way sends nothing. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.querySelectorAll("[data-live]").forEach(follow);
document.querySelectorAll("form[data-preview]").forEach(preview);
document.querySelectorAll("form[data-pick]").forEach(pick);
document.querySelectorAll("[data-copy][hidden], [data-insert][hidden]").forEach((button) => {
  button.hidden = false;
});
