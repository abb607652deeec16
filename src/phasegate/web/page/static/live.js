// Says when a page is older than it should be, and keeps what a reader has opened or typed while the page renews itself.
(function () {
  "use strict";
  const stale = document.getElementById("stale");
  const every = Number(document.body.dataset.live || 0); // seconds; 0: the page does not renew itself
  const patience = every ? 3 * every : 300;
  let seen = Date.now();

  function look() {
    const age = Math.floor((Date.now() - seen) / 1000);
    const words = age < 60 ? age + " s" : Math.floor(age / 60) + " min";
    stale.hidden = age < patience;
    if (!stale.hidden) {
      stale.querySelector("span").textContent = every
        ? "Not up to date: the service has not answered for " + words + "."
        : "Not up to date: this was read " + words + " ago.";
    }
  }

  setInterval(look, 1000);
  document.body.addEventListener("htmx:afterSwap", function () {
    seen = Date.now();
    look();
  });
  if (window.Idiomorph) {
    Idiomorph.defaults.ignoreActiveValue = true;
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = function (name) {
      return name !== "open";
    };
    Idiomorph.defaults.callbacks.beforeNodeMorphed = function (old, fresh) {
      return !(old instanceof HTMLFormElement && old.getAttribute("action") === fresh.getAttribute("action"));
    };
  }
})();
