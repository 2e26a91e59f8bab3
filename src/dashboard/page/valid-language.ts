// uPlot formats a number while it is imported, and some systems give a language that Intl refuses: "en-US@posix".
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
}
