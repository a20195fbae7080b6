// Before anything is drawn, so that a dark room is never lit up.
document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";
