document.addEventListener("DOMContentLoaded", () => {
  // The arrows that open a part of the side bar have no words.
  for (const arrow of document.querySelectorAll("summary:has(.toctree-toggle)")) {
    const part = arrow.closest("li").querySelector("a");
    arrow.setAttribute("aria-label", `Pages below ${part.textContent.trim()}`);
  }
  // Words that are searched for lose their accents, as those of the index have (conf.py).
  if (window.Stemmer) {
    const Plain = window.Stemmer;
    window.Stemmer = function () {
      const stemmer = new Plain();
      this.stemWord = (word) => stemmer.stemWord(word.normalize("NFD").replace(/\p{M}/gu, ""));
    };
  }
});
