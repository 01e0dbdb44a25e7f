// Refreshes the board when the record has new entries. Without scripts the page is the same, as of its loading.
"use strict";
(() => {
  const refresh = async () => {
    // A person who is choosing an action is not interrupted.
    const focused = document.activeElement;
    if (focused && focused.closest("#board form")) return;
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" } });
    if (!answer.ok) return location.reload();
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
    if (!next) return;
    const place = focused && focused.id ? focused.id : null;
    document.getElementById("board").replaceWith(next);
    if (place) document.getElementById(place)?.focus();
  };
  // A browser has six connections to a server, so a hidden page gives its own back.
  let changes = null;
  const follow = () => {
    if (changes) changes.close();
    if (document.hidden) return;
    let first = true;
    changes = new EventSource("/changes");
    changes.onmessage = () => {
      if (first) first = false; else refresh();
    };
  };
  document.addEventListener("visibilitychange", () => {
    follow();
    if (!document.hidden) refresh();
  });
  window.addEventListener("pagehide", () => changes && changes.close());
  follow();
})();
