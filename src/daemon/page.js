// Puts what has changed into the page, so that focus, scrolling and what is unfolded stay as they
// are. Without it the page is loaded anew every five seconds.
"use strict";

const PARTS = ["head", "say", "cards", "course", "sums", "rows", "seen", "settings", "foot"];
const EVERY_MS = 2000;

async function renew() {
  const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(8000) });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of PARTS) {
    const [shown, now] = [document.getElementById(id), page.getElementById(id)];
    if (shown && now && shown.outerHTML !== now.outerHTML) {
      shown.className = now.className;
      shown.replaceChildren(...now.childNodes);
    }
  }
  document.title = page.title;
}

let silentSince = null;

async function live() {
  const silent = document.getElementById("silent");
  try {
    if (!document.hidden) await renew();
    silentSince = null;
    silent.hidden = true;
  } catch {
    silentSince ??= new Date();
    silent.textContent = "Sluice has not answered since " + silentSince.toLocaleTimeString() + ": what is below is old.";
    silent.hidden = false;
  }
  setTimeout(live, EVERY_MS);
}

setTimeout(live, EVERY_MS);
