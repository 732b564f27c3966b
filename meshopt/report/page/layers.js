// The views' cards: which layer all pictures show, outlines over them, and one picture enlarged.

function setUpLayers() {
  const section = document.getElementById("views");
  const buttons = [...section.querySelectorAll("button[data-layer]")];
  const outlines = section.querySelector("button[data-flags]");

  function show(layer) {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.layer === layer));
    }
    for (const part of section.querySelectorAll("img[data-layer], .legend[data-layer]")) {
      part.hidden = part.dataset.layer !== layer;
    }
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      show(button.dataset.layer);
      enlarge();
    });
  }
  outlines?.addEventListener("click", () => {
    const pressed = outlines.getAttribute("aria-pressed") !== "true";
    outlines.setAttribute("aria-pressed", String(pressed));
    section.classList.toggle("no-flags", !pressed);
  });
  const enlarge = setUpEnlarging(section);
}

// A click on a picture opens it as large as the window; arrows step through the views. Gives what shows it anew.
function setUpEnlarging(section) {
  const dialog = section.querySelector("dialog");
  const cards = [...section.querySelectorAll(".card")];
  let current = 0;

  function show(number) {
    current = (number + cards.length) % cards.length;
    const name = cards[current].querySelector("h3 span").textContent;
    const picture = cards[current].querySelector(".picture");
    dialog.querySelector("h3").textContent = name;
    dialog.querySelector(".picture").replaceChildren(
      ...[...picture.querySelectorAll("img:not([hidden]), svg")].map((part) => part.cloneNode(true)),
    );
  }

  cards.forEach((card, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.setAttribute("aria-label", `Enlarge ${card.querySelector("h3 span").textContent}`);
    button.addEventListener("click", () => {
      show(number);
      dialog.showModal();
    });
    card.querySelector(".picture").append(button);
  });
  for (const button of dialog.querySelectorAll("button[data-step]")) {
    button.addEventListener("click", () => show(current + Number(button.dataset.step)));
  }
  dialog.querySelector("button[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside its content
  });
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) show(current + step);
  });
  return () => show(current);
}

document.documentElement.classList.add("script");
setUpLayers();
