// What script adds to pages that work without it: a preview while one types,
// buttons to show, copy and add, and a toggle that turns itself on.
"use strict";

for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  const word = button.firstChild;
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    word.textContent = shown ? "Hide" : "Show";
    button.setAttribute("aria-pressed", String(shown));
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  const source = document.getElementById(button.dataset.copy);
  const word = button.firstChild;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.textContent);
    word.textContent = "Copied";
    setTimeout(() => { word.textContent = "Copy"; }, 2000);
  });
}

// What is shown once is gone when the page is left: a browser may keep the page
// itself for the way back, whatever it was told.
addEventListener("pagehide", () => {
  for (const element of document.querySelectorAll("[data-once]")) element.textContent = "It was shown once.";
});

// Sensitive turns itself on for a name that looks like a secret's, until a
// person has set it.
for (const form of document.querySelectorAll("[data-secret-words]")) {
  const words = form.dataset.secretWords.split(" ");
  const rows = form.querySelector("[data-rows]");
  const parts = (row) => ({
    key: row.querySelector("[name=field_key]"), value: row.querySelector("[name=field_value]"),
    toggle: row.querySelector("[name=field_sensitive]"), own: row.querySelector("[name=field_own]"),
  });
  const draw = (p) => {
    p.value.type = p.toggle.checked ? "password" : "text";
    p.value.autocomplete = p.toggle.checked ? "new-password" : "off";
  };
  rows.addEventListener("input", (event) => {
    const p = parts(event.target.closest(".row"));
    if (event.target === p.toggle) p.own.value = "1";
    if (event.target === p.key && p.own.value !== "1") {
      const key = p.key.value.toLowerCase();
      p.toggle.checked = words.some((word) => key.includes(word));
    }
    draw(p);
  });
  const add = form.querySelector("[data-add-row]");
  add.hidden = false;
  add.addEventListener("click", () => {
    const index = rows.children.length;
    const row = rows.lastElementChild.cloneNode(true);
    for (const element of row.querySelectorAll("[id], [for]")) {
      for (const name of ["id", "for"]) {
        const value = element.getAttribute(name);
        if (value) element.setAttribute(name, value.replace(/-\d+$/, "-" + index));
      }
    }
    const p = parts(row);
    p.key.value = p.value.value = "";
    p.value.placeholder = "";
    p.toggle.checked = false;
    p.toggle.value = String(index);
    p.own.value = "0";
    draw(p);
    rows.append(row);
    p.key.focus();
  });
}

for (const filter of document.querySelectorAll("[data-filter]")) {
  const labels = filter.parentElement.querySelectorAll(".list label");
  if (labels.length < 10) continue;
  filter.hidden = false;
  filter.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const label of labels) {
      label.hidden = !label.textContent.toLowerCase().includes(wanted) && !label.querySelector("input").checked;
    }
  });
}

// The preview asks a moment after the last letter. An answer that comes after
// a newer question is dropped.
for (const form of document.querySelectorAll("form[data-preview]")) {
  const place = document.getElementById("preview");
  let timer, asking;
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const mine = asking;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)), signal: mine.signal, redirect: "error" });
      const text = await answer.text();
      if (!answer.ok || mine !== asking) return;
      place.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    } catch {
      // Typed on, or the session has ended: saving tells.
    } finally {
      if (mine === asking) place.removeAttribute("aria-busy");
    }
  };
  form.addEventListener("input", (event) => {
    if (event.target.name === "name" || event.target.name === "description") return;
    clearTimeout(timer);
    timer = setTimeout(ask, 350);
  });
  ask();
}
