"use strict";

// Swaps in what a save has changed and keeps the place. Without this script a plain reload shows the same.

const place = document.body;
const status = document.getElementById("status");
let stream = null;
let busy = false;
let again = false;

function say(words) {
  status.textContent = words;
}

function now() {
  return new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** Puts a new frame over the old one, and takes the old one away once the new one is drawn and scrolled. */
function swapFrame(old, given) {
  return new Promise((done) => {
    const fresh = document.importNode(given, true);
    fresh.classList.add("incoming");
    fresh.removeAttribute("id");
    const finish = () => {
      const from = old.contentWindow;
      const to = fresh.contentWindow;
      if (from && to) {
        to.scrollTo({ left: from.scrollX, top: from.scrollY, behavior: "instant" });
      }
      old.remove();
      fresh.id = "frame";
      fresh.classList.remove("incoming");
      done();
    };
    fresh.addEventListener("load", finish, { once: true });
    old.after(fresh);
  });
}

async function show(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const given = fresh.getElementById(part.id);
    if (given && given.innerHTML !== part.innerHTML) {
      part.replaceChildren(...document.importNode(given, true).childNodes);
    }
  }
  document.title = fresh.title;
  const stage = document.getElementById("stage");
  const givenStage = fresh.getElementById("stage");
  if (stage && givenStage) {
    stage.className = givenStage.className;
    const old = document.getElementById("frame");
    const given = fresh.getElementById("frame");
    if (old && given && old.dataset.digest !== given.dataset.digest) {
      await swapFrame(old, given);
    } else if (!old && given) {
      document.getElementById("glass").append(document.importNode(given, true));
    } else if (old && !given) {
      old.remove();
    }
  }
  place.dataset.version = fresh.body.dataset.version;
}

async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    do {
      again = false;
      const answer = await fetch(location.href, { cache: "no-store" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (fresh.body.className !== place.className) {
        location.reload();
        return;
      }
      await show(fresh);
      say(`Updated at ${now()}`);
    } while (again);
  } catch {
    say("The preview has stopped.");
  } finally {
    busy = false;
  }
}

function listen() {
  if (stream || !place.dataset.events) {
    return;
  }
  stream = new EventSource(place.dataset.events);
  stream.onopen = () => say("Live: shows every save.");
  stream.onmessage = (event) => {
    if (event.data !== place.dataset.version) {
      refresh();
    }
  };
  stream.onerror = () => say("The preview has stopped.");
}

/** A Problem as a whole leads where its line leads; who selects its words wants to copy them. */
document.addEventListener("click", (event) => {
  const card = event.target.closest(".problems li");
  const link = card && card.querySelector("a.line");
  if (!link) {
    return;
  }
  if (!event.target.closest("a")) {
    if (document.getSelection().isCollapsed) {
      link.click();
    }
    return;
  }
  for (const other of document.querySelectorAll(".problems .shown")) {
    other.classList.remove("shown");
  }
  card.classList.add("shown");
  if (link.target) {
    document.getElementById("glass").scrollIntoView({ block: "nearest" });
  }
});

// A hidden page lets go of its stream, since a browser keeps only six connections to a server.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") {
    listen();
  } else if (stream) {
    stream.close();
    stream = null;
  }
});
listen();
